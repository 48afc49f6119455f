"""device.mounts: what is mounted where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, machine


class Mounts(Action):
    """List the mounted file systems and where they are mounted."""

    name = "device.mounts"
    effects = ("dev.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("dev.read", "mounts"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from machine.mounts()

    examples = (
        Example(
            say=("what is mounted where", "show the mounts", "list mounted file systems", "挂载了哪些文件系统"),
            plan="device.mounts()",
            result=(...,),
        ),
    )
