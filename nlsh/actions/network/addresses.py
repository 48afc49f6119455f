"""network.addresses: the addresses of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, network


class Addresses(Action):
    """List the addresses of this machine's network interfaces."""

    name = "network.addresses"
    effects = ("net.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("net.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from network.addresses()

    examples = (
        Example(
            say=("what is my ip", "show my ip address", "network addresses of this machine", "我的IP是多少"),
            plan="network.addresses()",
            result=(...,),
        ),
    )
