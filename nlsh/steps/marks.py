"""Steps on what is known of a file beside its content: its times, its owner and group, the flags of its file system."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible, Refused, StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs, handles
from nlsh.world.files import Identity, group_name, is_same, owner_name
from nlsh.world.flags import FLAGS, GET_FLAGS, flags_of

# See `GET_FLAGS`.
SET_FLAGS = 1 << 30 | struct.calcsize("l") << 16 | 0x6602


@contextmanager
def _held(path: str, known: Identity) -> Iterator[tuple[str, os.stat_result]]:
    """Give a name for the very thing that was approved, whatever takes its place, and its status. Raises StaleStep."""
    with _fs.parent_of(path) as (folder, name):
        _fs.still(folder, name, known, path)
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            status = os.fstat(descriptor)
            if stat.S_ISLNK(status.st_mode) or not is_same(status, known):
                raise StaleStep(f"{path} has changed since it was approved.", hint="Nothing was changed by this step. Ask again.")
            yield f"/proc/self/fd/{descriptor}", status
        finally:
            os.close(descriptor)


@dataclass(frozen=True)
class TouchFile(Step):
    """Set the times of use and of change of a file or folder, in nanoseconds. `identity` is that of before."""

    path: str
    times: tuple[int, int]
    old_times: tuple[int, int]
    identity: Identity

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.meta", self.path),)

    def describe(self) -> str:
        return f"set the time of {self.path}"

    def check(self) -> None:
        status = _fs.still_there(self.path, self.identity)
        # A folder is known without its time.
        if status.st_mtime_ns != self.old_times[1]:
            raise StaleStep(f"{self.path} has changed since it was approved.", hint="Nothing was changed by this step. Ask again.")

    def apply(self) -> None:
        with _fs.explained(f"set the time of {self.path}"), _held(self.path, self.identity) as (held, _):
            os.utime(held, ns=self.times)

    def inverse(self) -> Step:
        known = self.identity if len(self.identity) == 2 else (*self.identity[:2], self.times[1], self.identity[3])
        return TouchFile(self.path, self.old_times, self.times, known)

    def state(self) -> str:
        try:
            found = os.lstat(self.path).st_mtime_ns
        except OSError:
            return "unknown"
        return "done" if found == self.times[1] else "undone" if found == self.old_times[1] else "unknown"


@dataclass(frozen=True)
class ChangeOwner(Step):
    """Change owner and group, (uid, gid), of a file or folder. `root`: why that needs root rights; empty where it does not."""

    path: str
    owner: tuple[int, int]
    old_owner: tuple[int, int]
    identity: Identity
    root: str = ""
    root_back: str = ""

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.meta", self.path), *((Effect("priv.root", self.root),) if self.root else ()))

    def describe(self) -> str:
        changes = [
            f"{what} of {self.path} from {name(old)} to {name(new)}"
            for what, name, old, new in zip(("owner", "group"), (owner_name, group_name), self.old_owner, self.owner, strict=True)
            if old != new
        ]
        return f"change the {' and the '.join(changes)}"

    def check(self) -> None:
        status = _fs.still_there(self.path, self.identity)
        if (status.st_uid, status.st_gid) != self.old_owner:
            raise StaleStep(f"The owner of {self.path} has changed since it was approved.", hint="Nothing was changed by this step. Ask again.")

    def apply(self) -> None:
        with _fs.explained(f"change the owner of {self.path}"), _held(self.path, self.identity) as (held, status):
            if status.st_mode & 0o6000:
                raise Refused(f"{self.path} has a setuid or setgid bit, which it would lose.", hint="Nothing was changed.")
            os.chown(held, *self.owner)

    def inverse(self) -> Step:
        return ChangeOwner(self.path, self.old_owner, self.owner, self.identity, self.root_back, self.root)

    def state(self) -> str:
        try:
            status = os.lstat(self.path)
        except OSError:
            return "unknown"
        now = (status.st_uid, status.st_gid)
        return "done" if now == self.owner else "undone" if now == self.old_owner else "unknown"


@dataclass(frozen=True)
class SetFlag(Step):
    """Set (`on`) or clear a flag of the file system, one of `world.files.FLAGS`, on a file or folder that this worker was handed."""

    path: str
    flag: str
    on: bool
    identity: Identity

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.meta", self.path), Effect("priv.root", f"to set flags of the file system on {self.path} (CAP_LINUX_IMMUTABLE)"))

    def describe(self) -> str:
        return f"make {self.path} {self.flag}" if self.on else f"make {self.path} not {self.flag} any more"

    def check(self) -> None:
        with _fs.explained(f"look at {self.path}"), _fs.parent_of(self.path) as (folder, name):
            # Of an append-only file, content and time may change and it is still the one that was approved.
            status = _fs.status_at(folder, name)
            if (status.st_dev, status.st_ino) != self.identity[:2]:
                raise StaleStep(f"{self.path} is another file than the one that was approved.", hint="Nothing was changed by this step. Ask again.")

    def apply(self) -> None:
        import fcntl

        descriptor = handles.flagged(self.path)
        if descriptor is None:
            raise NotPossible(f"{self.path} could not be opened before the worker was confined.", hint="Nothing was changed by this step.")
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != self.identity[:2]:
            raise StaleStep(f"{self.path} is another file than the one that was approved.", hint="Nothing was changed by this step. Ask again.")
        with _fs.explained(f"make {self.path} {'' if self.on else 'not '}{self.flag}"):
            (flags,) = struct.unpack("=i", fcntl.ioctl(descriptor, GET_FLAGS, bytes(4)))
            bit = FLAGS[self.flag]
            fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("=i", flags | bit if self.on else flags & ~bit))

    def inverse(self) -> Step:
        return SetFlag(self.path, self.flag, not self.on, self.identity)

    def state(self) -> str:
        try:
            has = bool(flags_of(self.path) & FLAGS[self.flag])
        except OSError:
            return "unknown"
        return "done" if has == self.on else "undone"
