"""Actions on git repositories."""
