"""Listening sockets and addresses."""

from __future__ import annotations

import os
import socket

import psutil
import pytest

from nlsh.world import network


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_tcp_listener_is_seen_while_it_listens(family: int, host: str) -> None:
    try:
        listener = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("no such address here")
    with listener:
        port = listener.getsockname()[1]
        (found,) = [s for s in network.listening() if s.port == port and s.protocol == "tcp"]
        assert (found.address, found.uid, found.inode) == (host, os.geteuid(), os.fstat(listener.fileno()).st_ino)
        assert (port, os.getpid()) in {(s.port, s.pid) for s in network.sockets()}
    assert not [s for s in network.listening() if s.port == port and s.inode == found.inode]


def test_a_bound_tcp_socket_that_does_not_listen_is_not_open() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert bound.getsockname()[1] not in {s.port for s in network.listening() if s.protocol == "tcp"}


def test_a_udp_socket_counts_until_it_has_a_peer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        name = bound.getsockname()
        assert ("udp", "127.0.0.1", name[1]) in {(s.protocol, s.address, s.port) for s in network.listening()}
        bound.connect(("127.0.0.1", 9))
        assert ("udp", "127.0.0.1", name[1]) not in {(s.protocol, s.address, s.port) for s in network.listening()}


def test_addresses_are_those_of_the_interfaces() -> None:
    found = list(network.addresses())
    assert {a.interface for a in found} == {n for n, listed in psutil.net_if_addrs().items() if listed}
    (loopback,) = [a for a in found if a.interface == "lo" and a.family == "IPv4"]
    assert loopback.address == "127.0.0.1" and loopback.up == psutil.net_if_stats()["lo"].isup
