"""Facts about the machine as a whole: processor, memory, file systems, load, uptime, versions, and the control groups of processes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from functools import cache

from nlsh.plan.records import Cpu, Disk, Fact, Memory, Mount

# File systems that hold nothing of anybody's: they are views of the kernel.
_PSEUDO = {
    "proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "securityfs", "debugfs", "tracefs", "configfs", "fusectl", "pstore", "bpf", "mqueue",
    "hugetlbfs", "autofs", "binfmt_misc", "rpc_pipefs", "nsfs", "efivarfs", "ramfs", "squashfs", "overlay", "tmpfs", "fuse.portal", "fuse.gvfsd-fuse",
}  # fmt: skip


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _cpu_times() -> dict[str, tuple[int, int]]:
    """Return busy and total ticks of each core, and of all together."""
    found = {}
    for line in _text("/proc/stat").splitlines():
        if not line.startswith("cpu"):
            break
        core, *fields = line.split()
        # user nice system idle iowait irq softirq steal; guest time is part of user.
        ticks = [int(f) for f in fields[:8]]
        found[core[3:] or "all"] = (sum(ticks) - ticks[3] - ticks[4], sum(ticks))
    return found


def cpu(*, each: bool, seconds: float = 0.1) -> Iterator[Cpu]:
    """Yield how busy the processor is over the next `seconds`: all of it, or each core."""
    before = _cpu_times()
    time.sleep(seconds)
    after = _cpu_times()
    speeds = _speeds()
    load = os.getloadavg()
    for core, (busy, total) in after.items():
        if (core == "all") == each or core not in before:
            continue
        share = 100 * (busy - before[core][0]) / max(total - before[core][1], 1)
        known = [speeds[core]] if core in speeds else list(speeds.values()) if core == "all" else []
        mhz = round(sum(known) / len(known), 1) if known else None
        used = round(min(max(share, 0.0), 100.0), 1)
        yield Cpu(core, used, mhz) if each else Cpu(core, used, mhz, *(round(v, 2) for v in load))


def _speeds() -> dict[str, float]:
    found = {}
    core = ""
    for line in _text("/proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "processor":
            core = value.strip()
        elif key.strip() == "cpu MHz":
            found[core] = float(value)
    return found


def _meminfo() -> dict[str, int]:
    return {m[1]: int(m[2]) * 1024 for m in re.finditer(r"^(\w+):\s+(\d+) kB", _text("/proc/meminfo"), re.M)}


def memory() -> Iterator[Memory]:
    """Yield the use of memory and, where there is any, of swap. Memory that the kernel can give back at once counts as available."""
    info = _meminfo()
    for kind, total, available in (("memory", info["MemTotal"], info["MemAvailable"]), ("swap", info["SwapTotal"], info["SwapFree"])):
        if total:
            yield Memory(kind, total, total - available, available, round(100 * (total - available) / total, 1))


def total_memory() -> int:
    """Return how much memory this machine has, in bytes."""
    return _meminfo()["MemTotal"]


def swap() -> Memory:
    """Return the use of swap; all zero where there is none."""
    info = _meminfo()
    total, free = info.get("SwapTotal", 0), info.get("SwapFree", 0)
    return Memory("swap", total, total - free, free, round(100 * (total - free) / total, 1) if total else 0.0)


def mounts() -> list[Mount]:
    """Return every mounted file system that can be seen from here, in the order they were mounted."""
    found = []
    # Of what ends a line, only LF is escaped there.
    for line in _text("/proc/self/mounts").split("\n")[:-1]:
        device, mount, kind, options = (_unescaped(f) for f in line.split(" ")[:4])
        found.append(Mount(mount, device, kind, options))
    return found


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), field)


def disks() -> Iterator[Disk]:
    """Yield how full each real file system is, each once, though it may be mounted in several places."""
    seen = set()
    found = mounts()
    for mount in sorted(found, key=lambda m: len(m.mount)):
        if mount.type in _PSEUDO and mount.mount != "/":
            continue
        try:
            number = os.stat(mount.mount).st_dev
            if number not in seen and (disk := _disk(mount)):
                seen.add(number)
                yield disk
        except OSError:
            continue


def disk_of(path: str) -> Disk:
    """Return how full the file system is that `path` lies on. Raises OSError."""
    number = os.stat(path).st_dev
    real = os.path.realpath(path)
    best: Mount | None = None
    # The last of several mounts on one place is the one that is seen; the longest path above is the nearest.
    for mount in mounts():
        above = mount.mount.rstrip("/") + "/"
        if (real + "/").startswith(above) and (best is None or len(mount.mount) >= len(best.mount)):
            best = mount
    if best is None or _device_number(best.mount) != number:
        best = Mount(real, "", "")
    return _disk(best) or Disk(best.mount, best.device, 0, 0, 0, 0.0, best.type)


def _device_number(path: str) -> int | None:
    try:
        return os.stat(path).st_dev
    except OSError:
        return None


def _disk(mount: Mount) -> Disk | None:
    room = os.statvfs(mount.mount)
    if not room.f_blocks:
        return None
    used = (room.f_blocks - room.f_bfree) * room.f_frsize
    free = room.f_bavail * room.f_frsize
    # As `df` counts: what is reserved for root is neither used nor free.
    share = round(100 * used / (used + free), 1) if used + free else 0.0
    return Disk(mount.mount, mount.device, room.f_blocks * room.f_frsize, used, free, share, mount.type)


def uptime() -> float:
    """Return the seconds since this machine started."""
    return float(_text("/proc/uptime").split()[0])


def facts() -> Iterator[Fact]:
    """Yield what this machine is: its name, system, kernel, processor, memory and uptime."""
    system = os.uname()
    yield Fact("host", system.nodename)
    yield Fact("system", _distribution())
    yield Fact("kernel", f"{system.sysname} {system.release}")
    yield Fact("architecture", system.machine)
    yield Fact("processor", _processor())
    yield Fact("cores", str(len(online_cores())))
    yield Fact("memory", amount(_meminfo()["MemTotal"]))
    yield Fact("up", span(uptime()))


def _distribution() -> str:
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            match = re.search(r'^PRETTY_NAME=["\']?(.*?)["\']?$', _text(path), re.M)
        except OSError:
            continue
        if match:
            return match[1]
    return "Linux"


def _processor() -> str:
    info = _text("/proc/cpuinfo")
    # Arm says Hardware or nothing, RISC-V says uarch.
    match = re.search(r"^(?:model name|Hardware|cpu model|uarch)\s*:\s*(.+)$", info, re.M)
    return match[1].strip() if match else os.uname().machine


def amount(size_bytes: float) -> str:
    """Return a number of bytes for a person, in powers of 1024."""
    for unit in ("B", "KB", "MB", "GB"):
        if abs(size_bytes) < 1024:
            return f"{size_bytes:.0f} {unit}" if size_bytes == int(size_bytes) else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TB"


def span(seconds: float) -> str:
    """Return a length of time for a person: "3 days 4 hours"."""
    parts = []
    rest = int(seconds)
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(parts[:2]) or "0 seconds"


def online_cores() -> tuple[int, ...]:
    """Return the numbers of the cores that are switched on."""
    try:
        return core_list(_text("/sys/devices/system/cpu/online"))
    except OSError:
        return tuple(range(os.cpu_count() or 1))


def core_list(written: str) -> tuple[int, ...]:
    """Return the numbers in the kernel's notation of a set of cores, such as `0-3,6`."""
    found: set[int] = set()
    for part in written.strip().split(","):
        if part:
            low, _, high = part.partition("-")
            found |= set(range(int(low), int(high or low) + 1))
    return tuple(sorted(found))


