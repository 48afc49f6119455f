"""Actions on running processes."""
