"""service.reload: has a service read its settings again, without ending."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.service import _unit
from nlsh.plan.action import Action, BaseArgs, Example, Never, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Name
from nlsh.steps.services import OrderUnit
from nlsh.world import World


class Reload(Action):
    """Have a service read its settings again."""

    name = "service.reload"
    effects = ("bus.call", "sys.control")
    undo = Never("what a service has read it does not forget")

    class Args(BaseArgs):
        name = arg(Name(), "The service.", required=True)

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return _unit.look(args.name, "reload")

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        if seen["was"] not in ("active", "reloading"):
            raise Refused(f"{seen['unit']} does not run, so it has nothing to reload.", hint="Nothing was changed.")
        yield OrderUnit(seen["unit"], "reload", seen["was"])

    examples = (
        Example(say=("reload nginx", "have nginx read its configuration again", "让nginx重新加载配置"), plan='service.reload(name="nginx")', may_lack=True),
        Example(say=("reload the service a b",), plan='service.reload(name="a b")', refused="plan.bad-argument"),
    )
