"""Actions on services."""
