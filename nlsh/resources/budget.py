"""Budget: hold a process of nlsh's own, and all that it starts, to so much of the machine, by the best means that this system gives.

`hold` is called once, before the process starts others. What it could not hold is said, and `foreseen` says it beforehand; what nobody can hold here
at all is refused by `of`.
"""

from __future__ import annotations

import math
import os
import resource
from contextlib import suppress
from typing import TYPE_CHECKING

from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.frozen import frozen
from nlsh.resources import inventory, limits
from nlsh.steps.groups import remove_empty
from nlsh.world import io_limits, machine

if TYPE_CHECKING:
    from nlsh.plan.schedule import Schedule

LEAST_MEMORY = 128 << 20  # a run of nlsh takes part of it itself

_SYSTEMD_S = 10.0


@frozen()
class Budget:
    """What a job may use at most: `cores` of time, bytes of `memory`, `io` bytes a second read from disks and as many written.

    `gpu_memory`, in bytes, is kept free for it and not held. `nice` (0 to 19): how far behind others it stands at processor and disk.
    """

    cores: float | None = None
    memory: int | None = None
    nice: int = 0
    io: int | None = None
    gpu_memory: int | None = None

    @property
    def limits(self) -> bool:
        """Whether there is anything that is to be held."""
        return self.cores is not None or self.memory is not None or self.io is not None

    @property
    def weight(self) -> int | None:
        """Its weight among control groups, 100 being usual: as much less as the nice value says."""
        return None if self.nice <= 0 else max(1, round(100 / 1.25 ** min(self.nice, 19)))


def of(schedule: Schedule) -> Budget:
    """Return what a job's runs may use here. Raises NotPossible for more than there is, for too little, and for what cannot be held here."""
    wanted, there = schedule.amounts, inventory.read()
    cores = wanted["cpu"] * there.capacity / 100 if "cpu" in wanted else wanted.get("cores")
    if cores is not None and cores > there.capacity:
        raise NotPossible(f"The job asks for {cores:g} cores, and {there.capacity:g} can be used here.", hint="Nothing was changed. Ask for fewer.")
    memory = int(wanted["memory"]) if "memory" in wanted else None
    if memory is not None and memory > there.memory:
        raise NotPossible(f"The job asks for {machine.amount(memory)} of memory, and there is {machine.amount(there.memory)}.", hint="Nothing was changed.")
    if memory is not None and memory < LEAST_MEMORY:
        raise NotPossible(
            f"{machine.amount(memory)} of memory is too little for a job.", hint=f"Nothing was changed. It is {machine.amount(LEAST_MEMORY)} at least."
        )
    gpu = int(wanted["gpu_memory"]) if "gpu_memory" in wanted else None
    if gpu is not None and gpu > max((c.total_bytes for c in there.cards), default=0):
        has = f"the largest has {machine.amount(max(c.total_bytes for c in there.cards))}" if there.cards else "there is no such card here"
        raise NotPossible(f"The job asks for {machine.amount(gpu)} of a graphics card's memory, and {has}.", hint="Nothing was changed.")
    io = int(wanted["io"]) if "io" in wanted else None
    found = Budget(cores, memory, 0, io, gpu)
    if io is not None and foreseen(found)[1]:
        raise NotPossible(
            f"How fast a job reads and writes cannot be limited here: {limits.why_not()}.",
            hint='Nothing was changed. Leave io out; with priority="low" it stands behind others at the disk.',
        )
    return found


def foreseen(budget: Budget) -> tuple[str, tuple[str, ...]]:
    """Return by what a budget would be held here, in words, and what of it would not be."""
    not_held = () if budget.gpu_memory is None else (f"{machine.amount(budget.gpu_memory)} of a graphics card's memory: it is waited for, and not limited",)
    if not budget.limits:
        return "", not_held
    wanted = _wanted(budget)
    names = {s.partition(".")[0] for s in wanted}
    if os.path.isdir(limits.BOOTED) and (bus := limits.manager()) and names <= limits.delegated(bus):
        return f"{_in_words(wanted, budget)}, by systemd", not_held
    if not os.path.isdir(limits.BOOTED) and limits.room(names):
        return f"{_in_words(wanted, budget)}, by a control group", not_held
    words, lacking = _by_itself(budget, len(os.sched_getaffinity(0)))
    return f"{', '.join(words) or 'nothing'}, as {limits.why_not()}", (*lacking, *not_held)


def _wanted(budget: Budget) -> dict[str, str]:
    """Return the settings of a control group; of io.max, one line for each disk."""
    found = limits.settings(cores=budget.cores, weight=budget.weight, memory=budget.memory)
    if budget.io is not None:
        found["io.max"] = "\n".join(f"{d.number} rbps={budget.io} wbps={budget.io}" for d in inventory.read().disks)
    return found


def _in_words(wanted: dict[str, str], budget: Budget) -> str:
    io = [] if budget.io is None else [f"{machine.amount(budget.io)} a second from each disk and to it"]
    return ", ".join([limits.in_words({k: v for k, v in wanted.items() if k != "io.max"}), *io]).removeprefix(", ")


@frozen()
class Held:
    """How a process is held: `kind` is group, scope or process; `words` say it to a person; `not_held`: what of the budget is not enforced.

    `before` is the group that it was in.
    """

    kind: str
    words: str
    place: str = ""
    not_held: tuple[str, ...] = ()
    before: str = ""

    def release(self) -> bool:
        """Give back what holding it took; return whether that is all done. Call it when the job has ended: a group with a process in it stays."""
        if self.kind != "group":
            return True  # a scope and a process's own limits go with it
        if machine.cgroup_of(os.getpid()) == self.place:
            with suppress(OSError):
                _write(f"{self.before}/cgroup.procs", str(os.getpid()))
        with suppress(OSError):
            os.rmdir(self.place)
        return not os.path.exists(self.place)


