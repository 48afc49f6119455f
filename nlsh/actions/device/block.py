"""device.block: the disks of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, devices


class Block(Action):
    """List the disks and partitions of this machine: size, model and where they are mounted."""

    name = "device.block"
    effects = ("dev.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("dev.read", "block"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from devices.block()

    examples = (
        Example(say=("which disks are there", "list my drives", "what hard disks does this machine have", "有哪些硬盘"), plan="device.block()", result=(...,)),
    )
