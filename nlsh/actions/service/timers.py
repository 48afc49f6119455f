"""service.timers: what systemd starts at set times, and when next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.steps._bus import asked
from nlsh.world import World, services


class Timers(Action):
    """List timers and when they run next."""

    name = "service.timers"
    effects = ("bus.read",)

    def look(self, args: Any, world: World) -> str:
        with asked("system", services.SYSTEMD, "systemd"):
            return services.of_own(world.home, ".timer", "list-timers")

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("bus.read", "system"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        with asked("system", services.SYSTEMD, "systemd") as bus:
            yield from services.timers(bus)
        if seen:
            yield Note(seen)

    examples = (Example(say=("list timers", "which systemd timers are there and when do they run", "有哪些定时器"), plan="service.timers()", may_lack=True),)
