"""device.pci: the cards and controllers on the PCI bus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, hardware


class Pci(Action):
    """List the cards and controllers on the PCI bus."""

    name = "device.pci"
    effects = ("dev.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("dev.read", "pci"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from hardware.pci()

    examples = (
        Example(
            say=("what is on the pci bus", "list the pci cards", "which network card is built in, list the controllers", "列出PCI设备"),
            plan="device.pci()",
            may_lack=True,
        ),
    )
