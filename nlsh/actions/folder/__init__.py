"""Actions on folders: create them and measure them."""
