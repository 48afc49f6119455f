"""Actions on texts and data files: search, show, count, change and convert."""
