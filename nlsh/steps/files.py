"""Steps on files and folders: move, copy, make, remove, times, modes.

Paths in steps are absolute and have no link in their folder part (`world.files.real_place`): a link that appears there later is drift.
The trash has its own module, `trash`; the system calls are in `_fs`.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from nlsh.plan.effects import Effect
from nlsh.plan.errors import Refused, StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs, _moving
from nlsh.world.files import Identity, is_same, loosened


def _folder(path: str) -> tuple[str, ...]:
    return (os.path.dirname(path),)


def _reading(path: str, link: bool) -> tuple[Effect, ...]:
    # Reading a link is not an effect: it would stand for what the link leads to.
    return () if link else (Effect("fs.read", path),)


@dataclass(frozen=True)
class MovePath(Step):
    """Move or rename one file, link or folder; never over something that exists.

    `same_device`: whether source and target were on one file system when this was previewed; if not, the data is copied and then removed.
    `link`: whether it is a link: then what it leads to is none of this step's business.
    """

    source: str
    target: str
    identity: Identity
    same_device: bool = True
    link: bool = False

    @property
    def applies_checked(self) -> bool:  # type: ignore[override]
        return self.same_device

    @property
    def quick(self) -> bool:  # type: ignore[override]
        return self.same_device

    def effects(self) -> tuple[Effect, ...]:
        return (*_reading(self.source, self.link), Effect("fs.delete", self.source), Effect("fs.write", self.target))

    def describe(self) -> str:
        return f"move {self.source} to {self.target}"

    def check(self) -> None:
        _fs.still_there(self.source, self.identity)
        _fs.must_be_free(self.target)

    def apply(self) -> None:
        with _fs.explained(f"move {self.source} to {self.target}"):
            _moving.move(self.source, self.target, self.identity)

    def inverse(self) -> Step:
        # A worker that may not read what a link leads to may have to make the link anew (Landlock: nothing moves to where it gains rights).
        kept = self.same_device and not self.link
        return MovePath(self.target, self.source, self.identity if kept else loosened(self.identity), self.same_device, self.link)

    def state(self) -> str:
        if _fs.is_free(self.target):
            return "undone"
        return "done" if _fs.is_free(self.source) else "unknown"

    def touches(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_folder(self.source) + _folder(self.target)))

    def makes(self) -> tuple[tuple[str, str], ...]:
        return ((self.target, "folder" if len(self.identity) == 2 else "file"),)


@dataclass(frozen=True)
class CopyPath(Step):
    """Copy one file, link (`link`) or named pipe with its mode, times and attributes; never over something that exists."""

    source: str
    target: str
    identity: Identity
    link: bool = False

    def effects(self) -> tuple[Effect, ...]:
        return (*_reading(self.source, self.link), Effect("fs.write", self.target))

    def describe(self) -> str:
        return f"copy {self.source} to {self.target}"

    def check(self) -> None:
        _fs.still_there(self.source, self.identity)
        _fs.must_be_free(self.target)

    def apply(self) -> None:
        doing = _fs.explained(f"copy {self.source} to {self.target}")
        with doing, _fs.parent_of(self.source) as (old_folder, old), _fs.parent_of(self.target) as (new_folder, new):
            _fs.still(old_folder, old, self.identity, self.source)
            _fs.copy_entry(old_folder, old, new_folder, new)

    def inverse(self) -> Step:
        return RemoveCopy(self.source, self.target, loosened(self.identity), self.link)

    def state(self) -> str:
        return _present(self.target, loosened(self.identity))

    def leftovers(self) -> tuple[str, ...]:
        return (self.target,) if self.state() == "unknown" else ()

    def touches(self) -> tuple[str, ...]:
        return _folder(self.target)

    def makes(self) -> tuple[tuple[str, str], ...]:
        return ((self.target, "file"),)


def _present(path: str, known: Identity) -> str:
    try:
        status = os.lstat(path)
    except OSError:
        return "undone"
    return "done" if is_same(status, known) else "unknown"


@dataclass(frozen=True)
class RemoveCopy(Step):
    """Remove a copy that nlsh made, if it is still what was made; its source can make it again."""

    source: str
    target: str
    identity: Identity
    link: bool = False

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.delete", self.target),)

    def describe(self) -> str:
        return f"remove the copy {self.target}"

    def check(self) -> None:
        _fs.still_there(self.target, self.identity)

    def apply(self) -> None:
        with _fs.explained(f"remove {self.target}"), _fs.parent_of(self.target) as (folder, name):
            _fs.still(folder, name, self.identity, self.target)
            os.unlink(name, dir_fd=folder)

    def inverse(self) -> Step:
        return CopyPath(self.source, self.target, self.identity, self.link)

    def state(self) -> str:
        return {"done": "undone", "undone": "done"}.get(_present(self.target, self.identity), "unknown")

    def touches(self) -> tuple[str, ...]:
        return _folder(self.target)


@dataclass(frozen=True)
class MakeFolder(Step):
    """Make one folder. `mode` None: what the user's umask says; `like`: a folder whose attributes it gets, when it is a copy."""

    path: str
    mode: int | None = None
    like: str = ""

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.write", self.path), *((Effect("fs.read", self.like),) if self.like else ()))

    def describe(self) -> str:
        return f"create folder {self.path}"

    def check(self) -> None:
        _fs.must_be_free(self.path)

    def apply(self) -> None:
        with _fs.explained(f"create folder {self.path}"), _fs.parent_of(self.path) as (folder, name):
            os.mkdir(name, 0o777 if self.mode is None else self.mode & 0o777, dir_fd=folder)
            if self.mode is not None or self.like:
                made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                try:
                    if self.like:
                        _fs.copy_attributes(self.like, made)
                    if self.mode is not None:
                        os.fchmod(made, self.mode & 0o1777)
                finally:
                    os.close(made)

    def inverse(self) -> Step:
        return RemoveEmptyFolder(self.path, self.mode, self.like)

    def state(self) -> str:
        return "done" if os.path.isdir(self.path) else "undone"

    def touches(self) -> tuple[str, ...]:
        return _folder(self.path)

    def makes(self) -> tuple[tuple[str, str], ...]:
        return ((self.path, "folder"),)


