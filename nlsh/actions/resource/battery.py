"""resource.battery: the charge of the battery."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, sensors


class BatteryCharge(Action):
    """Show the charge of the battery and how long it lasts."""

    name = "resource.battery"
    effects = ("sys.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from sensors.batteries()

    examples = (
        Example(
            say=("how much battery is left", "battery level", "how long does the battery last", "电池还剩多少电"),
            plan="resource.battery()",
            may_lack=True,
        ),
    )
