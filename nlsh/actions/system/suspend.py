"""system.suspend: puts this machine to sleep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.system import _stop
from nlsh.plan.action import Action, Example, Never
from nlsh.plan.steps import Step
from nlsh.steps.system import StopMachine
from nlsh.world import World


class Suspend(Action):
    """Put the machine to sleep."""

    name = "system.suspend"
    effects = ("bus.call", "sys.control")
    undo = Never("a machine that sleeps is woken by hand")

    def look(self, args: Any, world: World) -> None:
        _stop.possible("suspend")

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield StopMachine("suspend")

    examples = (
        Example(say=("suspend", "put this computer to sleep", "让电脑休眠"), plan="system.suspend()", may_lack=True),
        # No scene has a logind.
        Example(say=("suspend a machine without logind",), plan="system.suspend()", refused="world.not-possible"),
    )
