"""system.hardware: what this machine is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, identity


class Hardware(Action):
    """Show what this machine is made of."""

    name = "system.hardware"
    effects = ("sys.read", "dev.read")

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"), Effect("dev.read", "*"))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from identity.parts()

    examples = (
        Example(
            say=("what hardware does this machine have", "show me the specs of this computer", "这台电脑的硬件配置"),
            plan="system.hardware()",
            result=("architecture", "processor", "cores", "memory", ...),
        ),
    )
