"""resource.memory: how much memory is used and free."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, machine


class MemoryUse(Action):
    """Show how much memory and swap is used and available."""

    name = "resource.memory"
    effects = ("sys.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from machine.memory()

    examples = (
        Example(
            say=("how much memory is free", "memory usage", "how much ram does this computer have", "内存还剩多少"),
            plan="resource.memory()",
            result=("memory", ...),
        ),
    )
