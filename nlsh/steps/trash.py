"""Steps of the trash (freedesktop.org trash specification 1.0): put something in, put it back, delete it there for good."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass

from nlsh.plan.effects import Effect
from nlsh.plan.errors import StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs, _moving
from nlsh.world.files import Identity, loosened

_MOST_INFO = 64 << 10  # bytes
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~/")


def info_text(written: str, when: str) -> str:
    """Return what a .trashinfo holds; `written` is the path it gives, `when` local time as YYYY-MM-DDThh:mm:ss."""
    escaped = "".join(chr(b) if b in _UNRESERVED else f"%{b:02X}" for b in os.fsencode(written))
    return f"[Trash Info]\nPath={escaped}\nDeletionDate={when}\n"


def _inside(trash: str, name: str) -> tuple[str, str]:
    return os.path.join(trash, "files", name), os.path.join(trash, "info", name + ".trashinfo")


def is_free_note(path: str, text: str) -> bool:
    """Return whether the information on what is thrown away can be written: nothing is there, or what a run that was cut short had written."""
    return _fs.is_free(path) or _is_ours(path, None, text)


def clear_note(folder: int, name: str, text: str) -> None:
    """Remove the information that a run that was cut short had written; another's is left."""
    with suppress(FileNotFoundError):
        if _is_ours(name, folder, text):
            os.unlink(name, dir_fd=folder)


