"""Budget: hold a process that nlsh itself has started, and all that it starts, to so much of the machine, by the best means that this system gives.

`hold` is for whoever starts workers: called once, right after the start, before the process starts others. What it could not hold is said.
"""

from __future__ import annotations

import math
import os
import resource
from contextlib import suppress
from dataclasses import dataclass

from nlsh.plan.errors import NlshError
from nlsh.resources import limits
from nlsh.world import machine

_SYSTEMD_S = 10.0


@dataclass(frozen=True, slots=True)
class Budget:
    """What a job may use at most: `cores` of time, bytes of `memory`. `nice` (0 to 19): how far behind others it stands at processor and disk."""

    cores: float | None = None
    memory: int | None = None
    nice: int = 0

    @property
    def weight(self) -> int | None:
        """Its weight among control groups, 100 being usual: as much less as the nice value says."""
        return None if self.nice <= 0 else max(1, round(100 / 1.25 ** min(self.nice, 19)))


@dataclass(frozen=True, slots=True)
class Held:
    """How a process is held: `kind` is group, scope or process; `words` say it to a person; `not_held`: what of the budget is not enforced."""

    kind: str
    words: str
    place: str = ""
    not_held: tuple[str, ...] = ()

    def release(self) -> bool:
        """Give back what holding it took; return whether that is all done. Call it when the job has ended: a group with a process in it stays."""
        if self.kind != "group":
            return True  # a scope and a process's own limits go with it
        with suppress(OSError):
            os.rmdir(self.place)
        return not os.path.exists(self.place)


def hold(pid: int, budget: Budget, name: str = "job") -> Held:
    """Hold `pid` to `budget`. Raises ProcessLookupError where it has ended, ValueError for a budget that is none."""
    if (budget.cores is not None and budget.cores <= 0) or (budget.memory is not None and budget.memory <= 0) or not 0 <= budget.nice <= 19:
        raise ValueError("a budget is more than nothing, and nice is from 0 to 19")
    os.kill(pid, 0)
    wanted = limits.settings(cores=budget.cores, weight=budget.weight, memory=budget.memory)
    if wanted:
        for means in (_scope, _group):
            if held := means(pid, wanted, name):
                return held
    return _process(pid, budget)


def _scope(pid: int, wanted: dict[str, str], name: str) -> Held | None:
    """Have systemd make a scope for it. None where there is none, or it will not."""
    from nlsh.steps.handles import bus as connect
    from nlsh.steps.services import run_job
    from nlsh.world.bus import Bus
    from nlsh.world.services import MANAGER, ROOT, SYSTEMD

    if not os.path.isdir(limits.BOOTED) or not (target := limits.manager()):
        return None
    unit = f"{limits.fresh(name)}.scope"
    properties = [("PIDs", ("au", [pid])), ("CollectMode", ("s", "inactive-or-failed")), *((n, ("t", v)) for n, v in limits.as_properties(wanted))]
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
    return Held("scope", f"{limits.in_words(wanted)}, by systemd, as {unit}", unit)


def _group(pid: int, wanted: dict[str, str], name: str) -> Held | None:
    """Make a control group for it. None where none can be made."""
    controllers = {s.partition(".")[0] for s in wanted}
    base = limits.room(controllers)
    if not base or os.path.isdir(limits.BOOTED):
        return None
    place = f"{base}/{limits.fresh(name)}"
    try:
        for controller in controllers - set(machine.setting(base, "cgroup.subtree_control").split()):
            _write(f"{base}/cgroup.subtree_control", f"+{controller}")
        os.mkdir(place)
        for setting, value in wanted.items():
            _write(f"{place}/{setting}", value)
        _write(f"{place}/cgroup.procs", str(pid))
    except OSError:
        with suppress(OSError):
            os.rmdir(place)
        return None
    return Held("group", f"{limits.in_words(wanted)}, by the control group {place}", place)


def _write(path: str, value: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def _process(pid: int, budget: Budget) -> Held:
    """Hold it by what every system has: cores, its own limits, its priority."""
    words, not_held = [], []
    if budget.cores is not None:
        usable = sorted(os.sched_getaffinity(pid))
        count = min(math.ceil(budget.cores), len(usable))
        # Not always the same cores: several jobs would share them while others are idle.
        os.sched_setaffinity(pid, machine.idlest_cores(tuple(usable))[:count])
        words.append(f"{count} core{'' if count == 1 else 's'} by affinity")
        if count > budget.cores:
            not_held.append(f"{budget.cores:g} cores: {count} can be used")
    if budget.memory is not None:
        hard = resource.prlimit(pid, resource.RLIMIT_AS)[1]
        most = budget.memory if hard == resource.RLIM_INFINITY else min(budget.memory, hard)
        resource.prlimit(pid, resource.RLIMIT_AS, (most, most))
        words.append(f"{machine.amount(most)} of address space for each process by rlimit")
        not_held.append("memory of all its processes together")
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
    return Held("process", f"{', '.join(words) or 'nothing'}, as {limits.why_not()}", "", tuple(not_held))
