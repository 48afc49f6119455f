"""device.printer: the printers and what they are doing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Record
from nlsh.steps import handles
from nlsh.world import World, printers


class Printers(Action):
    """List printers and what they are doing."""

    name = "device.printer"
    effects = ("bus.read",)

    def look(self, args: Any, world: World) -> Any:
        return printers.socket_path()

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("bus.read", seen),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        try:
            connection = handles.bus(seen)
        except OSError as error:
            raise NotPossible(f"The print service does not answer at {seen}: {error.strerror}.", hint="Nothing was changed.") from error
        yield from printers.printers(connection)

    examples = (
        Example(
            say=("which printers are there", "is the printer busy", "list printers and their queues", "打印机在忙吗"),
            plan="device.printer()",
            may_lack=True,
        ),
    )
