"""resource.fans: how fast the fans turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, sensors


class Fans(Action):
    """Show how fast the fans turn."""

    name = "resource.fans"
    effects = ("sys.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from sensors.fans()

    examples = (Example(say=("how fast are the fans", "fan speed", "do the fans turn", "风扇转速"), plan="resource.fans()", may_lack=True),)
