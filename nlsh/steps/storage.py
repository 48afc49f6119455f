"""Steps on disks and sticks: mount, unmount, eject, label and format them, through the system's disk service (UDisks2).

A confined worker cannot mount anything itself: Landlock and the filter of system calls forbid it, whoever it runs as. The service does it for
those who may. Labels and new file systems are also written by the file system's own tools, where nlsh is root.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible, StaleStep
from nlsh.plan.records import Change, Record
from nlsh.plan.steps import Step
from nlsh.steps._bus import asked
from nlsh.world import udisks, volumes
from nlsh.world.bus import Bus, BusError

_PATIENCE_S = 120.0
_FORMAT_S = 4 * 3600.0
_WHAT = "the disk service"


def _ordered(bus: Bus, path: str, interface: str, method: str, signature: str, *body: Any, seconds: float = _PATIENCE_S) -> tuple[Any, ...]:
    try:
        return bus.call(udisks.SERVICE, path, interface, method, signature, *body, seconds=seconds, may_ask=True)
    except BusError as error:
        if "NotAuthorized" in error.name:
            raise NotPossible("The system does not let you do this.", hint="Nothing was changed. Run nlsh with sudo, or as somebody who may.") from error
        if error.name.endswith(".DeviceBusy"):
            raise NotPossible(f"It is in use: {error.message}", hint="Nothing was changed. Close what has files open there and ask again.") from error
        raise


def _check(node: str, known: str) -> None:
    if volumes.identity(node) != known:
        raise StaleStep(f"{node} is not the device any more that was approved.", hint="Nothing was done to what is there now. Ask again.")


def _free(node: str) -> None:
    if places := volumes.mounts_of(node):
        raise StaleStep(f"{node} is mounted on {', '.join(places)} now.", hint="Nothing was changed. Ask again.")


@dataclass(frozen=True)
class _OnDevice(Step):
    """What all of these have: the node, its identity when it was approved, and what a person knows it by."""

    node: str
    known: str
    called: str

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", "system"), Effect("dev.control", self.node), Effect("dev.read", "block"))

    def check(self) -> None:
        _check(self.node, self.known)


@dataclass(frozen=True)
class MountVolume(_OnDevice):
    """Have a file system mounted where the system mounts such things, with mount options such as "ro"."""

    options: str = ""

    def describe(self) -> str:
        return f"mount {self.called}{' read-only' if self.options == 'ro' else ''}"

    def check(self) -> None:
        super().check()
        _free(self.node)

    def apply(self) -> Iterator[Record]:
        options = {"options": ("s", self.options)} if self.options else {}
        with asked("system", udisks.SERVICE, _WHAT) as bus:
            place = str(_ordered(bus, udisks.object_of(bus, self.node), udisks.FILE_SYSTEM, "Mount", "a{sv}", options)[0])
        yield Change(f"mounted {self.node} on {place}", place)

    def inverse(self) -> Step:
        return UnmountVolume(self.node, self.known, self.called, self.options)

    def state(self) -> str:
        return "unknown" if volumes.identity(self.node) != self.known else "done" if volumes.mounts_of(self.node) else "undone"


@dataclass(frozen=True)
class UnmountVolume(_OnDevice):
    """Have a file system unmounted; what was not written yet is written first."""

    options: str = ""

    def describe(self) -> str:
        return f"unmount {self.called}"

    def check(self) -> None:
        super().check()
        if not volumes.mounts_of(self.node):
            raise StaleStep(f"{self.node} is not mounted any more.", hint="Nothing was changed.")

    def apply(self) -> None:
        with asked("system", udisks.SERVICE, _WHAT) as bus:
            _ordered(bus, udisks.object_of(bus, self.node), udisks.FILE_SYSTEM, "Unmount", "a{sv}", {})

    def inverse(self) -> Step:
        return MountVolume(self.node, self.known, self.called, self.options)

    def state(self) -> str:
        return "unknown" if volumes.identity(self.node) != self.known else "undone" if volumes.mounts_of(self.node) else "done"


@dataclass(frozen=True)
class EjectVolume(_OnDevice):
    """Put a disc out, or switch a stick off so that it may be pulled: `method` is Eject or PowerOff."""

    method: str

    def describe(self) -> str:
        return f"eject {self.called}" if self.method == "Eject" else f"switch off {self.called}, so that it can be pulled out"

    def check(self) -> None:
        super().check()
        _free(self.node)

    def apply(self) -> None:
        with asked("system", udisks.SERVICE, _WHAT) as bus:
            drive = udisks.drive_of(bus, self.node)[0]
            _ordered(bus, drive, udisks.DRIVE, self.method, "a{sv}", {})

    def no_undo(self) -> str:
        return "it has to be put in again by hand"


@dataclass(frozen=True)
class LabelVolume(_OnDevice):
    """Give a file system another name."""

    before: str
    after: str

    def describe(self) -> str:
        return f"name {self.called} “{self.after}” (it is called “{self.before}”)" if self.before else f"name {self.called} “{self.after}” (it has no name)"

    def apply(self) -> None:
        with asked("system", udisks.SERVICE, _WHAT) as bus:
            _ordered(bus, udisks.object_of(bus, self.node), udisks.FILE_SYSTEM, "SetLabel", "sa{sv}", self.after, {})

    def inverse(self) -> Step:
        return LabelVolume(self.node, self.known, self.called, self.after, self.before)


@dataclass(frozen=True)
class FormatVolume(_OnDevice):
    """Make a new, empty file system on a device, through the disk service."""

    file_system: str

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("bus.call", "system"), Effect("dev.format", self.node), Effect("dev.read", "block"))

    def describe(self) -> str:
        return f"erase {self.called} and make a new {self.file_system} file system on it"

    def check(self) -> None:
        super().check()
        _free(self.node)

    def apply(self) -> None:
        options = {"take-ownership": ("b", True), "update-partition-type": ("b", True)}
        with asked("system", udisks.SERVICE, _WHAT) as bus:
            _ordered(bus, udisks.object_of(bus, self.node), udisks.BLOCK, "Format", "sa{sv}", self.file_system, options, seconds=_FORMAT_S)

    def no_undo(self) -> str:
        return "all that was on it is lost"


@dataclass(frozen=True)
class RunOnDevice(_OnDevice):
    """As root, have a file system's own tool write to a device that is not mounted: `argv` names it; `back` takes it back (empty: it cannot be).

    `kind` is the effect on the device: dev.control, or dev.format for what erases it.
    """

    argv: tuple[str, ...]
    what: str
    kind: str
    back: tuple[str, ...] = ()
    back_what: str = ""

    def effects(self) -> tuple[Effect, ...]:
        reason = f"{self.node} is written to directly"
        return (
            Effect("tool.run", shlex.join(self.argv)), Effect(self.kind, self.node), Effect("dev.read", "block"), Effect("priv.root", reason),
        )  # fmt: skip

    def describe(self) -> str:
        return self.what

    def check(self) -> None:
        super().check()
        _free(self.node)

    def apply(self) -> None:
        from nlsh.world.tools import environment, failed

        try:
            done = subprocess.run(self.argv, cwd="/", env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except OSError as error:
            raise NlshError(f"{os.path.basename(self.argv[0])} cannot be run: {error.strerror}.", hint="Nothing was done.", code="tool.failed") from error
        if done.returncode:
            raise failed(self.argv, done.returncode, done.stderr or done.stdout)

    def inverse(self) -> Step | None:
        if not self.back:
            return None
        return RunOnDevice(self.node, self.known, self.called, self.back, self.back_what, self.kind, self.argv, self.what)

    def no_undo(self) -> str:
        return "all that was on it is lost"
