"""Actions on documents of word processors, spreadsheets and presentations."""
