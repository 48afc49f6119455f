"""What it takes to ask another host: the effects of a look-up, of a connection, of an echo. Shared by the actions that do."""

from __future__ import annotations

from nlsh.plan.effects import Effect
from nlsh.world.reach import may_echo
from nlsh.world.routes import is_address

# Where a host that lets no echo through may answer a connection, if only by refusing it.
TCP_PORTS = (443, 80)


def lookup(host: str) -> tuple[Effect, ...]:
    """Return what looking up a name takes: nothing for an address."""
    return () if is_address(host) else (Effect("net.connect", f"dns://{host}"),)


def port(host: str, number: int) -> Effect:
    """Return what a TCP connection takes."""
    return Effect("net.connect", f"[{host}]:{number}" if ":" in host else f"{host}:{number}")


def ways() -> dict[str, bool]:
    """Return how this user may ask whether a host is there: by ICMP, or only by TCP."""
    return {"echo": may_echo()}


def probe(host: str, seen: dict[str, bool]) -> tuple[Effect, ...]:
    """Return what asking whether a host is there takes."""
    return (Effect("net.connect", f"icmp://{host}"),) if seen["echo"] else tuple(port(host, p) for p in TCP_PORTS)
