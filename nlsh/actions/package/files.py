"""package.files: the files of an installed package."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.package import _orders
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import File, Record
from nlsh.plan.values import Name
from nlsh.world import World, packages
from nlsh.world.files import record


class Files(Action):
    """List the files of an installed package."""

    name = "package.files"
    effects = _orders.READ_EFFECTS

    class Args(BaseArgs):
        name = arg(Name(), "The package.", required=True)

    def look(self, args: Any, world: World) -> str:
        return packages.backend(None).name

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return packages.backends()[seen].reads("files")

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        for path in _orders.reader(seen).files(args.name):
            try:
                yield record(path, os.lstat(path))
            except OSError:
                yield File(path, "missing")

    examples = (Example(say=("files of the package bash", "what did bash install", "bash软件包有哪些文件"), plan='package.files(name="bash")', may_lack=True),)
