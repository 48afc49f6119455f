"""container.images: the images that containers are made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.steps._sockets import opened
from nlsh.world import World, containers
from nlsh.world.containers import Engine


class Images(Action):
    """List container images, the biggest first."""

    name = "container.images"
    effects = ("bus.read",)

    def look(self, args: Any, world: World) -> Any:
        return containers.socket_path()

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("bus.read", seen),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        with opened(seen, Engine, "the container engine") as engine:
            found = engine.images()
        yield from sorted((containers.image_record(i) for i in found), key=lambda i: (-i.size_bytes, i.name))

    examples = (
        Example(
            say=("which container images are there", "docker images", "how big are my docker images", "有哪些容器镜像"),
            plan="container.images()",
            may_lack=True,
        ),
    )
