"""system.set_timezone: sets the time zone of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.steps import Step
from nlsh.plan.terms import Zone
from nlsh.steps.system import SetSetting, setting
from nlsh.world import World, clock


class SetTimezone(Action):
    """Set the time zone of the machine."""

    name = "system.set_timezone"
    effects = ("bus.call", "sys.control")

    class Args(BaseArgs):
        zone = arg(Zone(), "The time zone.", required=True)

    def look(self, args: Any, world: World) -> dict[str, str]:
        new = clock.zone(args.zone)
        return {"old": setting("time zone"), "new": new}

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        if seen["new"] != seen["old"]:
            yield SetSetting("time zone", seen["old"], seen["new"])

    examples = (
        Example(say=("set the time zone to Europe/Berlin", "把时区改成Europe/Berlin"), plan='system.set_timezone(zone="Europe/Berlin")', may_lack=True),
        Example(say=("change the time zone to Shanghai", "时区换成上海"), plan='system.set_timezone(zone="Shanghai")', may_lack=True),
        Example(say=("set the time zone to Atlantis",), plan='system.set_timezone(zone="Atlantis")', refused="world.not-found"),
    )
