"""service.stop: ends a service, now; it may start with the machine again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.service import _unit
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.steps import Step
from nlsh.plan.values import Name
from nlsh.steps.services import OrderUnit
from nlsh.world import World


class Stop(Action):
    """Stop a service."""

    name = "service.stop"
    effects = ("bus.call", "sys.control")

    class Args(BaseArgs):
        name = arg(Name(), "The service.", required=True)

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return _unit.look(args.name, "stop")

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        if seen["was"] in ("active", "reloading", "activating"):
            yield OrderUnit(seen["unit"], "stop", seen["was"], tuple(seen["others"]), seen["final"])

    examples = (
        Example(say=("stop nginx", "shut down the nginx service", "停止nginx服务"), plan='service.stop(name="nginx")', may_lack=True),
        Example(say=("I don't need cups right now, stop it", "关掉cups服务"), plan='service.stop(name="cups")', may_lack=True),
        Example(say=("stop dbus", "停止dbus"), plan='service.stop(name="dbus")', refused="action.refused"),
    )
