"""network.online: whether this machine is connected, and how far: interface, gateway, name server. It asks nobody beyond those."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.network import _asked
from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.records.network import Level
from nlsh.world import World, network, reach, routes


class Online(Action):
    """Say whether this machine is connected, and how far."""

    name = "network.online"
    effects = ("net.read", "net.connect")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        gateways = list(dict.fromkeys(address for address, _ in routes.gateways()))
        servers = [s for s in routes.name_servers(routes.RESOLV_CONF)[0] if routes.is_address(s)]
        return {"gateways": gateways[:2], "servers": servers[:3], **_asked.ways()}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        gateways = (e for g in seen["gateways"] for e in _asked.probe(g, seen))
        return (Effect("net.read", "*"), *gateways, *(Effect("net.connect", f"udp://{s}") for s in seen["servers"]))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        up = sorted({a.interface for a in network.addresses() if a.up and a.interface != "lo" and a.family != "hardware"})
        yield Level("interface", "yes" if up else "no", f"{', '.join(up)} is up, with an address" if up else "no interface is up and has an address")
        yield self._first("gateway", [(g, _gateway(g, seen)) for g in seen["gateways"]], "no route leads beyond this network")
        yield self._first("name server", [(s, _server(s)) for s in seen["servers"]], "no name server is named in resolv.conf")

    @staticmethod
    def _first(level: str, asked: list[tuple[str, str]], nobody: str) -> Level:
        if not asked:
            return Level(level, "no", nobody)
        answered = [f"{who} {how}" for who, how in asked if how]
        return Level(level, "yes" if answered else "no", "; ".join(answered) or f"{', '.join(who for who, _ in asked)} does not answer")

    examples = (
        Example(
            say=("am I online", "is the internet working", "is this machine connected to the network", "网络通吗", "我现在联网了吗"),
            plan="network.online()",
            given={"etc/resolv.conf": "nameserver 127.0.0.1\n"},
            result=("interface", "gateway", "name server"),
        ),
        Example(
            say=("how far does my connection reach", "网络连接到哪一步了"),
            plan="network.online()",
            given={"etc/resolv.conf": None},
            refused="world.not-possible",
        ),
    )


def _gateway(address: str, seen: dict[str, Any]) -> str:
    """Return in words that a gateway is there, or nothing."""
    place = reach.places(address)[0]
    asked = reach.echo(place, 1) if seen["echo"] else (reach.connect(place, p, 1.5)[1] for p in _asked.TCP_PORTS)
    took = next((t for t in asked if t is not None), None)
    if took is not None:
        return f"answers in {took:.1f} ms"
    return "is there, and answers no such questions" if reach.is_neighbour(address) else ""


def _server(address: str) -> str:
    """Return in words that a name server answers, or nothing."""
    found = reach.ask_name_server(address)
    if found is None:
        return ""
    took, said = found
    return f"answers in {took:.1f} ms" + ("" if said == 0 else f", but only with error {said}: it knows no names beyond this network, or will not tell")
