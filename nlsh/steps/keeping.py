"""Steps that keep what a command changed on a copy: put a thing from the layer in its place, take one away into it, let two change places, set attributes.

All of them rename within one mount, or set attributes where a thing is: what is replaced or deleted stays whole in the layer, and the
inverse of each is the same way back. Every name is reached through a descriptor of its folder that no link led to.
"""

from __future__ import annotations

import base64
import os
import stat
from contextlib import suppress
from dataclasses import dataclass

from nlsh.plan.effects import Effect
from nlsh.plan.errors import Refused, StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs
from nlsh.world.files import Identity, identity, is_same
from nlsh.world.layers import OWN_ATTRIBUTES, Attributes, attributes_of, tree_of

_O_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SET_ID = stat.S_ISUID | stat.S_ISGID


def _check_unchanged(folder: int, name: str, path: str, known: Identity, tree: str, since_ns: int) -> None:
    """Raise StaleStep unless `name` is what was shown, with all below it, and nobody has touched it after `since_ns` (0: not asked)."""
    status = _fs.still(folder, name, known, path)
    # A file with several names gets a new time when nlsh moves another one of them.
    newest = status.st_ctime_ns if stat.S_ISDIR(status.st_mode) or status.st_nlink == 1 else 0
    # What its owner has closed to himself nobody has looked into since.
    if tree and (status.st_mode & 0o500 == 0o500 or os.geteuid() == 0):
        inside = os.open(name, _O_FOLDER, dir_fd=folder)
        try:
            found, below = tree_of(inside)
        finally:
            os.close(inside)
        newest = max(newest, below)
        if found.digest != tree:
            raise StaleStep(f"Something in {path} has changed since.", hint="Nothing was changed by this step. Look at it and ask again.")
    if since_ns and newest > since_ns:
        raise StaleStep(f"{path} was changed while the command ran, or after.", hint="Nothing was changed by this step. Run the command again.")


def _same_folder(folder: int, known: Identity, path: str) -> None:
    if known and identity(os.fstat(folder)) != known:
        raise StaleStep(f"{os.path.dirname(path)} is another folder now.", hint="Nothing was changed by this step. Run the command again.")


def _coming(path: str, replaces: bool) -> tuple[Effect, ...]:
    # To say that a folder is written means what is in it; here it is the folder around whose names change.
    return (Effect("fs.write", os.path.dirname(path)),) if replaces else (Effect("fs.write", path),)


class _Keeping(Step):
    """What all of them are: over in a moment, known by what is there, and each looks itself at what it was approved for."""

    quick = True
    applies_checked = True


@dataclass(frozen=True)
class PutFromLayer(_Keeping):
    """Move a file, link or folder with all in it from `store`, in the layer, to `path`, where there is nothing.

    `tree`: what all below it is known by, empty where it is no folder. `inside`: the folder it goes to. `replaces`: what had this name before is
    taken away by another step. `back`: this takes a deletion back.
    """

    path: str
    store: str
    identity: Identity
    tree: str = ""
    entries: int = 0
    inside: Identity = ()
    replaces: bool = False
    back: bool = False

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.delete", self.store), *_coming(self.path, self.replaces))

    def describe(self) -> str:
        held = f" with {self.entries:,} things in it" if self.entries else ""
        return f"put {self.path}{held} back" if self.back else f"create {self.path}{held}"

    def check(self) -> None:
        with _fs.explained(f"look at {self.store}"), _fs.parent_of(self.store) as (folder, name):
            _check_unchanged(folder, name, self.path, self.identity, self.tree, 0)
        _fs.must_be_free(self.path)

    def apply(self) -> None:
        with _fs.explained(f"create {self.path}"), _fs.parent_of(self.store) as (store, kept), _fs.parent_of(self.path) as (folder, name):
            _same_folder(folder, self.inside, self.path)
            _check_unchanged(store, kept, self.path, self.identity, self.tree, 0)
            if not self.back:
                _without_marks(store, kept)
            _rename(store, kept, folder, name)

    def inverse(self) -> Step:
        return TakeIntoLayer(self.path, self.store, self.identity, self.tree, self.entries, replaces=self.replaces, back=not self.back)

    def state(self) -> str:
        return _place(self.path, self.store, self.identity)

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.path),)

    def makes(self) -> tuple[tuple[str, str], ...]:
        return ((self.path, "folder" if len(self.identity) == 2 else "file"),)


