"""Asking other hosts: what a name means, whether and how fast somebody answers, and which way packets take.

Everything here sends something, so it runs in a worker whose grant names the host. Nothing here needs root rights.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Iterator

from nlsh.plan.errors import NlshError, NotFound, NotPossible
from nlsh.plan.records.network import Hop, HostAddress
from nlsh.world.routes import is_address

TIMEOUT_S = 3.0
GROUPS = "/proc/sys/net/ipv4/ping_group_range"
DNS_PORT = 53
_HOP_TIMEOUT_S, _HOP_TRIES, _MOST_HOPS, _MOST_SILENT = 1.0, 2, 30, 8
_TRACE_PORT = 33434  # where traceroute has always sent to: nobody listens there
_FAMILIES = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}
_ECHO = {socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0), socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129)}
# Of linux/in.h and linux/in6.h; the socket module does not name them all.
_RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_HOPS = {socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TTL), socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)}
_MSG_ERRQUEUE = 0x2000
_FROM_ICMP = (2, 3)
_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL, errno.ECONNREFUSED)
# (type, code) of what says that the packet has arrived, and of what says that it lived too long to.
_SAID = {socket.AF_INET: ((3, 3), (11, 0)), socket.AF_INET6: ((1, 4), (3, 0))}

Place = tuple[socket.AddressFamily, str]


class NoAnswer(NlshError):
    """A host did not answer at all."""

    code = "network.no-answer"


def may_echo() -> bool:
    """Return whether this user may send ICMP echo requests without root rights."""
    try:
        with open(GROUPS, encoding="ascii") as file:
            low, high = (int(n) for n in file.read().split())
    except (OSError, ValueError):
        return False
    return any(low <= group <= high for group in {os.getegid(), *os.getgroups()})


def places(host: str) -> list[Place]:
    """Return the addresses of a host, the preferred first. Raises NotFound, or NotPossible where nobody can be asked."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        code = error.errno if isinstance(error, socket.gaierror) else None
        if code in (socket.EAI_AGAIN, socket.EAI_SYSTEM, socket.EAI_FAIL):
            raise NotPossible(f"The name {host} could not be looked up: no name server answered.", hint="See which are asked with network.names.") from None
        raise NotFound(f"There is no host “{host}”.", hint="Look whether the name is spelt right.") from None
    return list(dict.fromkeys((f, str(a[0])) for f, _, _, _, a in found if f in _FAMILIES))


def addresses(host: str) -> Iterator[HostAddress]:
    """Yield the addresses of a name, or the name of an address. Raises NotFound and NotPossible."""
    if not is_address(host):
        for family, address in places(host):
            yield HostAddress(address, host, _FAMILIES[family])
        return
    family, address = places(host)[0]
    try:
        name = socket.getnameinfo((address, 0), socket.NI_NAMEREQD)[0]
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise NotPossible(f"The address {host} could not be looked up: no name server answered.", hint="See which are asked with network.names.") from None
        raise NotFound(f"The address {host} has no name.", hint="Many have none.") from None
    yield HostAddress(address, name, _FAMILIES[family])


def connect(place: Place, port: int, seconds: float = TIMEOUT_S) -> tuple[str, float | None]:
    """Return what came of a TCP connection (open, refused, no answer or no way), and after how many milliseconds. Nothing is sent over it."""
    begun = time.perf_counter()
    with socket.socket(place[0], socket.SOCK_STREAM) as one:
        one.settimeout(seconds)
        try:
            one.connect(_end(place, port))
        except ConnectionRefusedError:
            return "refused", _since(begun)
        except TimeoutError:
            return "no answer", None
        except OSError as error:
            if error.errno in _UNREACHABLE:
                return "no way", None
            if error.errno in (errno.ECONNRESET, errno.ECONNABORTED):
                return "refused", _since(begun)
            raise
    return "open", _since(begun)


def _end(place: Place, port: int) -> tuple[object, ...]:
    # An address of one link only says which, after “%”; getaddrinfo reads that without asking anybody.
    return socket.getaddrinfo(place[1], port, place[0], socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)[0][4]


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 3)


def echo(place: Place, count: int, seconds: float = TIMEOUT_S, pause_s: float = 0.2) -> Iterator[float | None]:
    """Send ICMP echo requests, one after the other, and yield how many milliseconds each answer took, None where none came."""
    protocol, asking, answering = _ECHO[place[0]]
    token = os.urandom(8)
    with socket.socket(place[0], socket.SOCK_DGRAM, protocol) as one:
        for number in range(1, count + 1):
            if number > 1:
                time.sleep(pause_s)
            begun = time.perf_counter()
            # Checksum and identifier are the kernel's.
            message = struct.pack("!BBHHH", asking, 0, 0, 0, number & 0xFFFF) + token + struct.pack("!I", number)
            try:
                one.connect(_end(place, 0))
                one.send(message)
            except OSError as error:
                if error.errno not in _UNREACHABLE:
                    raise
                yield None
                continue
            yield _answered(one, answering, number, token, begun, seconds)


