"""Steps on running processes: signals, priority, cores, memory and share of the processor.

Every step carries the process's identity (number and start) and does nothing to another process that has the number now. A signal goes
through a pidfd, so it cannot reach a newcomer; the other calls know numbers only, and hold a pidfd meanwhile to see that it was the right one.
"""

from __future__ import annotations

import os
import resource
import signal as signals
from dataclasses import dataclass, replace

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible, StaleStep
from nlsh.plan.steps import Step
from nlsh.steps._process import check_same, check_unchanged, descriptor_of, each_thread, effects_on, holding, not_allowed, state_of, tune, wait_for
from nlsh.world import machine, processes

WAIT_S = 3.0
_WORDS = {"TERM": "end", "KILL": "end at once", "STOP": "pause", "CONT": "resume"}
_OPPOSITE = {"STOP": "CONT", "CONT": "STOP"}
_UNLIMITED = -1  # resource.RLIM_INFINITY, as the kernel's own -1 on every architecture

Target = tuple[int, str]  # a process's number and start


@dataclass(frozen=True)
class Signal(Step):
    """Send a signal: TERM or KILL to end a process, STOP to pause it, CONT to resume it.

    A call that ends several processes is one step for each. The first has all of them in `begins`: all must still be there, else nothing is
    sent to any. The later ones `may_be_gone`, as a child goes with its parent. The last has all of them in `awaits`: they are waited for
    together, since one may wait for another. Nobody is killed because it did not end when asked: that is reported.
    """

    pid: int
    started: str
    name: str
    signal: str
    command: str = ""
    begins: tuple[Target, ...] = ()
    awaits: tuple[Target, ...] = ()
    may_be_gone: bool = False
    root: str = ""

    def effects(self) -> tuple[Effect, ...]:
        return effects_on("proc.signal", self.pid, self.root)

    def describe(self) -> str:
        command = f": {self.command}" if self.command and self.command != self.name else ""
        return f"{_WORDS[self.signal]} {self.name} (process {self.pid}){command}"

    def check(self) -> None:
        if not self.may_be_gone:
            for pid, started in self.begins or ((self.pid, self.started),):
                check_same(pid, started, self.name)

    def apply(self) -> None:
        with holding(self.pid, self.started) as descriptor:
            if descriptor is not None:
                self._send(descriptor)
            elif not self.may_be_gone:
                check_same(self.pid, self.started, self.name)
        if self.awaits:
            self._await()

    def _send(self, descriptor: int) -> None:
        found = processes.read(self.pid)
        try:
            signals.pidfd_send_signal(descriptor, getattr(signals, f"SIG{self.signal}"))
            # A paused process would see the signal only when it is resumed.
            if self.signal == "TERM" and found is not None and found.state == "T":
                signals.pidfd_send_signal(descriptor, signals.SIGCONT)
        except ProcessLookupError:
            if not self.may_be_gone:
                check_same(self.pid, self.started, self.name)
        except PermissionError as error:
            raise not_allowed(self.pid, self.name) from error

    def _await(self) -> None:
        held: dict[int, tuple[int, bool]] = {}
        try:
            for pid, started in self.awaits:
                descriptor, own = descriptor_of(pid)
                if descriptor is None:
                    continue
                held[descriptor] = (pid, own)
                if not processes.same(pid, started):
                    held.pop(descriptor)
                    if own:
                        os.close(descriptor)
            left = sorted(held[d][0] for d in wait_for(list(held), WAIT_S))
        finally:
            for descriptor, (_, own) in held.items():
                if own:
                    os.close(descriptor)
        if left:
            raise NlshError(
                f"{self.name} (process {', '.join(map(str, left))}) is still running {WAIT_S:.0f} seconds after it was asked to end.",
                hint="It may still be saving its work. To end it at once, unsaved work lost, say so: force=true."
                if self.signal == "TERM"
                else "The kernel ends it when it comes back from what it waits for, a disk or network share perhaps.",
                code="process.still-running",
            )

    def inverse(self) -> Signal | None:
        return replace(self, signal=_OPPOSITE[self.signal], begins=(), awaits=(), may_be_gone=False) if self.signal in _OPPOSITE else None

    def state(self) -> str:
        found = processes.read(self.pid)
        if found is None or found.started != self.started or self.signal not in _OPPOSITE:
            return "unknown"
        return "done" if (found.state == "T") == (self.signal == "STOP") else "undone"


