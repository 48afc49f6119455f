"""system.shutdown: switches this machine off, now or later; what is only planned can be called off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.system import _stop
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Duration
from nlsh.plan.steps import Step
from nlsh.plan.terms import Clock
from nlsh.steps.system import PlanStop, StopMachine
from nlsh.world import World


class Shutdown(Action):
    """Switch the machine off."""

    name = "system.shutdown"
    effects = ("bus.call", "sys.control")

    class Args(BaseArgs):
        after = arg(Duration(), "After this time.")
        at = arg(Clock(), "At this time of day.")

    def look(self, args: Any, world: World) -> float | None:
        return _stop.look("poweroff", args, world)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield StopMachine("poweroff") if seen is None else PlanStop("poweroff", seen)

    examples = (
        Example(say=("shut down", "switch this computer off", "关机"), plan="system.shutdown()", may_lack=True),
        Example(say=("shut down in an hour", "一小时后关机"), plan='system.shutdown(after="an hour")', may_lack=True),
        Example(say=("power off at 22:30", "22:30关机"), plan='system.shutdown(at="22:30")', may_lack=True),
        Example(say=("shut down in 400 days",), plan='system.shutdown(after="400 days")', refused="action.refused"),
    )
