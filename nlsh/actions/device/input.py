"""device.input: keyboards, mice and other input devices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, hardware


class Input(Action):
    """List keyboards, mice and other input devices."""

    name = "device.input"
    effects = ("dev.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("dev.read", "input"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from hardware.inputs()

    examples = (
        Example(
            say=("which keyboards and mice are attached", "list input devices", "is my mouse seen", "接了哪些键盘和鼠标"),
            plan="device.input()",
            may_lack=True,
        ),
    )
