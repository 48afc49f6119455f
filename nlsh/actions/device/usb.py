"""device.usb: what is plugged into USB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, devices


class Usb(Action):
    """List what is plugged into USB."""

    name = "device.usb"
    effects = ("dev.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("dev.read", "usb"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from devices.usb()

    examples = (
        Example(
            say=("what is plugged in over usb", "list usb devices", "is my usb stick there", "插了哪些USB设备"),
            plan="device.usb()",
            may_lack=True,
        ),
    )
