"""resource.network: how fast data comes and goes over the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Record
from nlsh.plan.values import Flag
from nlsh.world import World, rates

SAMPLE_S = 1.0


class Network(Action):
    """Show how fast data comes and goes over the network, measured over a second."""

    name = "resource.network"
    effects = ("sys.read", "net.read")

    class Args(BaseArgs):
        each = arg(Flag(), "each interface by itself", default=False)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"), Effect("net.read", "*"))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        found = rates.network(SAMPLE_S)
        if not found:
            raise NotPossible("Not available here, because this system shows no network interface.", hint="Nothing was changed.")
        if args.each:
            yield from found
        else:
            yield rates.together(found)

    examples = (
        Example(
            say=("how fast is my network right now", "network traffic", "how much bandwidth is in use", "现在网速多少"),
            plan="resource.network()",
            result=("all",),
            may_lack=True,
        ),
        Example(
            say=("traffic on each interface", "network speed per interface", "每个网卡的流量"),
            plan="resource.network(each=true)",
            result=("lo", ...),
            may_lack=True,
        ),
    )
