"""system.time: date, time and time zone, here or elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.terms import Zone
from nlsh.world import World, clock


class Time(Action):
    """Show date, time and time zone."""

    name = "system.time"
    effects = ("sys.read",)

    class Args(BaseArgs):
        zone = arg(Zone(), "In this time zone.")

    def look(self, args: Any, world: World) -> str | None:
        return clock.zone(args.zone) if args.zone is not None else None

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from clock.times(seen, world.now())

    examples = (
        Example(say=("what time is it", "date and time please", "现在几点"), plan="system.time()", result=("time", "date", "day", "time zone", "utc")),
        Example(say=("what time is it in Tokyo", "现在东京几点"), plan='system.time(zone="Tokyo")', result=("time", "date", "day", "time zone"), may_lack=True),
        Example(say=("time in Atlantis",), plan='system.time(zone="Atlantis")', refused="world.not-found"),
    )
