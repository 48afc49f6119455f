"""Actions on the users of this machine."""
