"""system.reboot: restarts this machine, now or later; what is only planned can be called off."""

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


class Reboot(Action):
    """Restart the machine."""

    name = "system.reboot"
    effects = ("bus.call", "sys.control")

    class Args(BaseArgs):
        after = arg(Duration(), "After this time.")
        at = arg(Clock(), "At this time of day.")

    def look(self, args: Any, world: World) -> float | None:
        return _stop.look("reboot", args, world)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield StopMachine("reboot") if seen is None else PlanStop("reboot", seen)

    examples = (
        Example(say=("reboot", "restart this computer", "重启电脑"), plan="system.reboot()", may_lack=True),
        Example(say=("reboot in 10 minutes", "10分钟后重启"), plan='system.reboot(after="10 minutes")', may_lack=True),
        Example(say=("reboot at 23:00", "晚上11点重启"), plan='system.reboot(at="23:00")', may_lack=True),
        Example(say=("reboot in 10 minutes at 23:00",), plan='system.reboot(after="10 minutes", at="23:00")', refused="plan.bad-argument"),
    )