@dataclass(frozen=True)
class RemoveEmptyFolder(Step):
    """Remove a folder that has nothing in it; `mode` and `like` are what it is made again with."""

    path: str
    mode: int | None = None
    like: str = ""

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.read", self.path), Effect("fs.delete", self.path))

    def describe(self) -> str:
        return f"remove the empty folder {self.path}"

    def check(self) -> None:
        with _fs.explained(f"look into {self.path}"):
            if not stat.S_ISDIR(os.lstat(self.path).st_mode):
                raise StaleStep(f"{self.path} is no folder any more.", hint="Nothing was changed by this step.")
            names = os.listdir(self.path)
            if names:
                raise StaleStep(f"{self.path} is not empty: {names[0]} is in it.", hint="Nothing was removed. Move it elsewhere and ask again.")

    def apply(self) -> None:
        with _fs.explained(f"remove {self.path}"), _fs.parent_of(self.path) as (folder, name):
            os.rmdir(name, dir_fd=folder)

    def inverse(self) -> Step:
        return MakeFolder(self.path, self.mode, self.like)

    def state(self) -> str:
        return "undone" if os.path.isdir(self.path) else "done"

    def touches(self) -> tuple[str, ...]:
        return _folder(self.path)


@dataclass(frozen=True)
class SetTimes(Step):
    """Give a folder that was copied its mode and times, once everything is in it; None leaves the times as they are.

    `old_mode` is the mode it had while it was filled, which is what undo needs to empty it again.
    """

    path: str
    atime_ns: int | None
    mtime_ns: int | None
    mode: int
    old_mode: int

    @property
    def _changes(self) -> bool:
        return self.mtime_ns is not None or self.mode != self.old_mode

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.meta", self.path),) if self._changes else ()

    def describe(self) -> str:
        return f"give {self.path} the mode and times of what it is a copy of" if self.mtime_ns is not None else f"give {self.path} its mode"

    def check(self) -> None:
        if not os.path.isdir(self.path) or os.path.islink(self.path):
            raise StaleStep(f"{self.path} is no folder any more.", hint="Nothing was changed by this step.")

    def apply(self) -> None:
        if not self._changes:
            return
        with _fs.explained(f"set the times of {self.path}"):
            descriptor = _fs.open_folder(self.path)
            try:
                # A descriptor that only names the folder: it may not be readable for its owner.
                held = f"/proc/self/fd/{descriptor}"
                os.chmod(held, self.mode & 0o1777)
                if self.mtime_ns is not None and self.atime_ns is not None:
                    os.utime(held, ns=(self.atime_ns, self.mtime_ns))
            finally:
                os.close(descriptor)

    def inverse(self) -> Step:
        return SetTimes(self.path, None, None, self.old_mode, self.mode)

    def state(self) -> str:
        try:
            status = os.lstat(self.path)
        except OSError:
            return "unknown"
        return "done" if self.mtime_ns is not None and status.st_mtime_ns == self.mtime_ns else "unknown"


