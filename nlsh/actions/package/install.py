"""package.install: installs packages, after saying exactly which where the package manager can tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.package import _orders
from nlsh.plan.action import Action, BaseArgs, Example, Looked, arg
from nlsh.plan.steps import Step
from nlsh.plan.terms import PACKAGE_BACKENDS, Among, Names
from nlsh.world import World


class Install(Action):
    """Install packages."""

    name = "package.install"
    effects = _orders.CHANGE_EFFECTS

    class Args(BaseArgs):
        names = arg(Names(), "The packages.", required=True)
        backend = arg(Among(PACKAGE_BACKENDS), "As for package.search.")

    def look(self, args: Any, world: World) -> Looked:
        return _orders.look("install", args.names, args.backend, world.now())

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen.steps

    examples = (
        Example(say=("install htop", "get me the package htop", "安装htop"), plan='package.install(names="htop")', may_lack=True),
        Example(say=("install the package --force",), plan='package.install(names="--force", backend="moon")', refused="plan.bad-argument"),
    )
