"""Actions on files: list, find, read, copy, move, trash."""
