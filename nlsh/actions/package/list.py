"""package.list: the packages that are installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.package import _orders
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.plan.terms import PACKAGE_BACKENDS, Among
from nlsh.world import World, packages


class List(Action):
    """List the packages that are installed."""

    name = "package.list"
    effects = _orders.READ_EFFECTS

    class Args(BaseArgs):
        backend = arg(Among(PACKAGE_BACKENDS), "As for package.search.")

    def look(self, args: Any, world: World) -> dict[str, str]:
        chosen = packages.backend(args.backend)
        return {"backend": chosen.name, "more": packages.others(chosen) if args.backend is None else ""}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return packages.backends()[seen["backend"]].reads("list")

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from _orders.reader(seen["backend"]).installed()
        if seen["more"]:
            yield Note(seen["more"])

    examples = (
        Example(say=("list installed packages", "which packages are installed", "列出已安装的软件包"), plan="package.list()", may_lack=True),
        Example(
            say=("list npm packages", "npm装了哪些包"),
            plan='package.list(backend="npm")',
            given={"package.json": "{}", "node_modules/left/package.json": '{"name": "left", "version": "1.0.0"}'},
            result=("left",),
            may_lack=True,
        ),
    )