def _answered(one: socket.socket, answering: int, number: int, token: bytes, begun: float, seconds: float) -> float | None:
    until = begun + seconds
    while (left := until - time.perf_counter()) > 0:
        one.settimeout(left)
        try:
            answer = one.recv(1500)
        except TimeoutError:
            return None
        except OSError as error:
            if error.errno in _UNREACHABLE:
                return None
            raise
        if len(answer) >= 20 and answer[0] == answering and answer[8:20] == token + struct.pack("!I", number):
            return _since(begun)
    return None


def trace(place: Place) -> Iterator[Hop]:
    """Yield the stations to a host, as they say in turn that a packet has lived too long (the kernel keeps what they say with the socket)."""
    silent = 0
    for number in range(1, _MOST_HOPS + 1):
        hop, last = _hop(place, number)
        yield hop
        silent = 0 if hop.address else silent + 1
        if last or silent == _MOST_SILENT:
            return


def _hop(place: Place, number: int) -> tuple[Hop, bool]:
    for attempt in range(_HOP_TRIES):
        with socket.socket(place[0], socket.SOCK_DGRAM) as one:
            one.setsockopt(*_HOPS[place[0]], number)
            one.setsockopt(*_RECVERR[place[0]], 1)
            begun = time.perf_counter()
            try:
                one.connect(_end(place, _TRACE_PORT + (number - 1) * _HOP_TRIES + attempt))
                one.send(b"\0" * 12)
            except OSError as error:
                if error.errno not in _UNREACHABLE:
                    raise
                return Hop(number, "", None, (error.strerror or str(error)).lower()), True
            found = _said(one, place[0], begun)
        if found is not None:
            address, kind, took = found
            arrived, on_the_way = _SAID[place[0]]
            if kind == arrived:
                return Hop(number, address, took, "arrived"), True
            if kind == on_the_way:
                return Hop(number, address, took), False
            return Hop(number, address, took, "no way from here"), True
    return Hop(number, "", None), False


def _said(one: socket.socket, family: int, begun: float) -> tuple[str, tuple[int, int], float] | None:
    """Return who answered, the type and code of what it said, and when; None where nobody did in time."""
    poller = select.poll()
    poller.register(one, select.POLLERR)
    while (left := begun + _HOP_TIMEOUT_S - time.perf_counter()) > 0:
        if not poller.poll(left * 1000):
            return None
        took = _since(begun)
        try:
            _, ancillary, _, _ = one.recvmsg(512, 512, _MSG_ERRQUEUE)
        except OSError:
            # The error that woke us may stand before its message: to ask for it takes it away.
            one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            continue
        for level, kind, data in ancillary:
            if (level, kind) == _RECVERR[socket.AddressFamily(family)] and len(data) >= 16 and data[4] in _FROM_ICMP:
                return _offender(data[16:]), (data[5], data[6]), took
    return None


def _offender(end: bytes) -> str:
    family = struct.unpack_from("=H", end)[0] if len(end) >= 2 else 0
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, end[4:8])
    return socket.inet_ntop(socket.AF_INET6, end[8:24]) if family == socket.AF_INET6 and len(end) >= 24 else ""


def ask_name_server(server: str, seconds: float = TIMEOUT_S) -> tuple[float, int] | None:
    """Ask a name server for the servers of the root; return how many milliseconds it took and what it says (0: no error), None: no answer."""
    family, address = places(server)[0]
    token = os.urandom(2)
    # One question, recursion desired: the root's NS records, of class IN.
    question = token + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack("!HH", 2, 1)
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        begun = time.perf_counter()
        try:
            one.connect(_end((family, address), DNS_PORT))
            one.send(question)
            while (left := begun + seconds - time.perf_counter()) > 0:
                one.settimeout(left)
                answer = one.recv(4096)
                if len(answer) >= 12 and answer[:2] == token and answer[2] & 0x80:
                    return _since(begun), answer[3] & 0xF
        except TimeoutError:
            return None
        except OSError as error:
            if error.errno in _UNREACHABLE:
                return None
            raise
    return None


def is_neighbour(address: str) -> bool:
    """Return whether the kernel knows the hardware address of an IPv4 neighbour: it has answered on the link, whatever else it does."""
    try:
        with open("/proc/net/arp", encoding="ascii") as file:
            rows = [line.split() for line in file.read().splitlines()[1:]]
    except OSError:
        return False
    return any(row[0] == address and int(row[2], 16) & 0x2 for row in rows)
