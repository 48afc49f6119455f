"""Actions on the devices of this machine."""
