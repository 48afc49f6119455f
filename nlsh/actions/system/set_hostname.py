"""system.set_hostname: renames this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Name
from nlsh.steps.system import SetSetting, setting
from nlsh.world import World


class SetHostname(Action):
    """Rename this machine."""

    name = "system.set_hostname"
    effects = ("bus.call", "sys.control")

    class Args(BaseArgs):
        to = arg(Name(), "The new name.", required=True)

    def look(self, args: Any, world: World) -> dict[str, str]:
        new = args.to.strip()
        if len(new) > 64 or not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*", new):
            raise Refused(f"A machine cannot be called “{new}”: only letters, digits and - are allowed.", hint="Nothing was changed. Choose another name.")
        return {"old": setting("hostname"), "new": new}

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        if seen["new"] != seen["old"]:
            yield SetSetting("hostname", seen["old"], seen["new"])

    examples = (
        Example(
            say=("rename this machine to workbench", "call this computer workbench", "把这台机器改名为workbench"),
            plan='system.set_hostname(to="workbench")',
            may_lack=True,
        ),
        Example(say=("rename this machine to my computer!",), plan='system.set_hostname(to="my computer!")', refused="action.refused"),
    )
