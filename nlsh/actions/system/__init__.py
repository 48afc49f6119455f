"""Actions on this machine as a whole."""
