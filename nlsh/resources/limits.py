"""Limits: by which of the kernel's means processes can be held to their part here, and what is written where for it.

The means, the best first: the systemd unit that holds just these processes; a new systemd scope; the control group (version 2) that holds just them;
a new control group where one may be made; and, where none of that is to be had, cores of their own and priorities.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.frozen import frozen
from nlsh.resources import inventory
from nlsh.world import io_limits, machine, processes

PERIOD_US = 100_000  # the kernel's own default for cpu.max
MARK = "nlsh-"  # what the names of groups and scopes of nlsh's own making begin with
BOOTED = "/run/systemd/system"  # there where systemd is process 1
NONE = {"cpu.max": f"max {PERIOD_US}", "cpu.weight": "100", "memory.max": "max", io_limits.NAME: ""}
Property = tuple[str, int | io_limits.Rates]
_MOST = 10_000  # the largest cpu.weight
_INFINITE = 2**64 - 1


@frozen()
class Means:
    """By what a job is held: `kind` is unit, scope, own, new or priority; `place` the unit or the group's folder; `bus` whose systemd it is."""

    kind: str
    place: str = ""
    bus: str = ""


def find(name: str, pids: tuple[int, ...], settings: Iterable[str]) -> Means:
    """Return by what these processes can be held together, for `settings` such as cpu.max."""
    settings = tuple(settings)
    wanted = {s.partition(".")[0] for s in settings}
    if os.path.isdir(BOOTED) and (bus := manager()) and wanted <= delegated(bus):
        unit = _unit(pids)
        # What belongs to a service must stay in it: taken out, systemd would think that the service has ended.
        if unit:
            return Means("unit", unit, bus)
        if not any(_in_service(pid) for pid in pids):
            return Means("scope", f"{fresh(name)}.scope", bus)
        return Means("priority")
    folders = {machine.cgroup_for(pids, pid, setting) for pid in pids for setting in settings}
    if len(folders) == 1 and (folder := folders.pop()):
        return Means("own", folder)
    base = room(wanted)
    if base and all(_below(base, pid) for pid in pids):
        return Means("new", f"{base}/{fresh(name)}")
    return Means("priority")


def why_not(controller: str = "cpu") -> str:
    """Return why there are no control groups for it here, in a few words; `controller` is what they are to share out."""
    root = machine.cgroup_root()
    if not root:
        return "control groups of version 2 are not mounted here"
    if controller not in _words(f"{root}/cgroup.controllers"):
        what = {"cpu": "the processor is", "io": "access to disks is"}[controller]
        return f"{what} not among what control groups of version 2 share out here"
    if os.path.isdir(BOOTED):
        return "systemd may not share it out for you here, or they are part of a service with others in it"
    return "no control group may be made here"


def fresh(name: str) -> str:
    """Return a new name for a group of processes."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name)[:40].strip("_") or "job"
    return f"{MARK}{plain}-{os.urandom(3).hex()}"


def manager() -> str:
    """Return on which bus the systemd is that this user may order about: 'system' for root, else 'session'; nothing where it is not there."""
    from nlsh.steps.handles import bus as address
    from nlsh.world.bus import Bus
    from nlsh.world.services import SYSTEMD

    target = "system" if os.geteuid() == 0 else "session"
    try:
        with Bus(address(target)) as found:
            return target if found.has(SYSTEMD) else ""
    except (OSError, NlshError):
        return ""


def delegated(bus: str) -> set[str]:
    """Return what a systemd can share out: a user's own has what it was given, and takes settings for the rest without a word."""
    root, uid = machine.cgroup_root(), os.geteuid()
    own = "" if bus == "system" else f"/user.slice/user-{uid}.slice/user@{uid}.service"
    return _words(f"{root}{own}/cgroup.controllers") if root else set()


def _unit(pids: tuple[int, ...]) -> str:
    """Return the unit that holds these processes and no others, or nothing."""
    folders = {machine.cgroup_of(pid) for pid in pids}
    folder = folders.pop() if len(folders) == 1 else ""
    unit = os.path.basename(folder)
    if not unit.endswith((".service", ".scope")) or not set(machine.cgroup_members(folder)) <= set(pids):
        return ""
    # A user's own systemd knows those below it.
    mine = re.search(r"/user@\d+\.service/", folder) is not None
    return unit if mine == (os.geteuid() != 0) else ""


def slice_of(pids: Iterable[int]) -> str:
    """Return the slice of the system's systemd in which these processes lie, empty where they lie in several or in none.

    A weight counts among the units of one slice: a scope elsewhere would be weighed against this whole slice, and be free of what limits it.
    """
    root = machine.cgroup_root()
    found = {machine.cgroup_of(pid).removeprefix(f"{root}/") for pid in pids}
    # Below user@1000.service there are slices, too: those of the user's own systemd.
    slices = {match[1] if (match := re.match(r"(?:[^/]+\.slice/)*([^/]+\.slice)/", f"{place}/")) else "" for place in found}
    return slices.pop() if len(slices) == 1 else ""


def in_a_session() -> bool:
    """Return whether nlsh was started in a session that stands beside the user's own systemd, as by ssh; on most desktops it is below it."""
    return re.search(r"/user@\d+\.service(/|$)", machine.cgroup_of(os.getpid())) is None


def _in_service(pid: int) -> bool:
    folder = machine.cgroup_of(pid)
    return re.search(r"\.service(/|$)", re.sub(r"/user@\d+\.service", "", folder)) is not None


