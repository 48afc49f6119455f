"""network.connections: which connections there are, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._chosen import Pids
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Port
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotFound
from nlsh.plan.records import Record
from nlsh.plan.values import Name
from nlsh.world import World, network, processes


class Connections(Action):
    """List network connections and who has them."""

    name = "network.connections"
    effects = ("net.read", "proc.read")

    class Args(BaseArgs):
        name = arg(Name(), "only those of this program")
        port = arg(Port(), "only those with this port, at either end")
        pid = arg(Pids(), "only those of these processes")

    def look(self, args: Any, world: World) -> None:
        if args.name and not _named(args.name):
            raise NotFound(f"No process called “{args.name}” is running.", hint="Nothing was changed.")
        for pid in args.pid or ():
            if processes.read(pid) is None:
                raise NotFound(f"There is no process {pid}.", hint="Nothing was changed.")

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("net.read", "*"), Effect("proc.read", "*"))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        wanted = None
        if args.name or args.pid:
            sets = ([_named(args.name)] if args.name else []) + ([set(args.pid)] if args.pid else [])
            wanted = set.intersection(*sets)
        for found in network.connections():
            if (wanted is None or found.pid in wanted) and (args.port is None or args.port in (found.local_port, found.remote_port)):
                yield found

    examples = (
        Example(
            say=("show network connections", "which connections are open", "who is this machine connected to", "有哪些网络连接", "列出网络连接"),
            plan="network.connections()",
            processes=("nlsh-idle",),
            result=("tcp", ...),
        ),
        Example(
            say=("connections of nlsh-idle", "what is nlsh-idle connected to", "nlsh-idle连接到哪里"),
            plan='network.connections(name="nlsh-idle")',
            processes=("nlsh-idle",),
            result=("tcp",),
        ),
        Example(
            say=("connections on port {port:nlsh-idle}", "who uses port {port:nlsh-idle}", "{port:nlsh-idle}端口上的连接"),
            plan='network.connections(port="{port:nlsh-idle}")',
            processes=("nlsh-idle",),
            result=("tcp",),
        ),
        Example(say=("connections of nlsh-nobody",), plan='network.connections(name="nlsh-nobody")', refused="world.not-found"),
    )


def _named(name: str) -> set[int]:
    everyone = processes.every()
    return {p.pid for p in processes.named(name, everyone) or processes.resembling(name, everyone)}
