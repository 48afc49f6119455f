"""resource.cpu: how busy the processor is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.values import Flag
from nlsh.world import World, machine


class CpuUse(Action):
    """Show how busy the processor is, measured over a tenth of a second, and its load."""

    name = "resource.cpu"
    effects = ("sys.read",)

    class Args(BaseArgs):
        each = arg(Flag(), "each core by itself", default=False)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from machine.cpu(each=args.each)

    examples = (
        Example(say=("how busy is the cpu", "cpu usage", "is the processor under load", "CPU占用多少"), plan="resource.cpu()", result=("all",)),
        Example(say=("cpu usage of each core", "load per core", "每个核心的使用率"), plan="resource.cpu(each=true)", result=("0", ...)),
    )
