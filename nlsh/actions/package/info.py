"""package.info: what a package is, and whether it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.package import _orders
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.terms import PACKAGE_BACKENDS, Among
from nlsh.plan.values import Name
from nlsh.world import World, packages


class Info(Action):
    """Show what a package is, and whether it is installed."""

    name = "package.info"
    effects = _orders.READ_EFFECTS

    class Args(BaseArgs):
        name = arg(Name(), "The package.", required=True)
        backend = arg(Among(PACKAGE_BACKENDS), "As for package.search.")

    def look(self, args: Any, world: World) -> str:
        return packages.backend(args.backend).name

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return packages.backends()[seen].reads("info")

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from _orders.reader(seen).info(args.name)

    examples = (
        Example(say=("what is the package bash", "is bash installed", "软件包bash是什么"), plan='package.info(name="bash")', may_lack=True),
        Example(say=("tell me about the package -rf",), plan='package.info(name="-rf", backend="moon")', refused="plan.bad-argument"),
    )
