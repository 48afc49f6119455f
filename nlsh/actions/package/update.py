"""package.update: updates packages, or all that have an update."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.package import _orders
from nlsh.plan.action import Action, BaseArgs, Example, Looked, arg
from nlsh.plan.steps import Step
from nlsh.plan.terms import PACKAGE_BACKENDS, Among, Names
from nlsh.world import World


class Update(Action):
    """Update packages, or all of them."""

    name = "package.update"
    effects = _orders.CHANGE_EFFECTS

    class Args(BaseArgs):
        names = arg(Names(), "The packages; left out: all that have an update.")
        backend = arg(Among(PACKAGE_BACKENDS), "As for package.search.")

    def look(self, args: Any, world: World) -> Looked:
        return _orders.look("update", args.names or (), args.backend, world.now())

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen.steps

    examples = (
        Example(say=("update all packages", "upgrade everything", "更新所有软件包"), plan="package.update()", may_lack=True),
        Example(say=("update the package a b",), plan='package.update(names="a b", backend="moon")', refused="plan.bad-argument"),
    )
