"""Actions on PDF files."""
