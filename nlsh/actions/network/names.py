"""network.names: which name servers this machine asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotFound
from nlsh.plan.records import Record
from nlsh.plan.records.network import NameServer
from nlsh.steps import _bus
from nlsh.world import World, resolved, routes


class Names(Action):
    """Show which name servers this machine asks."""

    name = "network.names"
    effects = ("net.read", "fs.read", "bus.read")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        path = routes.RESOLV_CONF
        behind = False
        if set(routes.name_servers(path)[0]) & resolved.STUBS:
            # What resolv.conf names is systemd-resolved, which asks others in turn.
            try:
                with _bus.opened("system") as bus:
                    behind = bus.has(resolved.SERVICE)
            except NlshError:
                behind = False
        return {"path": path, "resolved": behind}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        bus = (Effect("bus.read", "system"),) if seen["resolved"] else ()
        return (Effect("fs.read", seen["path"]), Effect("net.read", "*"), *bus)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        servers, domains = routes.name_servers(seen["path"])
        if not servers and not seen["resolved"]:
            raise NotFound(f"{seen['path']} names no name server.", hint="Nothing was changed.")
        for server in servers:
            yield NameServer(server, "", seen["path"], " ".join(domains))
        if seen["resolved"]:
            with _bus.opened("system") as bus:
                yield from resolved.servers(bus)

    examples = (
        Example(
            say=("which dns servers am I using", "show the name servers", "what is my dns server", "我用的是哪个DNS服务器", "查看DNS设置"),
            plan="network.names()",
            given={"etc/resolv.conf": "# made by hand\nsearch home.arpa\nnameserver 192.168.1.1\nnameserver fd00::1\n"},
            result=("192.168.1.1", "fd00::1"),
        ),
    )
