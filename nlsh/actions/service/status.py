"""service.status: how one service is doing, since when, and its process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.values import Name
from nlsh.steps._bus import asked
from nlsh.world import World, services


class Status(Action):
    """Show how a service is doing."""

    name = "service.status"
    effects = ("bus.read",)

    class Args(BaseArgs):
        name = arg(Name(), "The service.", required=True)

    def look(self, args: Any, world: World) -> str:
        unit = services.unit_name(args.name)
        with asked("system", services.SYSTEMD, "systemd") as bus:
            services.facts(bus, unit)
        return unit

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("bus.read", "system"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        with asked("system", services.SYSTEMD, "systemd") as bus:
            yield services.status(bus, seen)

    examples = (
        Example(
            say=("is dbus running", "status of the dbus service", "how is dbus doing", "dbus服务状态怎么样"), plan='service.status(name="dbus")', may_lack=True
        ),
        Example(say=("status of ../dbus",), plan='service.status(name="../dbus")', refused="plan.bad-argument"),
    )
