"""resource.load: the load averages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, pressure


class Load(Action):
    """Show the load averages, and how many cores there are for them."""

    name = "resource.load"
    effects = ("sys.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield pressure.load()

    examples = (Example(say=("what is the load", "load average", "how loaded is this machine", "系统负载是多少"), plan="resource.load()", result=(None,)),)
