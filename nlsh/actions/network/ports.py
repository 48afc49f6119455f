"""network.ports: which ports are open, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, network


class Ports(Action):
    """List the ports that programs of this machine listen on, and which programs these are."""

    name = "network.ports"
    effects = ("net.read", "proc.read")

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("net.read", "*"), Effect("proc.read", "*"))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from network.sockets()

    examples = (
        Example(
            say=("which ports are open", "what is listening", "show listening ports", "开放了哪些端口"),
            plan="network.ports()",
            processes=("nlsh-idle",),
            result=(...,),
        ),
    )
