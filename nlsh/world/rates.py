"""How fast the machine works: disks, interfaces, processes and users, measured over an interval."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from nlsh.plan.records.resource import DiskRate, NetworkRate, ProcessRate, SwapUse, UserUse
from nlsh.world import process_facts, processes
from nlsh.world.devices import attribute, entries
from nlsh.world.machine import total_memory
from nlsh.world.processes import Running

SYS = "/sys"
PROC = "/proc"
SECTOR_BYTES = 512  # what /proc/diskstats counts in, whatever a disk's own sectors are
_T = TypeVar("_T")


def _twice(take: Callable[[], _T], seconds: float) -> tuple[_T, _T, float]:
    """Return what `take` gives now and after `seconds`, and how long that was."""
    first, began = take(), time.monotonic()
    time.sleep(seconds)
    return first, take(), max(time.monotonic() - began, 1e-3)


def disks(seconds: float) -> list[DiskRate]:
    """Return how fast each disk reads and writes over the next `seconds`; parts of disks and unused loop devices are left out."""
    before, after, taken = _twice(_disk_counters, seconds)
    found = []
    for name, now in after.items():
        if name not in before or (name.startswith(("loop", "ram", "zram", "nbd", "fd")) and not any(now)):
            continue
        # A device that was taken away and put back counts from zero.
        reads, read, writes, written, busy = (max(0, a - b) for a, b in zip(now, before[name], strict=True))
        found.append(
            DiskRate(
                name, round(read * SECTOR_BYTES / taken, 1), round(written * SECTOR_BYTES / taken, 1), round((reads + writes) / taken, 1),
                round(min(100.0, busy / taken / 10), 1),
            )
        )  # fmt: skip
    return found


def _disk_counters() -> dict[str, tuple[int, ...]]:
    """Return of each whole disk: reads, sectors read, writes, sectors written, milliseconds busy."""
    whole = set(entries(f"{SYS}/block"))
    found = {}
    for line in attribute(PROC, "diskstats").splitlines():
        fields = line.split()
        if len(fields) >= 13 and fields[2] in whole:
            found[fields[2]] = tuple(int(fields[i]) for i in (3, 5, 7, 9, 12))
    return found


def disk_use_of_processes(seconds: float) -> tuple[list[ProcessRate], int]:
    """Return the processes that read or write over the next `seconds`, the busiest first, and how many cannot be seen from here."""
    before, after, taken = _twice(_io_counters, seconds)
    found, hidden = [], 0
    for pid, (process, moved) in after.items():
        if moved is None:
            hidden += 1
            continue
        earlier = before.get(pid)
        if earlier is None or earlier[1] is None or earlier[0].started_ticks != process.started_ticks:
            continue
        read, written = (round(max(0, a - b) / taken, 1) for a, b in zip(moved, earlier[1], strict=True))
        if read or written:
            user = processes.user_name(processes.user_ids(pid)[1])
            found.append(ProcessRate(pid, process.called, user, read, written, process.command))
    return sorted(found, key=lambda r: (-(r.read_bytes_per_s + r.write_bytes_per_s), r.pid)), hidden


def _io_counters() -> dict[int, tuple[Running, tuple[int, int] | None]]:
    found: dict[int, tuple[Running, tuple[int, int] | None]] = {}
    for process in processes.every():
        if process.kernel_thread:
            continue
        try:
            found[process.pid] = process, process_facts.io(process.pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        except OSError:
            found[process.pid] = process, None
    return found


def network(seconds: float) -> list[NetworkRate]:
    """Return how fast data comes and goes over each interface over the next `seconds`, the loopback last."""
    before, after, taken = _twice(_network_counters, seconds)
    found = []
    for name, now in sorted(after.items(), key=lambda item: (item[0] == "lo", item[0])):
        if name in before:
            received, sent = (round(max(0, now[i] - before[name][i]) / taken, 1) for i in (0, 1))
            found.append(NetworkRate(name, received, sent, *now))
    return found


def together(rates: list[NetworkRate]) -> NetworkRate:
    """Return what leads out of the machine as one: the interfaces that are hardware; where none is, all but the loopback.

    What goes over a bridge, a tunnel or a container's interface goes over the hardware too, and would be counted twice.
    """
    hardware = [r for r in rates if os.path.exists(f"{SYS}/class/net/{r.interface}/device")]
    chosen = hardware or [r for r in rates if r.interface != "lo"]
    return NetworkRate(
        "all",
        round(sum(r.received_bytes_per_s for r in chosen), 1),
        round(sum(r.sent_bytes_per_s for r in chosen), 1),
        sum(r.received_total_bytes for r in chosen),
        sum(r.sent_total_bytes for r in chosen),
        sum(r.errors for r in chosen),
        sum(r.dropped for r in chosen),
    )


def _network_counters() -> dict[str, tuple[int, int, int, int]]:
    """Return of each interface: bytes received and sent, errors and dropped packets both ways."""
    found = {}
    for name in entries(f"{SYS}/class/net"):
        folder = f"{SYS}/class/net/{name}/statistics"
        counts = [attribute(folder, n) for n in ("rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped")]
        if all(c.isdigit() for c in counts):
            received, sent, bad_in, bad_out, lost_in, lost_out = map(int, counts)
            found[name] = received, sent, bad_in + bad_out, lost_in + lost_out
    return found


def users(seconds: float) -> list[UserUse]:
    """Return what each user's processes take over the next `seconds`, the most CPU first."""
    before, after, taken = _twice(lambda: {p.pid: p for p in processes.every()}, seconds)
    cpu: dict[int, float] = {}
    memory: dict[int, int] = {}
    count: dict[int, int] = {}
    for pid, process in after.items():
        owner = processes.user_ids(pid)[1]
        if process.kernel_thread or owner < 0 or process.state in "ZX":
            continue
        earlier = before.get(pid)
        used = processes.cpu_seconds(process)
        # One that has started meanwhile has used all of it meanwhile.
        used -= processes.cpu_seconds(earlier) if earlier is not None and earlier.started_ticks == process.started_ticks else 0
        cpu[owner] = cpu.get(owner, 0.0) + used
        memory[owner] = memory.get(owner, 0) + process.resident_bytes
        count[owner] = count.get(owner, 0) + 1
    total = total_memory()
    found = [UserUse(processes.user_name(u), round(100 * cpu[u] / taken, 1), memory[u], round(100 * memory[u] / total, 1), count[u]) for u in cpu]
    return sorted(found, key=lambda r: (-r.cpu_percent, -r.memory_bytes, r.user))


def swapped() -> Iterator[SwapUse]:
    """Yield the processes of which something is in swap, the most first."""
    found = []
    for process in processes.every():
        if not process.kernel_thread and (amount := process_facts.kilobytes(process_facts.status(process.pid), "VmSwap")):
            found.append(SwapUse(process.pid, process.called, processes.user_name(processes.user_ids(process.pid)[1]), amount))
    yield from sorted(found, key=lambda r: (-r.swap_bytes, r.pid))


def running_tasks() -> tuple[int, int]:
    """Return how many tasks run or want to at this moment, and how many there are."""
    match = re.search(r" (\d+)/(\d+) ", attribute(PROC, "loadavg"))
    return (int(match[1]), int(match[2])) if match else (0, 0)
