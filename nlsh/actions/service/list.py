"""service.list: the services of this machine and how they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.plan.values import Choice
from nlsh.steps._bus import asked
from nlsh.world import World, services


class List(Action):
    """List services."""

    name = "service.list"
    effects = ("bus.read",)

    class Args(BaseArgs):
        state = arg(Choice("running", "failed", "stopped", "enabled"), "Only those that are so.")

    def look(self, args: Any, world: World) -> str:
        with asked("system", services.SYSTEMD, "systemd"):
            return services.of_own(world.home, ".service", "list-units --type=service")

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("bus.read", "system"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        with asked("system", services.SYSTEMD, "systemd") as bus:
            yield from services.services(bus, args.state)
        if seen:
            yield Note(seen)

    examples = (
        Example(say=("list services", "what services are there", "有哪些服务"), plan="service.list()", may_lack=True),
        Example(say=("which services are running", "running services", "正在运行的服务"), plan='service.list(state="running")', may_lack=True),
        Example(say=("did any service fail", "show failed services", "哪些服务失败了"), plan='service.list(state="failed")', may_lack=True),
    )
