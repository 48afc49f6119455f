"""Actions on the trash."""