@dataclass(frozen=True)
class DeletePath(Step):
    """Delete a file, or a folder and all below it, for good. Links are removed, never followed. There is no inverse."""

    path: str
    identity: Identity
    entries: int = 0

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.read", self.path), Effect("fs.delete", self.path))

    def describe(self) -> str:
        inside = f" and all {self.entries} things in it" if self.entries else ""
        return f"delete {self.path}{inside} for good"

    def check(self) -> None:
        _fs.still_there(self.path, self.identity)

    def apply(self) -> None:
        with _fs.explained(f"delete all of {self.path}"), _fs.parent_of(self.path) as (folder, name):
            _fs.remove_tree(folder, name, self.identity)


@dataclass(frozen=True)
class ChangeMode(Step):
    """Change the permission bits of a file or folder. Links are refused; setuid and setgid are never set."""

    path: str
    mode: int
    old_mode: int
    identity: Identity

    def __post_init__(self) -> None:
        if (self.mode | self.old_mode) & 0o6000:
            raise Refused(f"{self.path}: setuid and setgid bits are not changed by nlsh.", hint="Nothing was changed.")

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.meta", self.path),)

    def describe(self) -> str:
        return f"change the mode of {self.path} from {stat.filemode(self.old_mode)[1:]} to {stat.filemode(self.mode)[1:]}"

    def check(self) -> None:
        status = _fs.still_there(self.path, self.identity)
        if stat.S_IMODE(status.st_mode) != self.old_mode:
            raise StaleStep(f"The mode of {self.path} has changed since it was approved.", hint="Nothing was changed by this step. Ask again.")

    def apply(self) -> None:
        with _fs.explained(f"change the mode of {self.path}"), _fs.parent_of(self.path) as (folder, name):
            descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                status = os.fstat(descriptor)
                if stat.S_ISLNK(status.st_mode) or not is_same(status, self.identity):
                    raise StaleStep(f"{self.path} has changed since it was approved.", hint="Nothing was changed by this step. Ask again.")
                os.chmod(f"/proc/self/fd/{descriptor}", self.mode)
            finally:
                os.close(descriptor)

    def inverse(self) -> Step:
        return ChangeMode(self.path, self.old_mode, self.mode, self.identity)

    def state(self) -> str:
        try:
            mode = stat.S_IMODE(os.lstat(self.path).st_mode)
        except OSError:
            return "unknown"
        return "done" if mode == self.mode else "undone" if mode == self.old_mode else "unknown"
