"""package.remove: removes packages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.package import _orders
from nlsh.plan.action import Action, BaseArgs, Example, Looked, arg
from nlsh.plan.steps import Step
from nlsh.plan.terms import PACKAGE_BACKENDS, Among, Names
from nlsh.world import World


class Remove(Action):
    """Remove packages."""

    name = "package.remove"
    effects = _orders.CHANGE_EFFECTS

    class Args(BaseArgs):
        names = arg(Names(), "The packages.", required=True)
        backend = arg(Among(PACKAGE_BACKENDS), "As for package.search.")

    def look(self, args: Any, world: World) -> Looked:
        return _orders.look("remove", args.names, args.backend, world.now())

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen.steps

    examples = (
        Example(say=("remove the package htop", "uninstall htop", "卸载htop"), plan='package.remove(names="htop")', may_lack=True),
        Example(say=("remove the package nlsh-no-such",), plan='package.remove(names="--all", backend="moon")', refused="plan.bad-argument"),
    )
