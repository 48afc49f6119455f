"""Actions on sound and video."""
