"""Steps on what holds processes together: control groups (version 2), units of systemd, and the sessions that Linux lets compete as one.

A group that nlsh makes lasts as long as a process is in it: the next of these steps that finds it empty removes it. A scope goes by itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible, StaleStep
from nlsh.plan.records import Change, Record
from nlsh.plan.steps import Step
from nlsh.steps._bus import asked
from nlsh.steps._process import check_same, check_unchanged, effects_on, not_allowed, tune
from nlsh.world import io_limits, machine, processes
from nlsh.world.bus import Bus, BusError
from nlsh.world.services import MANAGER, ROOT, SYSTEMD

MARK = "nlsh-"
# A process: its number and start, what it is called, and why root rights are needed for it, if they are.
Member = tuple[int, str, str, str]
Setting = tuple[str, str]
Property = tuple[str, int | io_limits.Rates]
_PROPERTIES = "org.freedesktop.DBus.Properties"


def _names(members: tuple[Member, ...]) -> str:
    called = list(dict.fromkeys(m[2] for m in members))
    numbers = ", ".join(str(m[0]) for m in members[:5]) + (", …" if len(members) > 5 else "")
    return f"{', '.join(called[:3])} (process {numbers})"


def _tuned(members: tuple[Member, ...]) -> tuple[Effect, ...]:
    return tuple(dict.fromkeys(e for pid, _, _, root in members for e in effects_on("proc.tune", pid, root)))


def _check_members(members: tuple[Member, ...]) -> None:
    for pid, started, name, _ in members:
        check_same(pid, started, name)


def _read(folder: str, setting: str, wanted: str = "") -> str:
    """Return what a setting says (at the disks of which `wanted` speaks); nothing where there is none."""
    try:
        found = machine.setting(folder, setting)
    except OSError:
        return ""
    return io_limits.like(found, wanted) if setting == io_limits.NAME else found


def _write(folder: str, setting: str, value: str) -> None:
    # The kernel takes one line at a time.
    for line in value.splitlines():
        try:
            # Not created where it is missing: a control group's settings are there or cannot be had.
            descriptor = os.open(f"{folder}/{setting}", os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise NotPossible(f"{folder}/{setting} cannot be set to {line}: {error.strerror}.", hint="This was not changed.") from error


def remove_empty(base: str) -> None:
    """Remove the groups of nlsh's own making in which no process is left."""
    with suppress(OSError):
        for name in os.listdir(base):
            if name.startswith(MARK):
                # The kernel refuses to remove one that holds a process.
                with suppress(OSError):
                    os.rmdir(f"{base}/{name}")


@dataclass(frozen=True)
class SetGroup(Step):
    """Set limits of a control group that holds `members` and nobody else: (setting, value) pairs, before and after. `words` say what is set."""

    folder: str
    members: tuple[Member, ...]
    old: tuple[Setting, ...]
    new: tuple[Setting, ...]
    words: str
    back: str

    def effects(self) -> tuple[Effect, ...]:
        return (*_tuned(self.members), *(Effect("fs.write", f"{self.folder}/{name}") for name, _ in self.new))

    def describe(self) -> str:
        return f"let {_names(self.members)} have {self.words} (by its control group)"

    def check(self) -> None:
        _check_members(self.members)
        if not set(machine.cgroup_members(self.folder)) <= {m[0] for m in self.members}:
            raise StaleStep(f"Other processes have joined the control group of {_names(self.members)}.", hint="Nothing was changed. Ask again.")
        for name, value in self.old:
            check_unchanged(self.folder, name, _read(self.folder, name, value), value)

    def apply(self) -> Iterator[Record]:
        for name, value in self.new:
            _write(self.folder, name, value)
        yield Change(self.describe())

    def inverse(self) -> SetGroup:
        return replace(self, old=self.new, new=self.old, words=self.back, back=self.words)

    def state(self) -> str:
        now = tuple((name, _read(self.folder, name, value)) for name, value in self.new)
        return "done" if now == self.new else "undone" if now == self.old else "unknown"


