"""Actions on pictures."""
