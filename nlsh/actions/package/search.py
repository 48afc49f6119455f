"""package.search: packages that could be installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.package import _orders
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.terms import PACKAGE_BACKENDS, Among
from nlsh.plan.values import Text
from nlsh.world import World, packages


class Search(Action):
    """Search for packages that could be installed."""

    name = "package.search"
    effects = (*_orders.READ_EFFECTS, "net.connect")

    class Args(BaseArgs):
        text = arg(Text(), "What to look for.", required=True)
        backend = arg(Among(PACKAGE_BACKENDS), "apt, dnf, pacman, zypper, apk, flatpak, snap, pip or npm; left out: the system's own.")

    def look(self, args: Any, world: World) -> str:
        return packages.backend(args.backend).name

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return packages.backends()[seen].reads("search")

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from _orders.reader(seen).search(args.text)

    examples = (
        Example(say=("search for a package called htop", "is there a package htop", "找一个叫htop的软件包"), plan='package.search(text="htop")', may_lack=True),
        Example(say=("find requests on pypi",), plan='package.search(text="requests", backend="pip")', refused="world.not-possible"),
    )
