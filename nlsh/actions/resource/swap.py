"""resource.swap: how much swap is in use, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.world import World, machine, rates


class SwapUse(Action):
    """Show how much swap is in use, and by whom."""

    name = "resource.swap"
    effects = ("sys.read", "proc.read")

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"), Effect("proc.read", "*"))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        whole = machine.swap()
        yield whole
        if not whole.total_bytes:
            yield Note("This machine has no swap.")
        yield from rates.swapped()

    examples = (
        Example(
            say=("how much swap is used", "which processes are swapped out", "what is in swap", "交换空间用了多少"),
            plan="resource.swap()",
            result=("swap", ...),
        ),
    )
