"""Actions on archives: create, extract and list them."""
