"""Actions on archives: create, extract, list and check them, add to one, and compress single files."""
