"""Actions on what runs at set times."""
