"""service.disable: has a service no longer start with the machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.service import _unit
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.steps import Step
from nlsh.plan.values import Name
from nlsh.steps.services import LinkUnit
from nlsh.world import World


class Disable(Action):
    """Have a service no longer start with the machine."""

    name = "service.disable"
    effects = ("bus.call", "sys.control")

    class Args(BaseArgs):
        name = arg(Name(), "The service.", required=True)

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return _unit.look_at_file(args.name, "disable")

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        if seen["file"].startswith("enabled"):
            yield LinkUnit(seen["unit"], "disable", seen["file"])

    examples = (
        Example(say=("disable cups", "don't start cups on boot", "取消cups开机自启"), plan='service.disable(name="cups")', may_lack=True),
        Example(say=("disable dbus",), plan='service.disable(name="dbus")', refused="action.refused"),
    )
