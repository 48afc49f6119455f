"""Effects: what a step needs, each with its concrete target. A preview lists them; a grant is a set of them."""

from __future__ import annotations

from typing import Any, NamedTuple

# kind: (what the target is, does it change anything, words for a person)
KINDS: dict[str, tuple[str, bool, str]] = {
    "fs.read": ("path: a file, or a folder and all below it", False, "read"),
    "fs.write": ("path: a file or folder that is created or overwritten", True, "write"),
    "fs.delete": ("path: a file or folder that disappears from where it is", True, "remove"),
    "fs.meta": ("path: its mode, owner, times or attributes change", True, "change attributes of"),
    "fs.log": ("path: a new file for what a program prints, which gets nothing but the open file", True, "log to"),
    "proc.read": ("'*': facts about running processes; a pid: a process whose end is waited for", False, "look at processes"),
    "proc.signal": ("pid: a process that gets a signal", True, "signal process"),
    "proc.tune": ("pid: a process whose priority, affinity or limits change", True, "tune process"),
    "tool.read": ("the command line of a program that nlsh itself names, which may change nothing", False, "look with"),
    "tool.run": ("the command line of a program that nlsh itself names", True, "run"),
    "bus.read": ("a socket of this machine, which is asked only: 'system' or 'session' for the message bus, or a path", False, "ask"),
    "bus.call": ("a socket of this machine: 'system' or 'session' for the message bus, or a path", True, "give orders over"),
    "exec": ("the command line that runs", True, "run"),
    "net.read": ("'*': addresses and sockets of this machine; 'firewall': its packet filter", False, "look at the network state"),
    "net.connect": ("host:port; icmp://host, udp://host or dns://name for an echo, datagrams or a look-up; or '*'", True, "connect to"),
    "net.listen": ("port, or '*'", True, "listen on"),
    "dev.read": ("a class of devices: block, usb, gpu, mounts, pci, audio, …", False, "look at devices"),
    "dev.control": ("a device node", True, "control device"),
    "dev.format": ("a device node, which gets a new, empty file system", True, "erase everything on"),
    "sys.read": ("'*': load, memory, uptime, versions", False, "look at the system state"),
    "sys.control": ("what of the system changes", True, "control the system"),
    "priv.root": ("why root rights are needed", True, "use root rights"),
}


class _Pair(NamedTuple):
    kind: str
    target: str


class Effect(_Pair):
    """One thing a step needs: a kind of KINDS and its target. Raises ValueError for an unknown kind or an empty target.

    A tuple, because a bulk change has hundreds of thousands of them to make, to sort and to tell apart.
    """

    __slots__ = ()

    def __new__(cls, kind: str, target: str) -> Effect:
        if kind not in KINDS:
            raise ValueError(f"unknown effect kind: {kind}")
        if not target:
            raise ValueError(f"effect {kind} needs a target")
        return tuple.__new__(cls, (kind, target))

    @property
    def changes(self) -> bool:
        """Whether this effect can change anything outside the worker."""
        return KINDS[self.kind][1]

    def as_data(self) -> dict[str, Any]:
        return {"kind": self.kind, "target": self.target}
