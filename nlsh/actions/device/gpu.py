"""device.gpu: the graphics cards of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, devices


class GpuCards(Action):
    """List the graphics cards of this machine, with their memory and use where the driver tells it."""

    name = "device.gpu"
    effects = ("dev.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("dev.read", "gpu"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from devices.gpu()

    examples = (Example(say=("what graphics card do i have", "show the gpu", "is the gpu busy", "显卡是什么型号"), plan="device.gpu()", may_lack=True),)
