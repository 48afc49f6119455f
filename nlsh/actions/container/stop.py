"""container.stop: stop a container."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Name
from nlsh.steps._sockets import opened
from nlsh.steps.containers import TurnContainer
from nlsh.world import World, containers
from nlsh.world.containers import Engine


class Stop(Action):
    """Stop a container; it keeps what it has written and can be started again."""

    name = "container.stop"
    effects = ("bus.call", "sys.control")

    class Args(BaseArgs):
        name = arg(Name(), "The container.", required=True)

    def look(self, args: Any, world: World) -> Any:
        path = containers.socket_path()
        with opened(path, Engine, "the container engine") as engine:
            found = containers.choose(args.name, engine, "stop")
            name = containers.name_of(found)
            facts = engine.inspect(found["Id"])
        if not facts["State"]["Running"]:
            raise Refused(f"The container {name} does not run.", hint="Nothing was changed.")
        removes_itself = facts.get("HostConfig", {}).get("AutoRemove")
        return TurnContainer(path, found["Id"], name, "stop", f"the container {name} was made to be removed as soon as it stops" if removes_itself else "")

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("stop the web container", "docker stop web", "shut down the container called web", "停掉web容器"),
            plan='container.stop("web")',
            may_lack=True,
        ),
        # In a scene there is no engine.
        Example(say=("stop the container nlsh-none", "停掉容器nlsh-none"), plan='container.stop("nlsh-none")', refused="world.not-possible"),
    )
