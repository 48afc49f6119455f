"""resource.pressure: how long work has to wait."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, pressure


class PressureOfAll(Action):
    """Show how long work has to wait for CPU, memory and disk."""

    name = "resource.pressure"
    effects = ("sys.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from pressure.pressure()

    examples = (
        Example(
            say=("is anything waiting for memory or disk", "show the pressure on this machine", "what is this machine short of", "系统压力大不大"),
            plan="resource.pressure()",
            result=("cpu", ...),
            may_lack=True,
        ),
    )
