"""Actions on what was done before: list it, take it back, finish it."""