def room(controllers: Iterable[str]) -> str:
    """Return the folder in which groups may be made that share out these, or nothing: the root of all, else the highest group that is ours."""
    root = machine.cgroup_root()
    if not root:
        return ""
    wanted = set(controllers)
    for folder in (root, *reversed(inventory.above())):
        if not os.access(folder, os.W_OK | os.X_OK) or not os.access(f"{folder}/cgroup.procs", os.W_OK):
            continue
        if not wanted <= _words(f"{folder}/cgroup.controllers"):
            continue
        # A group that holds processes shares out nothing among groups below it; only the root of all does both.
        if wanted <= _words(f"{folder}/cgroup.subtree_control") or not os.path.exists(f"{folder}/cgroup.type") or not _text(f"{folder}/cgroup.procs"):
            return folder
    return ""


def _below(base: str, pid: int) -> bool:
    folder = machine.cgroup_of(pid) or machine.cgroup_root()
    return folder == base or folder.startswith(f"{base}/")


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _words(path: str) -> set[str]:
    return set(_text(path).split())


def settings(*, cores: float | None = None, weight: int | None = None, memory: int | None = None, io: int | None = None) -> dict[str, str]:
    """Return limits as a control group's settings: so many cores' time, the part among its neighbours (1 to 10000), bytes of memory, bytes a second.

    Raises NotPossible where there is no disk at which they could be counted.
    """
    found = {}
    if cores is not None:
        found["cpu.max"] = f"{max(1000, round(cores * PERIOD_US))} {PERIOD_US}"
    if weight is not None:
        found["cpu.weight"] = str(min(max(weight, 1), _MOST))
    if memory is not None:
        found["memory.max"] = str(memory - memory % os.sysconf("SC_PAGE_SIZE"))
    if io is not None:
        if not (disks := io_limits.disks()):
            raise NotPossible("There is no disk here at which anything could be limited.", hint="Nothing was changed.")
        found[io_limits.NAME] = io_limits.at_most(io, disks)
    return found


def none_of(written: Mapping[str, str]) -> dict[str, str]:
    """Return the same settings, so that they limit nothing."""
    return {name: io_limits.lifted(value) if name == io_limits.NAME else NONE[name] for name, value in written.items()}


def changed(old: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return settings after a change: of disks, the rates alone are `wanted`'s."""
    return {name: io_limits.changed(old[name], value) if name == io_limits.NAME else value for name, value in wanted.items()}


def controllers(written: Iterable[str], base: str) -> list[str]:
    """Return what a group below `base` needs for these settings: what is written to a disk later is known by whose memory it waited in."""
    found = list(dict.fromkeys(name.partition(".")[0] for name in written))
    return [*found, *(("memory",) if "io" in found and "memory" not in found and "memory" in _words(f"{base}/cgroup.controllers") else ())]


def current(folder: str, name: str, wanted: str) -> str:
    """Return what a control group's setting says, of what `wanted` speaks of. Raises OSError."""
    found = machine.setting(folder, name)
    return io_limits.like(found, wanted) if name == io_limits.NAME else found


def as_properties(written: Mapping[str, str]) -> list[Property]:
    """Return a control group's settings as systemd's properties."""
    found: list[Property] = []
    for name, value in written.items():
        first, _, second = value.partition(" ")
        if name == io_limits.NAME:
            found += io_limits.as_properties(value)
        elif name == "cpu.max":
            found.append(("CPUQuotaPerSecUSec", _INFINITE if first == "max" else round(int(first) * 1_000_000 / int(second or PERIOD_US))))
        else:
            found.append(({"cpu.weight": "CPUWeight", "memory.max": "MemoryMax"}[name], _INFINITE if first == "max" else int(first)))
    return found


def in_words(written: Mapping[str, str]) -> str:
    """Return a control group's settings for a person."""
    parts = []
    for name, value in written.items():
        first, _, second = value.partition(" ")
        if name == io_limits.NAME:
            parts.append(_of_disks(value))
        elif name == "cpu.max":
            cores = 0.0 if first == "max" else int(first) / int(second)
            parts.append("the time of all cores" if first == "max" else f"the time of {cores:.3g} core{'' if cores == 1 else 's'} at most")
        elif name == "memory.max":
            parts.append("no limit of memory" if first == "max" else f"{machine.amount(int(first))} of memory at most")
        else:
            parts.append(f"weight {first} at the processor (100 is usual)")
    return ", ".join(parts)


def _of_disks(value: str) -> str:
    found = io_limits.rates(value)
    if found <= {("max", "max")}:
        return "no limit at the disks"
    if len(found) > 1:
        return "limits of their own at each disk"
    said = ["any amount" if rate == "max" else machine.amount(int(rate)) for rate in found.pop()]
    return f"{said[0]} read and {said[1]} written in a second at each disk at most"


@frozen()
class Session:
    """The autogroup of a process: processes of one terminal or service that compete as one, whatever their own nice values are."""

    name: str
    nice: int
    members: tuple[int, ...]


def session(pid: int) -> Session | None:
    """Return the autogroup of a process, or None where the kernel forms none."""
    if _text("/proc/sys/kernel/sched_autogroup_enabled") != "1":
        return None
    own = re.fullmatch(r"(/autogroup-\d+) nice (-?\d+)", _text(f"/proc/{pid}/autogroup"))
    if not own:
        return None
    members = [p for p in processes.pids() if _text(f"/proc/{p}/autogroup").startswith(f"{own[1]} ")]
    return Session(own[1], int(own[2]), tuple(members))