def idlest_cores(among: tuple[int, ...], seconds: float = 0.1) -> list[int]:
    """Return these cores, the least busy over the next `seconds` first."""
    used = {c.core: c.used_percent for c in cpu(each=True, seconds=seconds)}
    return sorted(among, key=lambda c: (used.get(str(c), 0.0), c))


@cache
def cgroup_root() -> str:
    """Return where control groups of version 2 are mounted, or nothing."""
    return next((m.mount for m in mounts() if m.type == "cgroup2"), "")


def cgroup_of(pid: int) -> str:
    """Return the folder of the process's own control group (version 2), or nothing if it is in the root group or there are none."""
    try:
        match = re.search(r"^0::(/.*)$", _text(f"/proc/{pid}/cgroup"), re.M)
    except (FileNotFoundError, ProcessLookupError):
        return ""
    if not match or match[1] == "/" or not cgroup_root() or match[1].startswith("/.."):
        return ""
    return cgroup_root() + match[1]


def cgroup_members(folder: str) -> tuple[int, ...]:
    """Return the processes in a control group and in all groups below it."""
    found: set[int] = set()
    for place, _, files in os.walk(folder):
        if "cgroup.procs" in files:
            found |= {int(n) for n in _text(os.path.join(place, "cgroup.procs")).split()}
    return tuple(sorted(found))


def cgroup_for(chosen: tuple[int, ...], pid: int, setting: str) -> str:
    """Return the control group through which `setting` can be set for `pid` and for nobody that was not chosen, or nothing."""
    folder = cgroup_of(pid)
    if not folder or not os.access(os.path.join(folder, setting), os.R_OK | os.W_OK):
        return ""
    return folder if set(cgroup_members(folder)) <= set(chosen) else ""


def setting(folder: str, name: str) -> str:
    """Return what a control group's setting says. Raises OSError."""
    return _text(os.path.join(folder, name)).strip()
