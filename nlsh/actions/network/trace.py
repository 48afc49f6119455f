"""network.trace: the stations on the way to a host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.network import _asked
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.plan.terms import Host
from nlsh.world import World, reach


class Trace(Action):
    """Show the way packets take to a host."""

    name = "network.trace"
    effects = ("net.connect",)

    class Args(BaseArgs):
        host = arg(Host(), "The name or address.", required=True)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (*_asked.lookup(args.host), Effect("net.connect", f"udp://{args.host}"))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        hop = None
        for hop in reach.trace(reach.places(args.host)[0]):
            yield hop
        if hop is None or hop.note != "arrived":
            yield Note(f"{args.host} itself did not answer: it, or something before it, lets no such packets through.")

    examples = (
        Example(
            say=("trace the route to 127.0.0.1", "which way do packets take to 127.0.0.1", "traceroute 127.0.0.1", "追踪到127.0.0.1的路由"),
            plan='network.trace("127.0.0.1")',
            result=("1",),
        ),
        Example(say=("trace the route to a;b",), plan='network.trace("a;b")', refused="plan.bad-argument"),
    )
