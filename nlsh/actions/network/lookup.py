"""network.lookup: which addresses a name has, and which name an address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.network import _asked
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.terms import Host
from nlsh.world import World, reach


class Lookup(Action):
    """Look up the addresses of a name, or the name of an address."""

    name = "network.lookup"
    effects = ("net.connect",)

    class Args(BaseArgs):
        host = arg(Host(), "The name or address.", required=True)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        # An address is looked up too: for its name.
        return _asked.lookup(args.host) or (Effect("net.connect", f"dns://{args.host}"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from reach.addresses(args.host)

    examples = (
        Example(
            say=("what is the ip of localhost", "look up localhost", "resolve the name localhost", "localhost的IP地址是什么", "解析localhost"),
            plan='network.lookup("localhost")',
            result=("127.0.0.1", ...),
        ),
        Example(say=("look up “not a name!”",), plan='network.lookup("not a name!")', refused="plan.bad-argument"),
    )
