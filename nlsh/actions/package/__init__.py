"""Actions on packages of software."""
