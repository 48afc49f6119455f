"""Actions on the network state of this machine."""
