"""system.uptime: how long this machine has been running."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Fact, Record
from nlsh.world import World, machine


class Uptime(Action):
    """Show how long this machine has been running, since when, and its load."""

    name = "system.uptime"
    effects = ("sys.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        up = machine.uptime()
        yield Fact("up", machine.span(up))
        yield Fact("since", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(world.now() - up)))
        yield Fact("load", " ".join(f"{v:.2f}" for v in os.getloadavg()))

    examples = (
        Example(
            say=("how long has this been running", "uptime", "when was this machine started", "开机多久了"),
            plan="system.uptime()",
            result=("up", "since", "load"),
        ),
    )