def _is_ours(path: str, folder: int | None, text: str) -> bool:
    """Whether a note holds this text, or as much of it as was written before the machine stopped."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        return stat.S_ISREG(os.fstat(descriptor).st_mode) and text.encode("utf-8", "surrogateescape").startswith(file.read(_MOST_INFO))


def _folders(trash: str) -> tuple[str, str]:
    return os.path.join(trash, "files"), os.path.join(trash, "info")


@dataclass(frozen=True)
class TrashPath(Step):
    """Move one file, link or folder to the trash `trash`, where it is called `name`.

    `link`: whether it is a link: what it leads to is none of this step's business.
    `info` is what its .trashinfo holds; `missing` are the folders of the trash that are not there yet. `dated` are time (nanoseconds) and mode
    of the .trashinfo where it was there before: then this step takes back that something was restored.
    """

    path: str
    trash: str
    name: str
    info: str
    identity: Identity
    missing: tuple[str, ...] = ()
    same_device: bool = True
    link: bool = False
    dated: tuple[int, ...] = ()

    def effects(self) -> tuple[Effect, ...]:
        kept, info = _inside(self.trash, self.name)
        return (
            *(() if self.link else (Effect("fs.read", self.path),)),
            Effect("fs.delete", self.path),
            *(Effect("fs.write", folder) for folder in self.missing),
            Effect("fs.write", kept),
            Effect("fs.write", info),
        )

    def describe(self) -> str:
        return f"move {self.path} to the trash"

    def check(self) -> None:
        _fs.still_there(self.path, self.identity)
        kept, info = _inside(self.trash, self.name)
        if not (_fs.is_free(kept) and is_free_note(info, self.info)):
            raise StaleStep(f"The trash has got another “{self.name}” meanwhile.", hint="Nothing was changed by this step. Ask again.")

    def apply(self) -> None:
        kept, info = _inside(self.trash, self.name)
        with _fs.explained(f"move {self.path} to the trash"):
            for folder in self.missing:
                with suppress(FileExistsError):  # an earlier step of this plan may have made it
                    os.mkdir(folder, 0o700)
            # The information first: without it, what is in the trash has no way back.
            with _fs.parent_of(info) as (notes, name):
                clear_note(notes, name, self.info)
                descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=notes)
                try:
                    os.write(descriptor, self.info.encode("utf-8", "surrogateescape"))
                    if self.dated:
                        os.fchmod(descriptor, self.dated[1])
                        os.utime(descriptor, ns=(self.dated[0], self.dated[0]))
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                try:
                    _moving.move(self.path, kept, self.identity)
                except BaseException:
                    with suppress(OSError):
                        os.unlink(name, dir_fd=notes)
                    raise

    def inverse(self) -> Step:
        known = self.identity if self.same_device else loosened(self.identity)
        return RestoreTrashed(self.path, self.trash, self.name, self.info, known, self.missing, self.same_device, self.link, self.dated)

    def state(self) -> str:
        kept, _ = _inside(self.trash, self.name)
        if _fs.is_free(kept):
            return "undone"
        return "done" if _fs.is_free(self.path) else "unknown"

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.path), *(os.path.dirname(folder) for folder in self.missing[:1]), *_folders(self.trash))

    def makes(self) -> tuple[tuple[str, str], ...]:
        return ((_inside(self.trash, self.name)[0], "file"),)


@dataclass(frozen=True)
class RestoreTrashed(Step):
    """Put something back from the trash to where it was, and remove what the trash knew of it."""

    path: str
    trash: str
    name: str
    info: str
    identity: Identity
    missing: tuple[str, ...] = ()
    same_device: bool = True
    link: bool = False
    dated: tuple[int, ...] = ()

    def effects(self) -> tuple[Effect, ...]:
        kept, info = _inside(self.trash, self.name)
        return (
            *(() if self.link else (Effect("fs.read", kept),)),
            Effect("fs.delete", kept),
            Effect("fs.delete", info),
            *(Effect("fs.delete", folder) for folder in self.missing),
            Effect("fs.write", self.path),
        )

    def describe(self) -> str:
        return f"put {self.path} back from the trash"

    def check(self) -> None:
        kept, _ = _inside(self.trash, self.name)
        if _fs.is_free(kept):
            raise StaleStep(f"{self.path} is not in the trash any more.", hint="Nothing was changed by this step: the trash was emptied.")
        _fs.still_there(kept, self.identity)
        _fs.must_be_free(self.path)

    def apply(self) -> None:
        kept, info = _inside(self.trash, self.name)
        with _fs.explained(f"put {self.path} back from the trash"):
            _moving.move(kept, self.path, self.identity)
            with suppress(FileNotFoundError), _fs.parent_of(info) as (notes, name):
                os.unlink(name, dir_fd=notes)
            # What was made for it goes with it, unless something else is in there by now.
            for folder in reversed(self.missing):
                with suppress(OSError):
                    os.rmdir(folder)

    def inverse(self) -> Step:
        known = self.identity if self.same_device else loosened(self.identity)
        return TrashPath(self.path, self.trash, self.name, self.info, known, self.missing, self.same_device, self.link, self.dated)

    def state(self) -> str:
        kept, _ = _inside(self.trash, self.name)
        free = _fs.is_free(self.path)
        if _fs.is_free(kept):
            return "unknown" if free else "done"
        return "undone" if free else "unknown"

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.path), *(os.path.dirname(folder) for folder in self.missing[:1]), *_folders(self.trash))

    def makes(self) -> tuple[tuple[str, str], ...]:
        return ((self.path, "folder" if len(self.identity) == 2 else "file"),)


@dataclass(frozen=True)
class DeleteTrashed(Step):
    """Delete for good what is called `name` in the trash `trash`, and what the trash knows of it. `path` is where it was, empty where nobody knows.

    `identity` () is for a .trashinfo whose thing is gone already. There is no inverse.
    """

    path: str
    trash: str
    name: str
    identity: Identity

    def effects(self) -> tuple[Effect, ...]:
        kept, info = _inside(self.trash, self.name)
        return (Effect("fs.read", kept), Effect("fs.delete", kept), Effect("fs.delete", info), Effect("fs.meta", kept))

    def describe(self) -> str:
        return f"delete {self.path or _inside(self.trash, self.name)[0]} from the trash for good"

    def check(self) -> None:
        if self.identity:
            _fs.still_there(_inside(self.trash, self.name)[0], self.identity)

    def apply(self) -> None:
        kept, info = _inside(self.trash, self.name)
        with _fs.explained(f"delete {kept} for good"):
            # The information last: without it, what is left of a folder, should this be cut short, would be nobody's.
            if self.identity:
                with _fs.parent_of(kept) as (folder, name):
                    try:
                        _fs.remove_tree(folder, name, self.identity)
                    except PermissionError:
                        _make_removable(kept)
                        _fs.remove_tree(folder, name, self.identity)
            with suppress(FileNotFoundError), _fs.parent_of(info) as (folder, name):
                os.unlink(name, dir_fd=folder)


def _make_removable(folder: str) -> None:
    """Give the owner all rights to a folder and those in it: what was thrown away read-only can be deleted, too."""
    if not stat.S_ISDIR(os.lstat(folder).st_mode):
        return
    os.chmod(folder, 0o700)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _make_removable(entry.path)
