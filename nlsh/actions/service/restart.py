"""service.restart: ends a service and starts it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.service import _unit
from nlsh.plan.action import Action, BaseArgs, Example, Never, arg
from nlsh.plan.steps import Step
from nlsh.plan.values import Name
from nlsh.steps.services import OrderUnit
from nlsh.world import World


class Restart(Action):
    """Restart a service."""

    name = "service.restart"
    effects = ("bus.call", "sys.control")
    undo = Never("a service that was restarted has lost what it was doing")

    class Args(BaseArgs):
        name = arg(Name(), "The service.", required=True)

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return _unit.look(args.name, "restart")

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield OrderUnit(seen["unit"], "restart", seen["was"])

    examples = (
        Example(say=("restart nginx", "bounce the nginx service", "重启nginx服务"), plan='service.restart(name="nginx")', may_lack=True),
        Example(say=("restart sshd", "重启sshd"), plan='service.restart(name="sshd")', may_lack=True),
        Example(say=("restart systemd-logind",), plan='service.restart(name="systemd-logind")', refused="action.refused"),
    )
