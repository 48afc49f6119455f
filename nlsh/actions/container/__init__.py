"""Actions on containers and their images, with Docker or Podman."""