@dataclass(frozen=True)
class SetNice(Step):
    """Set the nice value of every thread of a process: (thread, value) pairs, before and after.

    Linux keeps a value for each thread. A user may raise the value but not lower it again: then `undoable` is false.
    """

    pid: int
    started: str
    name: str
    old: tuple[tuple[int, int], ...]
    new: tuple[tuple[int, int], ...]
    undoable: bool = True
    root: str = ""
    root_back: str = ""
    why: str = ""

    def effects(self) -> tuple[Effect, ...]:
        return effects_on("proc.tune", self.pid, self.root)

    def describe(self) -> str:
        once = "" if self.undoable else " (only root can set it back)"
        why = f" ({self.why})" if self.why else ""
        return f"set the priority of {self.name} (process {self.pid}) to nice {dict(self.new)[self.pid]}, was {dict(self.old)[self.pid]}{once}{why}"

    def check(self) -> None:
        check_same(self.pid, self.started, self.name)
        found = processes.read(self.pid)
        check_unchanged(self.name, "nice value", found and found.nice, dict(self.old)[self.pid])

    def apply(self) -> None:
        tune(self.pid, self.started, self.name, lambda: each_thread(self.pid, dict(self.new), lambda t, v: os.setpriority(os.PRIO_PROCESS, t, v)))  # type: ignore[arg-type]

    def inverse(self) -> SetNice | None:
        return replace(self, old=self.new, new=self.old, root=self.root_back, root_back=self.root) if self.undoable else None

    def state(self) -> str:
        found = processes.read(self.pid)
        return state_of(found, self.started, found and found.nice, dict(self.old)[self.pid], dict(self.new)[self.pid])


@dataclass(frozen=True)
class SetAffinity(Step):
    """Set the cores that every thread of a process may use: (thread, cores) pairs, before and after."""

    pid: int
    started: str
    name: str
    old: tuple[tuple[int, tuple[int, ...]], ...]
    new: tuple[tuple[int, tuple[int, ...]], ...]
    root: str = ""
    why: str = ""

    def effects(self) -> tuple[Effect, ...]:
        return effects_on("proc.tune", self.pid, self.root)

    def describe(self) -> str:
        new, old = dict(self.new)[self.pid], dict(self.old)[self.pid]
        count = f"{len(new)} core{'' if len(new) == 1 else 's'}"
        why = f" ({self.why})" if self.why else ""
        return f"let {self.name} (process {self.pid}) use {count} ({', '.join(map(str, new))}), was {', '.join(map(str, old))}{why}"

    def check(self) -> None:
        check_same(self.pid, self.started, self.name)
        now, old = os.sched_getaffinity(self.pid), set(dict(self.old)[self.pid])
        # The kernel leaves out cores that the process's control group has not.
        if not now <= old:
            check_unchanged(self.name, "set of cores", sorted(now), sorted(old))

    def apply(self) -> None:
        tune(self.pid, self.started, self.name, lambda: each_thread(self.pid, dict(self.new), lambda t, v: os.sched_setaffinity(t, v)))  # type: ignore[arg-type]

    def inverse(self) -> SetAffinity:
        return replace(self, old=self.new, new=self.old)

    def state(self) -> str:
        found = processes.read(self.pid)
        now = tuple(sorted(os.sched_getaffinity(self.pid))) if found else None
        return state_of(found, self.started, now, dict(self.old)[self.pid], dict(self.new)[self.pid])


