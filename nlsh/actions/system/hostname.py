"""system.hostname: what this machine is called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, identity


class Hostname(Action):
    """Show the name of this machine."""

    name = "system.hostname"
    effects = ("sys.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from identity.names()

    examples = (Example(say=("what is this machine called", "hostname", "这台机器叫什么名字"), plan="system.hostname()", result=("host", ...)),)
