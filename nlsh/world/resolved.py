"""The name servers that systemd-resolved asks, over the system bus."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

from nlsh.plan.records.network import NameServer
from nlsh.world.bus import Bus

SERVICE = "org.freedesktop.resolve1"
_PATH, _MANAGER = "/org/freedesktop/resolve1", "org.freedesktop.resolve1.Manager"
# Where it listens itself.
STUBS = frozenset(("127.0.0.53", "127.0.0.54"))


def servers(bus: Bus) -> Iterator[NameServer]:
    """Yield the name servers, those for all interfaces first, with the domains that each interface's are asked about."""
    links = _links()
    domains: dict[int, list[str]] = {}
    for number, domain, route_only in bus.property(SERVICE, _PATH, _MANAGER, "Domains"):
        domains.setdefault(number, []).append(f"~{domain}" if route_only else domain)
    for number, family, address in sorted(bus.property(SERVICE, _PATH, _MANAGER, "DNS"), key=lambda s: s[0]):
        text = socket.inet_ntop(socket.AddressFamily(family), bytes(address))
        yield NameServer(text, links.get(number, "" if number == 0 else str(number)), "systemd-resolved", " ".join(domains.get(number, [])))


def _links() -> dict[int, str]:
    found = {}
    for name in os.listdir("/sys/class/net"):
        try:
            with open(f"/sys/class/net/{name}/ifindex", encoding="ascii") as file:
                found[int(file.read())] = name
        except OSError:
            continue
    return found
