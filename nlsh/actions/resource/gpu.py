"""resource.gpu: how graphics cards are used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, gpus


class Gpu(Action):
    """Show load, memory, temperature, power and processes of graphics cards."""

    name = "resource.gpu"
    effects = ("dev.read", "sys.read")

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        # The names of processes come with the state of the system: to look into processes would leave the card's device closed.
        return (Effect("dev.read", "gpu"), Effect("sys.read", "*"))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from gpus.use()

    examples = (
        Example(
            say=("how busy is the graphics card", "gpu usage", "who uses the gpu memory", "显卡占用率"),
            plan="resource.gpu()",
            may_lack=True,
        ),
    )
