"""network.hosts: the names that this machine knows by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, routes


class Hosts(Action):
    """Show the entries of the hosts file."""

    name = "network.hosts"
    effects = ("fs.read",)

    def look(self, args: Any, world: World) -> str:
        return routes.HOSTS

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("fs.read", seen),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from routes.hosts(seen)

    examples = (
        Example(
            say=("show the hosts file", "which names are in my hosts file", "list the hosts entries", "查看hosts文件", "hosts里有哪些条目"),
            plan="network.hosts()",
            given={"etc/hosts": "# my own\n127.0.0.1 localhost\n192.168.1.5 nas.home nas # upstairs\n"},
            result=("127.0.0.1", "192.168.1.5"),
        ),
    )
