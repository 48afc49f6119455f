"""service.start: lets a service run, now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.service import _unit
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.steps import Step
from nlsh.plan.values import Name
from nlsh.steps.services import OrderUnit
from nlsh.world import World


class Start(Action):
    """Start a service."""

    name = "service.start"
    effects = ("bus.call", "sys.control")

    class Args(BaseArgs):
        name = arg(Name(), "The service.", required=True)

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return _unit.look(args.name, "start")

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        if seen["was"] not in ("active", "reloading"):
            yield OrderUnit(seen["unit"], "start", seen["was"])

    examples = (
        Example(say=("start nginx", "start the nginx service", "get nginx running", "启动nginx服务"), plan='service.start(name="nginx")', may_lack=True),
        Example(say=("fire up cups", "启动cups"), plan='service.start(name="cups")', may_lack=True),
        Example(say=("start the service ../nginx",), plan='service.start(name="../nginx")', refused="plan.bad-argument"),
    )
