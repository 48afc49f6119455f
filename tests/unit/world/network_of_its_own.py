"""Networks of a test's own, in network namespaces: nothing in them reaches any other machine."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

_NEWNET = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _UP = 0x8913, 0x8914, 0x1
_libc = ctypes.CDLL(None, use_errno=True)


def can_be_alone() -> bool:
    """Whether this user may make a network namespace."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if os.geteuid() == 0 and _libc.unshare(_NEWNET) == 0 else 1)
    return os.waitpid(pid, 0)[1] == 0


def alone() -> None:
    """Put this process into a network that has nothing but its loopback interface."""
    if _libc.unshare(_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        request = bytearray(struct.pack("=16sh14x", b"lo", 0))
        fcntl.ioctl(one, _SIOCGIFFLAGS, request)
        flags = struct.unpack_from("=h", request, 16)[0]
        fcntl.ioctl(one, _SIOCSIFFLAGS, struct.pack("=16sh14x", b"lo", flags | _UP))


def enter(pid: int) -> None:
    """Put this process into the network of another."""
    descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    if _libc.setns(descriptor, _NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(descriptor)


def can_have_a_router() -> bool:
    """Whether three networks can be joined here."""
    return can_be_alone() and all(shutil.which(p) for p in ("ip", "nsenter", "unshare"))


@contextmanager
def routed() -> Iterator[int]:
    """Join a client, a router and a server; give a process in the client's network.

    The client is 10.9.1.2 and fd09:1::2, the router 10.9.1.1 and fd09:1::1, the server behind it 10.9.2.2 and fd09:2::2.
    """
    holders = [subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) for _ in range(3)]
    try:
        own = os.readlink("/proc/self/ns/net")
        until = time.monotonic() + 20
        while any(os.readlink(f"/proc/{h.pid}/ns/net") == own for h in holders):
            assert time.monotonic() < until, "the networks were not made"
            time.sleep(0.005)
        client, router, server = (h.pid for h in holders)

        def run(pid: int, *commands: str) -> None:
            for command in commands:
                subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "sh", "-c", command], check=True, capture_output=True)

        run(client, f"ip link add c0 type veth peer name r0 netns {router}")
        run(server, f"ip link add s0 type veth peer name r1 netns {router}")
        run(
            router, "ip link set lo up", "ip link set r0 up", "ip link set r1 up", "ip addr add 10.9.1.1/24 dev r0", "ip addr add 10.9.2.1/24 dev r1",
            "ip -6 addr add fd09:1::1/64 dev r0 nodad", "ip -6 addr add fd09:2::1/64 dev r1 nodad", "echo 1 > /proc/sys/net/ipv4/ip_forward",
            "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
        )  # fmt: skip
        for pid, link, subnet in ((client, "c0", 1), (server, "s0", 2)):
            run(
                pid, "ip link set lo up", f"ip link set {link} up", f"ip addr add 10.9.{subnet}.2/24 dev {link}", f"ip route add default via 10.9.{subnet}.1",
                f"ip -6 addr add fd09:{subnet}::2/64 dev {link} nodad", f"ip -6 route add default via fd09:{subnet}::1",
            )  # fmt: skip
        yield client
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()
