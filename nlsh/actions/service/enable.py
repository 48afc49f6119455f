"""service.enable: has a service start with the machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.service import _unit
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.steps import Step
from nlsh.plan.values import Name
from nlsh.steps.services import LinkUnit
from nlsh.world import World


class Enable(Action):
    """Have a service start with the machine."""

    name = "service.enable"
    effects = ("bus.call", "sys.control")

    class Args(BaseArgs):
        name = arg(Name(), "The service.", required=True)

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return _unit.look_at_file(args.name, "enable")

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        if not seen["file"].startswith("enabled"):
            yield LinkUnit(seen["unit"], "enable", seen["file"])

    examples = (
        Example(
            say=("enable nginx", "start nginx on boot", "have nginx start with the machine", "设置nginx开机自启"),
            plan='service.enable(name="nginx")',
            may_lack=True,
        ),
        Example(say=("enable /etc/passwd",), plan='service.enable(name="/etc/passwd")', refused="plan.bad-argument"),
    )
