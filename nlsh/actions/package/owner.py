"""package.owner: the package that a file belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.package import _orders
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.plan.values import Path
from nlsh.world import World, packages


class Owner(Action):
    """Say which package a file belongs to."""

    name = "package.owner"
    effects = _orders.READ_EFFECTS

    class Args(BaseArgs):
        path = arg(Path(), "The file.", required=True)

    def look(self, args: Any, world: World) -> dict[str, str]:
        path = world.resolve(args.path)
        return {"backend": packages.backend(None).name, "path": path}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return packages.backends()[seen["backend"]].reads("owner")

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        found = list(_orders.reader(seen["backend"]).owner(seen["path"]))
        if not found:
            yield Note(f"{seen['path']} belongs to no package of {seen['backend']}.")
        yield from found

    examples = (
        Example(say=("which package does /bin/sh belong to", "who owns /bin/sh", "/bin/sh属于哪个软件包"), plan='package.owner(path="/bin/sh")', may_lack=True),
        Example(say=("which package does nowhere.txt belong to",), plan='package.owner(path="nowhere.txt")', refused="world.not-found"),
    )