def hold(pid: int, budget: Budget, name: str = "job") -> Held:
    """Hold `pid` to `budget`. Raises ProcessLookupError where it has ended, ValueError for a budget that is none, NotPossible where io cannot be held."""
    if (budget.cores is not None and budget.cores <= 0) or (budget.memory is not None and budget.memory <= 0) or not 0 <= budget.nice <= 19:
        raise ValueError("a budget is more than nothing, and nice is from 0 to 19")
    os.kill(pid, 0)
    wanted = _wanted(budget)
    if wanted:
        for means in (_scope, _group):
            if held := means(pid, wanted, budget, name):
                return held
    if budget.io is not None:
        raise NotPossible(f"How fast it reads and writes cannot be limited here: {limits.why_not()}.", hint="Nothing was run.")
    return _process(pid, budget)


def _scope(pid: int, wanted: dict[str, str], budget: Budget, name: str) -> Held | None:
    """Have systemd make a scope for it. None where there is none, or it will not."""
    from nlsh.steps.handles import bus as connect
    from nlsh.steps.services import run_job
    from nlsh.world.bus import Bus
    from nlsh.world.services import MANAGER, ROOT, SYSTEMD

    if not os.path.isdir(limits.BOOTED) or not (target := limits.manager()):
        return None
    unit = f"{limits.fresh(name)}.scope"
    properties = [("PIDs", ("au", [pid])), ("CollectMode", ("s", "inactive-or-failed")), *((n, io_limits.variant(v)) for n, v in limits.as_properties(wanted))]
    try:
        with Bus(connect(target)) as bus:
            run_job(
                bus, lambda: bus.call(SYSTEMD, ROOT, MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail", properties, []), unit, seconds=_SYSTEMD_S
            )
    except (OSError, NlshError):
        return None
    # A user's own systemd may not have been given every controller: then it takes the setting and does nothing.
    folder = machine.cgroup_of(pid)
    lacking = tuple(n for n in wanted if not os.path.exists(f"{folder}/{n}"))
    if lacking:
        return None
    return Held("scope", f"{_in_words(wanted, budget)}, by systemd, as {unit}", unit)


def _group(pid: int, wanted: dict[str, str], budget: Budget, name: str) -> Held | None:
    """Make a control group for it. None where none can be made."""
    controllers = {s.partition(".")[0] for s in wanted} - {"cgroup"}  # what every group has
    base = limits.room(controllers)
    if not base or os.path.isdir(limits.BOOTED):
        return None
    remove_empty(base)  # of runs that were killed
    place, before = f"{base}/{limits.fresh(name)}", machine.cgroup_of(pid) or machine.cgroup_root()
    try:
        for controller in controllers - set(machine.setting(base, "cgroup.subtree_control").split()):
            _write(f"{base}/cgroup.subtree_control", f"+{controller}")
        os.mkdir(place)
        for setting, value in wanted.items():
            for line in value.splitlines():
                _write(f"{place}/{setting}", line)
        _write(f"{place}/cgroup.procs", str(pid))
    except OSError:
        with suppress(OSError):
            os.rmdir(place)
        return None
    return Held("group", f"{_in_words(wanted, budget)}, by the control group {place}", place, before=before)


def _write(path: str, value: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def _by_itself(budget: Budget, usable: int) -> tuple[list[str], list[str]]:
    """Return what a process can be held to by what every system has, and what of a budget it cannot."""
    words, not_held = [], []
    if budget.cores is not None:
        count = min(math.ceil(budget.cores), usable)
        words.append(f"{count} core{'' if count == 1 else 's'} by affinity")
        if count > budget.cores:
            not_held.append(f"{budget.cores:g} cores: {count} can be used")
    if budget.memory is not None:
        words.append(f"{machine.amount(budget.memory)} of data for each process by rlimit")
        not_held.append("memory of all its processes together: nlsh looks every second, and ends what takes more")
    if budget.io is not None:
        not_held.append("how fast it reads and writes")
    return words, not_held


def _process(pid: int, budget: Budget) -> Held:
    """Hold it by what every system has: cores, its own limits, its priority."""
    usable = sorted(os.sched_getaffinity(pid))
    words, not_held = _by_itself(budget, len(usable))
    if budget.cores is not None:
        # Not always the same cores: several jobs would share them while others are idle.
        os.sched_setaffinity(pid, machine.idlest_cores(tuple(usable))[: min(math.ceil(budget.cores), len(usable))])
    if budget.memory is not None:
        # Not of its address space: programs reserve far more of that than they ever use.
        hard = resource.prlimit(pid, resource.RLIMIT_DATA)[1]
        most = budget.memory if hard == resource.RLIM_INFINITY else min(budget.memory, hard)
        resource.prlimit(pid, resource.RLIMIT_DATA, (most, most))
    if budget.nice:
        nice = max(os.getpriority(os.PRIO_PROCESS, pid), budget.nice)
        os.setpriority(os.PRIO_PROCESS, pid, nice)
        words.append(f"nice {nice}")
        # Among sessions that compete as one, its own value counts for nothing outside its own.
        if (session := limits.session(pid)) is not None:
            if session.members == (pid,):
                with suppress(OSError):
                    _write(f"/proc/{pid}/autogroup", str(max(session.nice, budget.nice)))
            if (now := limits.session(pid)) is None or now.nice < budget.nice:
                not_held.append("its place behind programs of other sessions")
    why = f", as {limits.why_not()}" if words else ""
    return Held("process", f"{', '.join(words) or 'nothing'}{why}", "", tuple(not_held))