@dataclass(frozen=True)
class SetMemoryLimit(Step):
    """Limit the memory of a process, in bytes, -1 for no limit: of its control group where `group` names one, else of its address space.

    A control group is limited only where `members` are all that is in it. The address space is limited by RLIMIT_AS, its soft value only, so
    that it can be taken back.
    """

    pid: int
    started: str
    name: str
    old: int
    new: int
    group: str = ""
    members: tuple[int, ...] = ()
    root: str = ""

    def effects(self) -> tuple[Effect, ...]:
        written = (Effect("fs.write", f"{self.group}/memory.max"),) if self.group else ()
        return (*effects_on("proc.tune", self.pid, self.root), *written)

    def describe(self) -> str:
        how = f"by its control group, {len(self.members)} process(es) together" if self.group else "by rlimit: its address space, which is more than it uses"
        return f"limit the memory of {self.name} (process {self.pid}) to {_size(self.new)}, was {_size(self.old)} ({how})"

    def check(self) -> None:
        check_same(self.pid, self.started, self.name)
        _check_group(self.group, self.members, self.name)
        check_unchanged(self.name, "memory limit", self._now(), self.old)

    def _now(self) -> int:
        if not self.group:
            return resource.prlimit(self.pid, resource.RLIMIT_AS)[0]
        written = _read_group(self.group, "memory.max")
        return _UNLIMITED if written == "max" else int(written or 0)

    def apply(self) -> None:
        if self.group:
            _write_group(self.group, "memory.max", "max" if self.new == _UNLIMITED else str(self.new))
            return

        def change() -> None:
            hard = resource.prlimit(self.pid, resource.RLIMIT_AS)[1]
            resource.prlimit(self.pid, resource.RLIMIT_AS, (self.new, hard))

        tune(self.pid, self.started, self.name, change)

    def inverse(self) -> SetMemoryLimit:
        return replace(self, old=self.new, new=self.old)

    def state(self) -> str:
        found = processes.read(self.pid)
        return state_of(found, self.started, found and self._now(), self.old, self.new)


def _size(limit: int) -> str:
    return "no limit" if limit == _UNLIMITED else machine.amount(limit)


def _check_group(group: str, members: tuple[int, ...], name: str) -> None:
    if group and not set(machine.cgroup_members(group)) <= set(members):
        raise StaleStep(f"Other processes have joined the control group of {name} since this was previewed.", hint="Nothing was changed. Ask again.")


def _read_group(group: str, setting: str) -> str:
    try:
        with open(f"{group}/{setting}", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _write_group(group: str, setting: str, value: str) -> None:
    try:
        # Not created where it is missing: a control group's settings are there or cannot be had.
        descriptor = os.open(f"{group}/{setting}", os.O_WRONLY | os.O_TRUNC)
    except OSError as error:
        raise NotPossible(f"{group}/{setting} cannot be written: {error.strerror}.", hint="Nothing was changed.") from error
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class SetCpuShare(Step):
    """Set `cpu.max` of a process's control group, in the kernel's own words ("20000 100000", "max 100000"), before and after."""

    pid: int
    started: str
    name: str
    group: str
    members: tuple[int, ...]
    old: str
    new: str
    root: str = ""

    def effects(self) -> tuple[Effect, ...]:
        return (*effects_on("proc.tune", self.pid, self.root), Effect("fs.write", f"{self.group}/cpu.max"))

    def describe(self) -> str:
        return f"limit {self.name} (process {self.pid}) to the time of {_cores(self.new)}, was {_cores(self.old)} (by its control group)"

    def check(self) -> None:
        check_same(self.pid, self.started, self.name)
        _check_group(self.group, self.members, self.name)
        check_unchanged(self.name, "share of the processor", _read_group(self.group, "cpu.max"), self.old)

    def apply(self) -> None:
        _write_group(self.group, "cpu.max", self.new)

    def inverse(self) -> SetCpuShare:
        return replace(self, old=self.new, new=self.old)

    def state(self) -> str:
        found = processes.read(self.pid)
        return state_of(found, self.started, _read_group(self.group, "cpu.max"), self.old, self.new)


def _cores(setting: str) -> str:
    quota, _, period = setting.partition(" ")
    if quota == "max":
        return "all cores"
    share = int(quota) / int(period or 100_000)
    return f"{share:.2g} core{'' if share == 1 else 's'}"
