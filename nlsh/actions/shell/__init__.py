"""Actions on raw commands."""
