"""network.reach: whether a port of a host can be connected to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.network import _asked
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Port
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.records.network import Reached
from nlsh.plan.terms import Host
from nlsh.world import World, reach


class Reach(Action):
    """Try whether a port of a host can be reached."""

    name = "network.reach"
    effects = ("net.connect",)

    class Args(BaseArgs):
        host = arg(Host(), "The name or address.", required=True)
        port = arg(Port(), "The port.", required=True)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (*_asked.lookup(args.host), _asked.port(args.host, args.port))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        found = None
        for place in reach.places(args.host):
            # A host with several addresses is reached if one of them is.
            state, time_ms = reach.connect(place, args.port)
            better = found is None or _ORDER.index(state) < _ORDER.index(found.state)
            found = Reached(state, args.host, args.port, place[1], time_ms) if better else found
            if state == "open":
                break
        if found is not None:
            yield found

    examples = (
        Example(
            say=(
                "is port {port:nlsh-idle} of 127.0.0.1 open",
                "can I reach 127.0.0.1 on port {port:nlsh-idle}",
                "127.0.0.1的{port:nlsh-idle}端口能连上吗",
            ),
            plan='network.reach("127.0.0.1", port="{port:nlsh-idle}")',
            processes=("nlsh-idle",),
            result=("open",),
        ),
        Example(say=("is port 99999 of localhost open",), plan='network.reach("localhost", port="99999")', refused="plan.bad-argument"),
    )


_ORDER = ("open", "refused", "no answer", "no way")
