"""Facts about the network of this machine: sockets, connections and the addresses of its interfaces. It sends nothing."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Address, Socket
from nlsh.plan.records.network import Connection

_TABLES = (("tcp", "/proc/net/tcp"), ("tcp", "/proc/net/tcp6"), ("udp", "/proc/net/udp"), ("udp", "/proc/net/udp6"))
_LISTEN, _UNCONNECTED = "0A", "07"


@frozen()
class Listener:
    """A socket that waits for others: a TCP listener, or a UDP socket bound to a port and to no peer."""

    protocol: str
    address: str
    port: int
    uid: int
    inode: int


def listening() -> list[Listener]:
    """Return the listening sockets of this network namespace, by port."""
    found = []
    for protocol, table in _TABLES:
        try:
            with open(table, encoding="ascii") as file:
                lines = file.read().splitlines()[1:]
        except FileNotFoundError:  # no IPv6 here
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == (_LISTEN if protocol == "tcp" else _UNCONNECTED):
                host, _, port = fields[1].partition(":")
                found.append(Listener(protocol, _address(host), int(port, 16), int(fields[7]), int(fields[9])))
    return sorted(found, key=lambda s: (s.port, s.protocol, s.address))


def _address(hexadecimal: str) -> str:
    # The kernel prints each 32-bit word of the address in the machine's own byte order.
    words = [int(hexadecimal[i : i + 8], 16) for i in range(0, len(hexadecimal), 8)]
    return str(ipaddress.ip_address(b"".join(struct.pack("=I", w) for w in words)))


def sockets() -> Iterator[Socket]:
    """Yield the listening sockets with the processes that own them; without an owner where only root can see it."""
    from nlsh.world import processes

    found = listening()
    held = processes.owners({s.inode for s in found}, processes.every())
    for socket in found:
        for owner in held.get(socket.inode) or (None,):
            yield Socket(socket.port, socket.protocol, socket.address, owner.pid if owner else None, owner.called if owner else "")


def addresses() -> Iterator[Address]:
    """Yield the addresses of every interface: IPv4, IPv6 and hardware."""
    import socket

    import psutil

    families = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6", psutil.AF_LINK: "hardware"}
    for name, found in sorted(psutil.net_if_addrs().items(), key=lambda kv: (kv[0] == "lo", kv[0])):
        for entry in found:
            if entry.family in families:
                yield Address(name, families[entry.family], entry.address.partition("%")[0], _is_up(name))


def _is_up(interface: str) -> bool:
    try:
        with open(f"/sys/class/net/{interface}/flags", encoding="ascii") as file:
            return bool(int(file.read(), 16) & 1)
    except OSError:
        return True


def connections() -> Iterator[Connection]:
    """Yield the internet sockets of this network namespace with their owners; without an owner where only root can see it."""
    import socket

    import psutil

    from nlsh.world import processes

    names: dict[int, str] = {}
    for found in psutil.net_connections("inet"):
        if found.pid and found.pid not in names:
            names[found.pid] = process.called if (process := processes.read(found.pid)) is not None else ""
        local, remote = found.laddr or ("", 0), found.raddr or ("", None)
        state = "" if found.status == psutil.CONN_NONE else found.status.lower().replace("_", " ")
        protocol = "tcp" if found.type == socket.SOCK_STREAM else "udp"
        yield Connection(protocol, local[0], local[1], remote[0], remote[1], state, found.pid, names.get(found.pid or 0, ""))
