"""Where packets and names go from this machine: its routes, its name servers, its hosts file. It sends nothing."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator

from nlsh.plan.errors import NotPossible
from nlsh.plan.records.network import HostEntry, Route

ROUTES, ROUTES6 = "/proc/net/route", "/proc/net/ipv6_route"
# A scene has these for itself, and a gateway to ask instead of those that the routes name. A worker is told which they are.
RESOLV_CONF = "/etc/resolv.conf"
HOSTS = "/etc/hosts"
GATEWAY = ""

_UP, _GATEWAY, _REJECT, _LOCAL, _ANYCAST = 0x1, 0x2, 0x200, 0x80000000, 0x100000
_MULTICAST = ipaddress.IPv6Network("ff00::/8")


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def routes() -> Iterator[Route]:
    """Yield the routes of the main table, IPv4 first, and of each family the default route first."""
    for family, found in (("IPv4", _routes4()), ("IPv6", _routes6())):
        for network, gateway, interface, metric in sorted(found, key=lambda r: (r[0].prefixlen, r[3], str(r[0]))):
            yield Route("default" if network.prefixlen == 0 else str(network), gateway, interface, metric, family)


_Found = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str, str, int]


def _routes4() -> Iterator[_Found]:
    for line in _lines(ROUTES)[1:]:
        interface, destination, gateway, flags, _, _, metric, mask, *_ = line.split()
        if int(flags, 16) & _UP and not int(flags, 16) & _REJECT:
            network = ipaddress.IPv4Network((_little(destination), bin(int(mask, 16)).count("1")))
            yield network, str(ipaddress.IPv4Address(_little(gateway))) if int(flags, 16) & _GATEWAY else "", interface, int(metric)


def _little(hexadecimal: str) -> bytes:
    # The kernel prints the address as a number of the machine's own byte order.
    return struct.pack("=I", int(hexadecimal, 16))


def _routes6() -> Iterator[_Found]:
    for line in _lines(ROUTES6):
        destination, length, _, _, gateway, metric, _, _, flags, interface = line.split()
        bits = int(flags, 16)
        network = ipaddress.IPv6Network((bytes.fromhex(destination), int(length, 16)))
        # The machine's own addresses and multicast have routes too; nobody asks for those.
        if bits & _UP and not bits & (_REJECT | _LOCAL | _ANYCAST) and not network.subnet_of(_MULTICAST) and interface != "lo":
            yield network, str(ipaddress.IPv6Address(bytes.fromhex(gateway))) if bits & _GATEWAY else "", interface, int(metric, 16)


def gateways() -> list[tuple[str, str]]:
    """Return (address, interface) of the gateways of the default routes, the preferred first; a link-local address names its interface."""
    if GATEWAY:
        return [(GATEWAY, "")]
    found = [r for r in routes() if r.destination == "default" and r.gateway]
    return [(f"{r.gateway}%{r.interface}" if r.gateway.startswith("fe80:") else r.gateway, r.interface) for r in found]


def name_servers(path: str) -> tuple[list[str], list[str]]:
    """Return the name servers and the search domains of the resolv.conf at `path`. Raises NotPossible where it cannot be read."""
    servers: list[str] = []
    domains: list[str] = []
    try:
        lines = _lines(path)
    except OSError as error:
        raise NotPossible(f"{path} cannot be read: {error.strerror}.", hint="Nothing was changed.") from error
    for line in lines:
        words = line.split("#")[0].split(";")[0].split()
        if len(words) > 1 and words[0] == "nameserver":
            servers.append(words[1])
        elif len(words) > 1 and words[0] in ("search", "domain"):
            domains = words[1:]
    return list(dict.fromkeys(servers)), domains


def entries(lines: list[str]) -> Iterator[HostEntry]:
    """Yield the entries of a hosts file; what is no entry is passed over, as the C library does."""
    for number, line in enumerate(lines, start=1):
        words = line.split("#")[0].split()
        if len(words) > 1 and is_address(words[0]):
            yield HostEntry(words[0], " ".join(words[1:]), number)


def hosts(path: str) -> list[HostEntry]:
    """Return the entries of the hosts file at `path`. Raises NotPossible where it cannot be read."""
    try:
        return list(entries(_lines(path)))
    except OSError as error:
        raise NotPossible(f"{path} cannot be read: {error.strerror}.", hint="Nothing was changed.") from error


def is_address(text: str) -> bool:
    """Return whether `text` is an IP address, with or without an interface after “%”."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
