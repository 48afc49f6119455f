"""container.list: the containers of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.values import Flag
from nlsh.steps._sockets import opened
from nlsh.world import World, containers
from nlsh.world.containers import Engine


class List(Action):
    """List containers: those that run, or all."""

    name = "container.list"
    effects = ("bus.read",)

    class Args(BaseArgs):
        all = arg(Flag(), "Also those that do not run.", default=False)

    def look(self, args: Any, world: World) -> Any:
        return containers.socket_path()

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("bus.read", seen),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        with opened(seen, Engine, "the container engine") as engine:
            found = engine.containers(all=args.all)
        yield from sorted((containers.as_record(c) for c in found), key=lambda c: (c.state != "running", c.name))

    examples = (
        Example(
            say=("which containers are running", "docker ps", "list the containers", "有哪些容器在跑"),
            plan="container.list()",
            may_lack=True,
        ),
        Example(say=("list all containers, also the stopped ones", "所有容器，包括停掉的"), plan="container.list(all=true)", may_lack=True),
    )
