"""network.routes: where packets go from this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, routes


class Routes(Action):
    """Show the routes and the gateway."""

    name = "network.routes"
    effects = ("net.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("net.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from routes.routes()

    examples = (
        Example(
            say=("show the routing table", "what is my default gateway", "which gateway does this machine use", "查看路由表", "默认网关是多少"),
            plan="network.routes()",
            result=(...,),
        ),
    )
