"""system.info: what this machine is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, machine


class Info(Action):
    """Show what this machine is: its name, system, kernel, processor and memory."""

    name = "system.info"
    effects = ("sys.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from machine.facts()

    examples = (
        Example(
            say=("what system is this", "tell me about this computer", "which linux am i on", "这台电脑是什么系统"),
            plan="system.info()",
            result=("host", "system", "kernel", "architecture", "processor", "cores", "memory", "up"),
        ),
    )