@dataclass(frozen=True)
class EnterGroup(Step):
    """Make a control group with limits and move processes into it. `old` are the folders they come from, in the order of `members`.

    `controllers` that the folder around it does not share out yet are switched on there, and stay on.
    """

    folder: str
    members: tuple[Member, ...]
    old: tuple[str, ...]
    settings: tuple[Setting, ...]
    controllers: tuple[str, ...]
    words: str

    @property
    def base(self) -> str:
        return os.path.dirname(self.folder)

    def effects(self) -> tuple[Effect, ...]:
        written = [self.folder, *([f"{self.base}/cgroup.subtree_control"] if self.controllers else ())]
        return (*_tuned(self.members), *(Effect("fs.write", path) for path in written))

    def describe(self) -> str:
        return f"let {_names(self.members)} have {self.words} (by a new control group, {self.folder})"

    def check(self) -> None:
        _check_members(self.members)
        for (pid, _, name, _), folder in zip(self.members, self.old, strict=True):
            check_unchanged(name, "control group", machine.cgroup_of(pid) or machine.cgroup_root(), folder)

    def apply(self) -> Iterator[Record]:
        remove_empty(self.base)
        for controller in self.controllers:
            _write(self.base, "cgroup.subtree_control", f"+{controller}")
        try:
            os.mkdir(self.folder)
        except OSError as error:
            raise NotPossible(f"The control group {self.folder} cannot be made: {error.strerror}.", hint="Nothing was changed.") from error
        try:
            for name, value in self.settings:
                _write(self.folder, name, value)
            for pid, started, name, _ in self.members:
                tune(pid, started, name, lambda pid=pid: _write(self.folder, "cgroup.procs", str(pid)))  # type: ignore[misc]
        except NlshError:
            _leave(self.folder, self.members, self.old)
            raise
        yield Change(self.describe())

    def inverse(self) -> LeaveGroup:
        return LeaveGroup(self.folder, self.members, self.old, self.settings, self.words)

    def state(self) -> str:
        now = {machine.cgroup_of(m[0]) or machine.cgroup_root() for m in self.members if processes.same(m[0], m[1])}
        return "done" if now == {self.folder} else "undone" if now and now <= set(self.old) and not os.path.exists(self.folder) else "unknown"


def _leave(folder: str, members: tuple[Member, ...], old: tuple[str, ...]) -> None:
    """Move all that is in a group back to where it came from, and what they have started since to where the first did; remove the group."""
    home = dict(zip((m[0] for m in members), old, strict=True))
    for _ in range(3):  # what forks meanwhile leaves a child behind
        for pid in machine.cgroup_members(folder):
            # One that has ended, or whose old group has, is with the first.
            for target in dict.fromkeys((home.get(pid, old[0]), old[0], os.path.dirname(folder))):
                with suppress(NotPossible):
                    _write(target, "cgroup.procs", str(pid))
                    break
        with suppress(OSError):
            os.rmdir(folder)
        if not os.path.exists(folder):
            return


@dataclass(frozen=True)
class LeaveGroup(Step):
    """Move the processes of a control group back to where they came from, and remove it. What has ended meanwhile needs nothing."""

    folder: str
    members: tuple[Member, ...]
    old: tuple[str, ...]
    settings: tuple[Setting, ...] = ()
    words: str = ""

    def effects(self) -> tuple[Effect, ...]:
        places = dict.fromkeys((*self.old, os.path.dirname(self.folder)))
        return (*_tuned(self.members), Effect("fs.delete", self.folder), *(Effect("fs.write", f"{p}/cgroup.procs") for p in places))

    def describe(self) -> str:
        return f"take {_names(self.members)} out of the control group {self.folder}, with its limits"

    def apply(self) -> Iterator[Record]:
        if os.path.exists(self.folder):
            _leave(self.folder, self.members, self.old)
            if os.path.exists(self.folder):
                raise NotPossible(f"The control group {self.folder} still holds processes.", hint="Those that could be moved are moved. Ask again.")
        remove_empty(os.path.dirname(self.folder))
        yield Change(self.describe())

    def inverse(self) -> EnterGroup | None:
        return EnterGroup(self.folder, self.members, self.old, self.settings, (), self.words) if self.settings else None

    def no_undo(self) -> str:
        return "the limits that its processes had are not known any more"

    def state(self) -> str:
        if not os.path.exists(self.folder):
            return "done"
        return "undone" if {m[0] for m in self.members} & set(machine.cgroup_members(self.folder)) else "unknown"


@dataclass(frozen=True)
class SetUnit(Step):
    """Set limits of the unit of systemd that holds `members`, until it ends: (property, value) pairs, before and after."""

    bus: str
    unit: str
    members: tuple[Member, ...]
    old: tuple[Property, ...]
    new: tuple[Property, ...]
    words: str
    back: str

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", self.bus), Effect("sys.control", self.unit), *_tuned(self.members))

    def describe(self) -> str:
        return f"let {_names(self.members)} have {self.words} (by systemd, as {self.unit})"

    def _now(self, bus: Bus) -> tuple[Property, ...]:
        path = bus.call(SYSTEMD, ROOT, MANAGER, "GetUnit", "s", self.unit)[0]
        kind = f"{SYSTEMD}.{self.unit.rpartition('.')[2].capitalize()}"
        return tuple((name, io_limits.value_of(bus.property(SYSTEMD, path, kind, name))) for name, _ in self.new)

    def check(self) -> None:
        with asked(self.bus, SYSTEMD, "systemd") as bus:
            try:
                now = self._now(bus)
            except BusError as error:
                raise StaleStep(f"{self.unit} has ended since this was previewed.", hint="Nothing was changed. Ask again.") from error
        check_unchanged(self.unit, "set of limits", now, self.old)

    def apply(self) -> Iterator[Record]:
        with asked(self.bus, SYSTEMD, "systemd") as bus:
            old = dict(self.old)
            properties = [(name, io_limits.variant(io_limits.told(value, old[name]))) for name, value in self.new]
            bus.call(SYSTEMD, ROOT, MANAGER, "SetUnitProperties", "sba(sv)", self.unit, True, properties, may_ask=True)
        yield Change(self.describe())

    def inverse(self) -> SetUnit:
        return replace(self, old=self.new, new=self.old, words=self.back, back=self.words)

    def state(self) -> str:
        try:
            with asked(self.bus, SYSTEMD, "systemd") as bus:
                now = self._now(bus)
        except NlshError:
            return "unknown"
        return "done" if now == self.new else "undone" if now == self.old else "unknown"