@dataclass(frozen=True)
class TakeIntoLayer(_Keeping):
    """Move a file, link or folder with all in it from `path` to `store`, in the layer.

    `since_ns`: nobody may have touched it after this; 0: not asked. `replaces`: another step puts something else there. `back`: this takes a
    creation back.
    """

    path: str
    store: str
    identity: Identity
    tree: str = ""
    entries: int = 0
    since_ns: int = 0
    replaces: bool = False
    back: bool = False

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.delete", self.path), Effect("fs.write", self.store))

    def describe(self) -> str:
        held = f" with {self.entries:,} things in it" if self.entries else ""
        return f"remove {self.path}{held} again" if self.back else f"delete {self.path}{held}"

    def check(self) -> None:
        with _fs.explained(f"look at {self.path}"), _fs.parent_of(self.path) as (folder, name):
            _check_unchanged(folder, name, self.path, self.identity, self.tree, self.since_ns)
        _fs.must_be_free(self.store)

    def apply(self) -> None:
        with _fs.explained(f"delete {self.path}"), _fs.parent_of(self.path) as (folder, name), _fs.parent_of(self.store) as (store, kept):
            _check_unchanged(folder, name, self.path, self.identity, self.tree, self.since_ns)
            _rename(folder, name, store, kept)
            # Another thing may have got this name since the look: it goes back to where it was.
            try:
                _fs.still(store, kept, self.identity, self.path)
            except StaleStep:
                _rename(store, kept, folder, name)
                raise

    def inverse(self) -> Step:
        return PutFromLayer(self.path, self.store, self.identity, self.tree, self.entries, replaces=self.replaces, back=not self.back)

    def state(self) -> str:
        return {"done": "undone", "undone": "done"}.get(_place(self.path, self.store, self.identity), "unknown")

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.path),)


def _rename(old_folder: int, old: str, new_folder: int, new: str) -> None:
    """Rename, never over something that exists; a folder, too, that its owner may not write: to go elsewhere changes what `..` in it means."""
    status = _fs.status_at(old_folder, old)
    closed = stat.S_ISDIR(status.st_mode) and status.st_mode & 0o200 == 0 and status.st_uid == os.geteuid() != 0
    held = os.open(old, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=old_folder) if closed else -1
    try:
        if closed:
            os.chmod(f"/proc/self/fd/{held}", stat.S_IMODE(status.st_mode) | 0o200)
        try:
            _fs.rename(old_folder, old, new_folder, new)
        finally:
            if closed:
                os.chmod(f"/proc/self/fd/{held}", stat.S_IMODE(status.st_mode))
    finally:
        if closed:
            os.close(held)


def _place(path: str, store: str, known: Identity) -> str:
    """Return 'done' where the thing is at `path`, 'undone' where it is in the layer."""
    if _is(path, known) and _fs.is_free(store):
        return "done"
    return "undone" if _is(store, known) else "unknown"


def _is(path: str, known: Identity) -> bool:
    try:
        return is_same(os.lstat(path), known)
    except OSError:
        return False


@dataclass(frozen=True)
class SwapWithLayer(_Keeping):
    """Let what is at `path` and what is at `store`, in the layer, change places, in one moment; neither is a folder.

    `identity` is what is in the layer and comes, `other` what is at `path` and goes. `size_bytes`: of what goes.
    """

    path: str
    store: str
    identity: Identity
    other: Identity
    since_ns: int = 0
    back: bool = False

    def effects(self) -> tuple[Effect, ...]:
        both = (self.path, self.store)
        return (*(Effect("fs.delete", p) for p in both), *(Effect("fs.write", p) for p in both))

    def describe(self) -> str:
        return f"put the old {self.path} back" if self.back else f"change {self.path}"

    def check(self) -> None:
        with _fs.explained(f"look at {self.path}"), _fs.parent_of(self.path) as (folder, name):
            _check_unchanged(folder, name, self.path, self.other, "", self.since_ns)
        with _fs.explained(f"look at {self.store}"), _fs.parent_of(self.store) as (folder, name):
            _check_unchanged(folder, name, self.path, self.identity, "", 0)

    def apply(self) -> None:
        with _fs.explained(f"change {self.path}"), _fs.parent_of(self.path) as (folder, name), _fs.parent_of(self.store) as (store, kept):
            _check_unchanged(folder, name, self.path, self.other, "", self.since_ns)
            _check_unchanged(store, kept, self.path, self.identity, "", 0)
            if not self.back:
                _without_marks(store, kept)
            _fs.exchange(folder, name, store, kept)
            try:
                _fs.still(store, kept, self.other, self.path)
            except StaleStep:
                _fs.exchange(folder, name, store, kept)
                raise

    def inverse(self) -> Step:
        return SwapWithLayer(self.path, self.store, self.other, self.identity, 0, not self.back)

    def state(self) -> str:
        if _is(self.path, self.identity) and _is(self.store, self.other):
            return "done"
        return "undone" if _is(self.path, self.other) else "unknown"

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.path),)


