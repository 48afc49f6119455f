"""Actions on use of the processor, memory and disks, and limits on it."""
