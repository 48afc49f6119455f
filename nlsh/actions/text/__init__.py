"""Actions on the text in files: search and count."""