@dataclass(frozen=True)
class SetAttributes(_Keeping):
    """Give a file or folder another mode, modification time and extended attributes, where it is. Never setuid or setgid that it has not.

    `identity` is what it is known by before. `old` and `new` are mode, modification time (nanoseconds) and attributes; a folder's time
    before is not checked: what was changed in it has changed that.
    """

    path: str
    identity: Identity
    old: tuple[int, int, Attributes]
    new: tuple[int, int, Attributes]
    since_ns: int = 0

    def __post_init__(self) -> None:
        if self.new[0] & ~self.old[0] & _SET_ID:
            raise Refused(f"{self.path}: setuid and setgid bits are not set by nlsh.", hint="Nothing was changed.")

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.meta", self.path),)

    def describe(self) -> str:
        if self.old[0] != self.new[0]:
            return f"change the mode of {self.path} from {stat.filemode(self.old[0])[1:]} to {stat.filemode(self.new[0])[1:]}"
        return f"set the {'attributes' if self.old[2] != self.new[2] else 'time'} of {self.path}"

    def only_times(self) -> tuple[str, ...]:
        return (self.path,) if stat.S_ISDIR(self.old[0]) and self.old[0] == self.new[0] and self.old[2] == self.new[2] else ()

    def check(self) -> None:
        with _fs.explained(f"look at {self.path}"), _fs.parent_of(self.path) as (folder, name):
            self._unchanged(folder, name)
            self._same_mode(_fs.status_at(folder, name))

    def _unchanged(self, folder: int, name: str) -> None:
        # Of a folder, what is in it may be somebody else's business.
        _check_unchanged(folder, name, self.path, self.identity, "", 0 if len(self.identity) == 2 else self.since_ns)

    def _same_mode(self, status: os.stat_result) -> None:
        if status.st_mode != self.old[0]:
            raise StaleStep(f"The mode of {self.path} has changed since.", hint="Nothing was changed by this step. Look at it and ask again.")

    def apply(self) -> None:
        with _fs.explained(f"set the attributes of {self.path}"), _fs.parent_of(self.path) as (folder, name):
            self._unchanged(folder, name)
            descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                status = os.fstat(descriptor)
                if not is_same(status, self.identity):
                    raise StaleStep(f"{self.path} has changed since.", hint="Nothing was changed by this step. Look at it and ask again.")
                self._same_mode(status)
                held = f"/proc/self/fd/{descriptor}"
                if self.old[2] != self.new[2]:
                    self._set_extended(held)
                if self.old[0] != self.new[0]:
                    os.chmod(held, stat.S_IMODE(self.new[0]))
                os.utime(held, ns=(status.st_atime_ns, self.new[1]))
            finally:
                os.close(descriptor)

    def _set_extended(self, held: str) -> None:
        before, after = dict(self.old[2]), dict(self.new[2])
        for name in before.keys() - after.keys():
            os.removexattr(held, name)
        for name, value in after.items():
            if before.get(name) != value:
                os.setxattr(held, name, base64.b64decode(value))

    def inverse(self) -> Step:
        known = self.identity if len(self.identity) == 2 else (*self.identity[:2], self.new[1], self.identity[3])
        return SetAttributes(self.path, known, self.new, self.old)

    def state(self) -> str:
        try:
            status = os.lstat(self.path)
        except OSError:
            return "unknown"
        for found, (mode, time, attributes) in (("done", self.new), ("undone", self.old)):
            if status.st_mode == mode and status.st_mtime_ns == time and attributes_of(self.path) == attributes:
                return found
        return "unknown"

    def touches(self) -> tuple[str, ...]:
        return (self.path,) if len(self.identity) == 2 else ()


def _without_marks(folder: int, name: str) -> None:
    """Take away what overlayfs wrote for itself on a thing in the layer, and on all below it: nobody is to read it as an order later."""
    status = _fs.status_at(folder, name)
    if not stat.S_ISDIR(status.st_mode):
        if stat.S_ISREG(status.st_mode):
            _unmark(f"/proc/self/fd/{folder}/{name}")
        return
    try:
        inside = os.open(name, _O_FOLDER, dir_fd=folder)
    except PermissionError:
        return
    try:
        _unmark(f"/proc/self/fd/{inside}", follow=True)
        whiteouts = False
        for child in os.listdir(inside):
            below = _fs.status_at(inside, child)
            if stat.S_ISCHR(below.st_mode) and below.st_rdev == 0:
                os.unlink(child, dir_fd=inside)
                whiteouts = True
            else:
                _without_marks(inside, child)
        if whiteouts:
            os.utime(inside, ns=(status.st_atime_ns, status.st_mtime_ns))
    finally:
        os.close(inside)


def _unmark(path: str, *, follow: bool = False) -> None:
    with suppress(OSError):
        for key in os.listxattr(path, follow_symlinks=follow):
            if key.startswith(OWN_ATTRIBUTES):
                os.removexattr(path, key, follow_symlinks=follow)
