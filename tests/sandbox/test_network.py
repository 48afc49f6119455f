"""Echo requests, datagrams, look-ups and the packet filter: each opens only where a grant names it. In a network of the test's own."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nlsh.guard.grant import Grant
from nlsh.guard.sandbox import landlock
from nlsh.guard.sandbox.seccomp import OURS
from nlsh.world import reach
from tests.sandbox.conftest import Came, in_child, reading, typed
from tests.unit.world.network_of_its_own import alone, can_be_alone

ICMP, ICMPV6 = socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6
needs_a_network = pytest.mark.skipif(not can_be_alone(), reason="only root can make a network of its own")


def in_network(function: Callable[[], Any], grant: Grant | None) -> Came:
    """Run `function`, confined to `grant`, in a network that has nothing but its loopback interface, in which all may send echo requests."""

    def inside() -> Came:
        alone()
        Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647")
        return in_child(function, grant=grant)

    return in_child(inside).value


def opened(family: int, type_: int, protocol: int) -> None:
    socket.socket(family, type_, protocol).close()


ECHO = typed(("net.connect", "icmp://127.0.0.1"))
OTHERS = [
    typed(("net.connect", "*")), typed(("net.connect", "icmp:80")), typed(("net.connect", "127.0.0.1:80")), typed(("net.connect", "udp://127.0.0.1")),
    typed(("net.connect", "dns://example.org")), typed(("net.read", "*")), typed(("net.read", "firewall")), typed(("net.listen", "*")),
    typed(("fs.read", "/")), typed(("tool.read", "ls"), ("net.connect", "*")),
]  # fmt: skip


@needs_a_network
@pytest.mark.parametrize(("family", "protocol", "address"), [(socket.AF_INET, ICMP, "127.0.0.1"), (socket.AF_INET6, ICMPV6, "::1")])
def test_an_echo_is_sent_only_where_granted(home: Path, family: socket.AddressFamily, protocol: int, address: str) -> None:
    came = in_network(lambda: list(reach.echo((family, address), 3, pause_s=0)), ECHO)
    assert came.done and len(came.value) == 3 and all(isinstance(t, float) and t < 1000 for t in came.value)
    # Unconfined it works too: what refuses the others is the filter.
    assert in_network(lambda: opened(family, socket.SOCK_DGRAM, protocol), None).done
    for other in (*OTHERS, reading()):
        found = in_network(lambda: opened(family, socket.SOCK_DGRAM, protocol), other)
        # Below Landlock 4 a grant of one port is refused as a whole.
        assert found.errno in (OURS, errno.EPROTONOSUPPORT, errno.EACCES) or (landlock.abi() < 4 and found.code == "guard.not-enforced"), other.effects


@needs_a_network
@pytest.mark.parametrize(
    ("family", "type_", "protocol"),
    [
        (socket.AF_INET, socket.SOCK_RAW, ICMP),
        (socket.AF_INET6, socket.SOCK_RAW, ICMPV6),
        (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
        (socket.AF_INET, socket.SOCK_DGRAM, 0),
        (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP),
        (socket.AF_INET, socket.SOCK_STREAM, 0),
        (socket.AF_INET6, socket.SOCK_STREAM, 0),
        (socket.AF_NETLINK, socket.SOCK_RAW, 0),
        (socket.AF_NETLINK, socket.SOCK_DGRAM, ICMP),
        (socket.AF_PACKET, socket.SOCK_DGRAM, ICMP),
        (socket.AF_UNIX, socket.SOCK_DGRAM, 0),
    ],
)
def test_leave_to_send_an_echo_is_leave_for_nothing_else(home: Path, family: int, type_: int, protocol: int) -> None:
    assert in_network(lambda: opened(family, type_, protocol), ECHO).errno == OURS
    if (family, protocol) != (socket.AF_NETLINK, ICMP):  # there is no such thing
        assert in_network(lambda: opened(family, type_, protocol), None).done


@needs_a_network
def test_a_look_up_is_datagrams_and_one_port(home: Path) -> None:
    def look_up(grant: Grant | None) -> list[Came]:
        def inside() -> list[Came]:
            alone()
            with socket.create_server(("127.0.0.1", 53)) as server, socket.create_server(("127.0.0.1", 0)) as other:

                def connect(to: socket.socket) -> None:
                    socket.create_connection(to.getsockname()).close()

                return [
                    in_child(lambda: opened(socket.AF_INET, socket.SOCK_DGRAM, 0), grant=grant),
                    in_child(lambda: connect(server), grant=grant),
                    in_child(lambda: connect(other), grant=grant),
                    in_child(lambda: opened(socket.AF_NETLINK, socket.SOCK_RAW, 0), grant=grant),
                ]

        return in_child(inside).value

    assert [c.errno for c in look_up(None)] == [0, 0, 0, 0]
    # Below Landlock 4 no connection can be held to one port: there are datagrams alone.
    port, others = (0, errno.EACCES) if landlock.abi() >= 4 else (OURS, OURS)
    assert [c.errno for c in look_up(typed(("net.connect", "dns://example.org")))] == [0, port, others, errno.EACCES]
    assert [c.errno for c in look_up(typed(("net.connect", "udp://example.org")))] == [0, OURS, OURS, errno.EACCES]
    assert [c.errno for c in look_up(typed(("net.connect", "icmp://example.org")))] == [OURS, OURS, OURS, OURS]


def test_names_are_looked_up_from_within(home: Path) -> None:
    found = in_child(lambda: reach.places("localhost"), grant=typed(("net.connect", "dns://localhost")))
    assert found.done and (socket.AF_INET, "127.0.0.1") in found.value


def test_an_old_kernel_still_lets_datagrams_through(home: Path) -> None:
    granted = typed(("net.connect", "dns://example.org"))
    assert in_child(lambda: opened(socket.AF_INET, socket.SOCK_DGRAM, 0), grant=granted, abi=3).done
    # It could not hold TCP to a port, so there is none.
    assert in_child(lambda: opened(socket.AF_INET, socket.SOCK_STREAM, 0), grant=granted, abi=3).errno == OURS
    assert in_child(lambda: None, grant=typed(("net.connect", "example.org:80")), abi=3).code == "guard.not-enforced"


NETFILTER, GENERIC = 12, 16


def test_the_packet_filter_is_read_only_where_granted(home: Path) -> None:
    def ask(protocol: int) -> Callable[[], None]:
        return lambda: opened(socket.AF_NETLINK, socket.SOCK_RAW, protocol)

    granted = typed(("net.read", "firewall"), ("tool.read", "nft --json list ruleset"), ("priv.root", "to read the rules (CAP_NET_ADMIN)"))
    assert in_child(ask(NETFILTER), grant=granted).done
    assert in_child(ask(GENERIC), grant=granted).errno == errno.EACCES
    for other in (typed(("net.read", "*")), typed(("net.connect", "*")), ECHO):
        assert in_child(ask(NETFILTER), grant=other).errno in (OURS, errno.EACCES)
    assert in_child(ask(NETFILTER), grant=reading()).errno == errno.EACCES


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to keep")
def test_only_the_named_capability_stays_for_the_packet_filter(home: Path) -> None:
    from nlsh.guard.sandbox.capabilities import NUMBERS, held

    granted = typed(("net.read", "firewall"), ("tool.read", "nft --json list ruleset"), ("priv.root", "to read the rules (CAP_NET_ADMIN)"))
    assert in_child(held, grant=granted).value == 1 << NUMBERS["net_admin"]
    assert in_child(held, grant=typed(("net.read", "firewall"), ("tool.read", "nft"))).value == 0


def test_sockets_of_other_kinds_stay_closed(home: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)

    def vsock() -> None:
        if libc.socket(40, socket.SOCK_STREAM, 0) < 0:
            raise OSError(ctypes.get_errno(), "vsock")

    for granted in (ECHO, typed(("net.connect", "udp://a")), typed(("net.connect", "dns://a"))):
        assert in_child(vsock, grant=granted).errno in (OURS, errno.EACCES)
