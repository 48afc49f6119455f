"""Actions on the logs of this machine."""
