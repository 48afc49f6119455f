"""Inventory: what of this machine may be shared out from here: cores and how they lie, quotas, memory and its limits, graphics cards, disks."""

from __future__ import annotations

import os
import re
from functools import cached_property

from nlsh.plan.errors import NotPossible
from nlsh.plan.frozen import frozen
from nlsh.world import gpus, machine

_CPU = "/sys/devices/system/cpu"
_BLOCK = "/sys/block"
_V1 = "/sys/fs/cgroup"
_NO_LIMIT = 1 << 60  # version 1 writes "no limit" as the largest number of pages


@frozen()
class Core:
    """One logical core: its number, the physical core, socket and memory node it belongs to."""

    number: int
    physical: int
    socket: int
    node: int


@frozen()
class Card:
    """One graphics card with its memory, in bytes."""

    name: str
    free_bytes: int
    total_bytes: int


@frozen()
class BlockDevice:
    """One disk that holds data, whether it spins, and its number as control groups name it ("8:0")."""

    name: str
    spins: bool
    number: str


@frozen(slots=False)
class Inventory:
    """What may be used from here. `quota` is in cores: what control groups leave of them, or None; `memory_limit` likewise, in bytes."""

    cores: tuple[Core, ...]
    quota: float | None
    memory_bytes: int
    memory_available_bytes: int
    memory_limit: int | None

    @property
    def capacity(self) -> float:
        """How many cores' time there is: the cores, or what a quota leaves of them."""
        return min(float(len(self.cores)), self.quota or float("inf"))

    @property
    def memory(self) -> int:
        """How much memory may be used, in bytes: the machine's, or what a limit leaves of it."""
        return min(self.memory_bytes, self.memory_limit or self.memory_bytes)

    @cached_property
    def cards(self) -> tuple[Card, ...]:
        """NVIDIA's cards. Empty where there is none."""
        try:
            return tuple(Card(f"{model} ({n})", free, total) for n, (model, free, total) in enumerate(gpus.memory()))
        except NotPossible:
            return ()

    @cached_property
    def disks(self) -> tuple[BlockDevice, ...]:
        return tuple(_disks())


def read() -> Inventory:
    """Return what this process, and what it starts, may use."""
    usable = os.sched_getaffinity(0) & set(machine.online_cores())
    info = {m.kind: m for m in machine.memory()}["memory"]
    return Inventory(
        cores=tuple(_core(n) for n in sorted(usable)),
        quota=_quota(),
        memory_bytes=info.total_bytes,
        memory_available_bytes=info.available_bytes,
        memory_limit=_memory_limit(),
    )


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _core(number: int) -> Core:
    folder = f"{_CPU}/cpu{number}"
    try:
        node = next((int(n[4:]) for n in os.listdir(folder) if re.fullmatch(r"node\d+", n)), 0)
    except OSError:
        node = 0
    physical, socket = _text(f"{folder}/topology/core_id"), _text(f"{folder}/topology/physical_package_id")
    return Core(number, int(physical) if physical.isdigit() else number, int(socket) if socket.isdigit() else 0, node)


def above(pid: int | None = None) -> list[str]:
    """Return the control groups (version 2) that hold a process, its own first, without the root."""
    folder, root, found = machine.cgroup_of(pid or os.getpid()), machine.cgroup_root(), []
    while root and folder.startswith(f"{root}/"):
        found.append(folder)
        folder = os.path.dirname(folder)
    return found


def _old_groups(controller: str) -> list[str]:
    """Return the folders of version 1 that hold this process for a controller, its own first."""
    match = re.search(rf"^\d+:(?:[^:\n]*,)?{controller}(?:,[^:\n]*)?:(/.*)$", _text("/proc/self/cgroup"), re.M)
    if not match:
        return []
    path, found = match[1].rstrip("/"), []
    while path:
        found.append(f"{_V1}/{controller}{path}")
        path = path.rpartition("/")[0]
    # In a container, the own group is what is mounted.
    return [*found, f"{_V1}/{controller}"]


def _quota() -> float | None:
    limits = []
    # A container sees its own group as the root.
    for folder in (*above(), machine.cgroup_root()):
        words = _text(f"{folder}/cpu.max").split() if folder else []
        if len(words) == 2 and words[0].isdigit():
            limits.append(int(words[0]) / int(words[1]))
    for folder in _old_groups("cpu"):
        quota, period = _text(f"{folder}/cpu.cfs_quota_us"), _text(f"{folder}/cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit():
            limits.append(int(quota) / int(period))
    return min(limits, default=None)


def _memory_limit() -> int | None:
    limits = []
    for folder in (*above(), machine.cgroup_root()):
        limits.append(_text(f"{folder}/memory.max") if folder else "")
    limits += [_text(f"{folder}/memory.limit_in_bytes") for folder in _old_groups("memory")]
    return min((int(n) for n in limits if n.isdigit() and int(n) < _NO_LIMIT), default=None)


def _disks() -> list[BlockDevice]:
    try:
        names = sorted(os.listdir(_BLOCK))
    except OSError:
        return []
    # What has no device below it is a view of others: loop, ram, device mapper.
    real = [n for n in names if os.path.exists(f"{_BLOCK}/{n}/device") and _text(f"{_BLOCK}/{n}/size") not in ("", "0")]
    return [BlockDevice(n, _text(f"{_BLOCK}/{n}/queue/rotational") == "1", _text(f"{_BLOCK}/{n}/dev")) for n in real]
