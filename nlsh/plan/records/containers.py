"""Records of containers and their images."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class Container(Record):
    """A container. `state` is the engine's word: created, running, paused, restarting, exited, dead; `ports` reads 8080→80/tcp."""

    name: str
    image: str
    state: str
    ports: str = ""
    created_at: float = 0.0
    id: str = ""
    columns: ClassVar = ("name", "image", "state", "ports", "created_at")


@frozen()
class ContainerImage(Record):
    """An image of containers, by its first name; `names` are all it has. `size_bytes` counts layers that other images share."""

    name: str
    size_bytes: int
    created_at: float = 0.0
    names: tuple[str, ...] = ()
    id: str = ""
    columns: ClassVar = ("name", "size_bytes", "created_at")
