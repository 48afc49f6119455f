"""resource.temperature: how warm the machine is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, sensors


class Temperatures(Action):
    """Show the temperatures of the machine."""

    name = "resource.temperature"
    effects = ("sys.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from sensors.temperatures()

    examples = (
        Example(say=("how hot is the cpu", "show the temperatures", "is my computer too warm", "CPU温度是多少"), plan="resource.temperature()", may_lack=True),
    )
