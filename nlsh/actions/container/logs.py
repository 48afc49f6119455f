"""container.logs: what a container has printed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.values import Name
from nlsh.steps._sockets import opened
from nlsh.world import World, containers
from nlsh.world.containers import Engine


class Logs(Action):
    """Show the last lines that a container has printed."""

    name = "container.logs"
    effects = ("bus.read",)

    class Args(BaseArgs):
        name = arg(Name(), "The container.", required=True)
        last = arg(Count(), "The last so many lines.", default=50)

    def look(self, args: Any, world: World) -> Any:
        path = containers.socket_path()
        with opened(path, Engine, "the container engine") as engine:
            return [path, containers.choose(args.name, engine, "read")["Id"]]

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("bus.read", seen[0]),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        with opened(seen[0], Engine, "the container engine") as engine:
            yield from engine.logs(seen[1], args.last)

    examples = (
        Example(
            say=("what did the web container print", "docker logs web", "show the logs of the container web", "看看web容器的日志"),
            plan='container.logs("web")',
            may_lack=True,
        ),
        Example(say=("the last 20 lines of the db container", "db容器最后20行日志"), plan='container.logs("db", last="20")', may_lack=True),
    )