@dataclass(frozen=True)
class MakeScope(Step):
    """Have systemd put processes into a scope of their own in a `slice`, with limits. It ends with them; undone, it stays without limits."""

    bus: str
    unit: str
    members: tuple[Member, ...]
    new: tuple[Property, ...]
    none: tuple[Property, ...]
    words: str
    slice: str = ""

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", self.bus), Effect("sys.control", self.unit), *_tuned(self.members))

    def describe(self) -> str:
        return f"let {_names(self.members)} have {self.words} (by systemd, as the new {self.unit})"

    def check(self) -> None:
        _check_members(self.members)

    def apply(self) -> Iterator[Record]:
        from nlsh.steps.services import run_job

        properties = [
            ("Description", ("s", f"nlsh: limits for {_names(self.members)}")), ("PIDs", ("au", [m[0] for m in self.members])),
            ("CollectMode", ("s", "inactive-or-failed")), *((name, io_limits.variant(value)) for name, value in self.new),
            *((("Slice", ("s", self.slice)),) if self.slice else ()),
        ]  # fmt: skip
        with asked(self.bus, SYSTEMD, "systemd") as bus:
            run_job(
                bus,
                lambda: bus.call(SYSTEMD, ROOT, MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", self.unit, "fail", properties, [], may_ask=True),
                self.unit,
            )
        yield Change(self.describe())

    def inverse(self) -> SetUnit:
        return SetUnit(self.bus, self.unit, self.members, self.new, self.none, "no limits any more", self.words)

    def state(self) -> str:
        held = {os.path.basename(machine.cgroup_of(m[0])) for m in self.members if processes.same(m[0], m[1])}
        return "done" if held == {self.unit} else "undone" if held and self.unit not in held else "unknown"


def _patiently(descriptor: int, value: bytes) -> None:
    """Write where the kernel takes one change in a tenth of a second, from all users together. Raises BlockingIOError after a while."""
    for _ in range(40):
        with suppress(BlockingIOError):
            os.write(descriptor, value)
            return
        time.sleep(0.05)
    os.write(descriptor, value)


@dataclass(frozen=True)
class SetSessionNice(Step):
    """Set the nice value of the session (Linux's autogroup) of a process: of all processes of one terminal or service together."""

    pid: int
    started: str
    name: str
    session: str
    old: int
    new: int
    undoable: bool = True
    root: str = ""

    def effects(self) -> tuple[Effect, ...]:
        return (*effects_on("proc.tune", self.pid, self.root), Effect("fs.write", f"/proc/{self.pid}/autogroup"))

    def describe(self) -> str:
        how = "by autogroup: sessions compete as one" + ("" if self.undoable else "; only root can set it back")
        return f"set the priority of the session of {self.name} (process {self.pid}) to nice {self.new}, was {self.old} ({how})"

    def _now(self) -> tuple[str, int]:
        session, _, nice = _read(f"/proc/{self.pid}", "autogroup").partition(" nice ")
        return session, int(nice or 0)

    def check(self) -> None:
        check_same(self.pid, self.started, self.name)
        check_unchanged(self.name, "session", self._now(), (self.session, self.old))

    def apply(self) -> Iterator[Record]:
        def change() -> None:
            try:
                descriptor = os.open(f"/proc/{self.pid}/autogroup", os.O_WRONLY | os.O_CLOEXEC)
            except OSError as error:
                raise not_allowed(self.pid, self.name) from error
            try:
                _patiently(descriptor, str(self.new).encode())
            finally:
                os.close(descriptor)

        tune(self.pid, self.started, self.name, change)
        yield Change(self.describe())

    def inverse(self) -> SetSessionNice | None:
        return replace(self, old=self.new, new=self.old) if self.undoable else None

    def state(self) -> str:
        if not processes.same(self.pid, self.started):
            return "unknown"
        now = self._now()
        return "done" if now == (self.session, self.new) else "undone" if now == (self.session, self.old) else "unknown"
