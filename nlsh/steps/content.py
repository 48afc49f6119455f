"""The bases of steps that compute content: change a file in place (`ChangeContent`), or write a new one from another (`WriteNew`).

The new content is computed when the step is applied and never stored in it. A change in place puts the old file, as it was, into the trash
of its file system: the new one takes its place in one moment, and undo lets the old one take it back. Derive a step, give it a `rewrite`
(or `produce`) and `words`, and fill its other fields with `kept(...)` (or `fresh(...)`), which refuse what cannot be done that way.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import IO, TYPE_CHECKING, Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible, Refused, StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs
from nlsh.steps.trash import clear_note, info_text, is_free_note
from nlsh.world import World
from nlsh.world.files import Identity, identity, is_same, owner_name, status_of
from nlsh.world.trash import bin_for, free_name, is_in_trash

if TYPE_CHECKING:
    from nlsh.plan.records import Record

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNCHANGED = "Nothing was changed."


def kept(path: str, world: World, taken: set[str]) -> dict[str, Any]:
    """Return the fields of a `ChangeContent` for the file that `path` is or leads to: what it is known by, and where its old version goes.

    `taken` collects the names in the trash that steps of the same call have. Raises NotFound, NotPossible, and Refused for what a new
    file in its place would break: hard links, other people's files.
    """
    real = os.path.realpath(path)
    status = status_of(real)
    if not stat.S_ISREG(status.st_mode):
        raise NotPossible(f"{real} is not a regular file.", hint=f"{_UNCHANGED} Name a file.")
    if is_in_trash(real):
        raise Refused(f"{real} is in the trash.", hint=f"{_UNCHANGED} Put it back first.")
    if status.st_nlink > 1:
        raise Refused(
            f"{real} has {status.st_nlink} names (hard links): the others would keep the old content.", hint=f"{_UNCHANGED} Copy it, and change the copy."
        )
    if status.st_mode & 0o6000:
        raise Refused(f"{real} has a setuid or setgid bit.", hint=f"{_UNCHANGED} nlsh does not change such files.")
    if not (os.access(real, os.R_OK | os.W_OK) and os.access(os.path.dirname(real), os.W_OK | os.X_OK)):
        raise NotPossible(f"You may not change {real}.", hint=f"{_UNCHANGED} See who may with file.info.")
    if status.st_uid != os.geteuid() != 0:
        raise NotPossible(f"{real} belongs to {owner_name(status.st_uid)}; changed, it would be yours.", hint=f"{_UNCHANGED} Copy it, and change the copy.")
    bin = bin_for(real)
    if not bin.same_device:
        # LIMIT: the old version must lie on the same file system, so that one step in one moment can exchange the two.
        raise NotPossible(f"There can be no trash on the file system of {real}, so its old version has no place.", hint=f"{_UNCHANGED} Copy it elsewhere.")
    name = free_name(bin.folder, _told_apart(real), taken)
    taken.add(os.path.join(bin.folder, "files", name))
    now = world.now()
    info = info_text(bin.written, time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now)))
    return {
        "path": real, "identity": identity(status), "trash": bin.folder, "name": name, "info": info, "stamp_ns": int(now * 1e9), "missing": bin.missing,
    }  # fmt: skip


def _told_apart(path: str) -> str:
    # Two calls of one plan may change files of one name, and neither sees the other's place in the trash.
    stem, ending = os.path.splitext(os.path.basename(path))
    while len(os.fsencode(stem)) > 180:
        stem = stem[:-1]
    return f"{stem}.{blake2b(os.fsencode(os.path.dirname(path)), digest_size=3).hexdigest()}{ending[:40]}"


def fresh(source: str, target: str, world: World) -> dict[str, Any]:
    """Return the fields of a `WriteNew` from `source`. Raises NotFound, NotPossible, and Refused where something is at `target`."""
    real = os.path.realpath(source)
    status = status_of(real)
    if not stat.S_ISREG(status.st_mode):
        raise NotPossible(f"{real} is not a regular file.", hint=f"{_UNCHANGED} Name a file.")
    if not os.access(real, os.R_OK):
        raise NotPossible(f"You may not read {real}.", hint=f"{_UNCHANGED} See who may with file.info.")
    if world.exists(target):
        raise Refused(f"There is already something at {target}.", hint=f"{_UNCHANGED} nlsh does not overwrite: rename it or move it away first.")
    if os.path.dirname(target) not in world.planned and not os.access(os.path.dirname(target), os.W_OK | os.X_OK):
        raise NotPossible(f"You may not create anything in {os.path.dirname(target)}.", hint=f"{_UNCHANGED} Copy the file elsewhere first.")
    return {"source": real, "target": target, "identity": identity(status), "stamp_ns": int(world.now() * 1e9)}


@contextmanager
def _opened(folder: int, name: str, known: Identity, path: str) -> Iterator[tuple[IO[bytes], os.stat_result]]:
    """Give a file for reading and its status. Raises StaleStep unless it is what was approved, before and after."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    _fs.still(folder, name, known, path)
    try:
        descriptor = os.open(name, flags | os.O_NOATIME, dir_fd=folder)
    except PermissionError:  # only its owner may ask for its access time to stay
        descriptor = os.open(name, flags, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not is_same(status, known):
            raise StaleStep(f"{path} has changed since it was approved.", hint="Nothing was changed by this step. Look at it and ask again.")
        yield file, status
        if not is_same(os.fstat(descriptor), known):
            raise StaleStep(f"{path} changed while it was read.", hint="Nothing was changed by this step. Ask again.")


def _unlink(folder: int, name: str) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=folder)


def _stamped(status: os.stat_result, stamp_ns: int) -> bool:
    """Return whether a file still has the time that it got when it was made, as exactly as its file system keeps times."""
    found = status.st_mtime_ns
    return stat.S_ISREG(status.st_mode) and (found == stamp_ns or (found % 1_000_000_000 == 0 and abs(found - stamp_ns) < 2_000_000_000))


@dataclass(frozen=True, kw_only=True)
class ChangeContent(Step):
    """Give the file `path` new content; the old one goes into the trash `trash` under `name`, where its .trashinfo holds `info`.

    `stamp_ns` becomes its modification time: it is how undo knows that nobody has changed it since. `missing` are the folders of the trash
    that are not there yet. `back`: this is the step that takes it back. A derived step has a `rewrite` and `words`.
    """

    path: str
    identity: Identity
    trash: str
    name: str
    info: str
    stamp_ns: int
    missing: tuple[str, ...] = ()
    back: bool = False

    def rewrite(self, source: IO[bytes], target: IO[bytes]) -> None:
        """Write the new content, computed from the old one, as a stream. Raises an NlshError where it cannot; then nothing is changed."""
        raise NotImplementedError

    def words(self) -> str:
        """Return the line of the preview; it reads after “Could not”, too."""
        raise NotImplementedError

    def describe(self) -> str:
        return f"put the old content of {self.path} back" if self.back else self.words()

    @property
    def _kept(self) -> str:
        return os.path.join(self.trash, "files", self.name)

    @property
    def _info(self) -> str:
        return os.path.join(self.trash, "info", self.name + ".trashinfo")

    @property
    def _beside(self) -> str:
        return os.path.join(os.path.dirname(self.path), f".nlsh-{blake2b(os.fsencode(f'{self.name}/{self.stamp_ns}'), digest_size=8).hexdigest()}")

    @property
    def _old(self) -> str:
        """Where the old version is once the new one is in its place."""
        return self._beside if _fs.is_free(self._kept) and self._is_old(self._beside) else self._kept

    def effects(self) -> tuple[Effect, ...]:
        if not self.back:
            written = (self.path, self._kept, self._info, *self.missing)
            return (Effect("fs.read", self.path), *(Effect("fs.write", p) for p in written))
        removed = (self._kept, self._info, *self.missing)
        return (Effect("fs.read", self.path), Effect("fs.read", self._kept), Effect("fs.write", self.path), *(Effect("fs.delete", p) for p in removed))

    def check(self) -> None:
        if not self.back:
            self._refuse_other_names(_fs.still_there(self.path, self.identity))
            if not (_fs.is_free(self._kept) and is_free_note(self._info, self.info)):
                raise StaleStep(f"The trash has got another “{self.name}” meanwhile.", hint="Nothing was changed by this step. Ask again.")
            return
        if _fs.is_free(self._old):
            raise StaleStep(
                f"The old version of {self.path} is not in the trash any more.", hint="Nothing was changed by this step: the trash was emptied."
            )  # fmt: skip
        old = _fs.still_there(self._old, self.identity)
        with _fs.explained(f"look at {self.path}"), _fs.parent_of(self.path) as (folder, name):
            self._refuse_changed(_fs.status_at(folder, name), old)

    def _refuse_other_names(self, status: os.stat_result) -> None:
        if status.st_nlink > 1:
            raise StaleStep(f"{self.path} has got another name (a hard link) since it was approved.", hint="Nothing was changed by this step.")

    def _refuse_changed(self, new: os.stat_result, old: os.stat_result) -> None:
        if not _stamped(new, self.stamp_ns) or (new.st_mode, new.st_uid, new.st_gid) != (old.st_mode, old.st_uid, old.st_gid):
            raise StaleStep(f"{self.path} has changed since nlsh wrote it.", hint=f"Nothing was changed by this step. Its old version is {self._old}.")

    def apply(self) -> None:
        with _fs.explained(self.describe()):
            if self.back:
                self._take_back()
                return
            try:
                for folder in self.missing:
                    with suppress(FileExistsError):  # an earlier step of this plan may have made it
                        os.mkdir(folder, 0o700)
                with _fs.parent_of(self._kept) as (bin, spare), _fs.parent_of(self._info) as (notes, note), _fs.parent_of(self.path) as (place, name):
                    self._change(place, name, bin, spare, notes, note)
            except BaseException:
                self._leave_trash()
                raise

    def _change(self, place: int, name: str, bin: int, spare: str, notes: int, note: str) -> None:
        # Beside it, and exchanged there: Landlock lets a file move only to where it gains no right, and in its own folder it never does.
        beside = os.path.basename(self._beside)
        with ExitStack() as undo:
            made = os.open(beside, _NEW, 0o600, dir_fd=place)
            undo.callback(_unlink, place, beside)
            with os.fdopen(made, "wb") as target, _opened(place, name, self.identity, self.path) as (source, status):
                self._refuse_other_names(status)
                self.rewrite(source, target)
                target.flush()
                self._dress(source.fileno(), made, status)
            # The information first: without it, what is in the trash has no way back.
            clear_note(notes, note, self.info)
            with os.fdopen(os.open(note, _NEW, 0o600, dir_fd=notes), "wb") as file:
                undo.callback(_unlink, notes, note)
                file.write(self.info.encode())
                file.flush()
                os.fsync(file.fileno())
            _fs.exchange(place, name, place, beside)
            undo.callback(_fs.exchange, place, name, place, beside)
            _fs.still(place, beside, self.identity, self.path)
            # Cut short here, the old version lies beside the new one; `_old` finds it there.
            _fs.rename(place, beside, bin, spare)
            undo.pop_all()

    def _dress(self, source: int, target: int, status: os.stat_result) -> None:
        """Give the new file owner, attributes and mode of the old one, and its time; and have it on the disk before it takes its place."""
        own = os.fstat(target)
        if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
            os.fchown(target, status.st_uid, status.st_gid)
        _fs.copy_attributes(source, target)
        os.fchmod(target, stat.S_IMODE(status.st_mode) & 0o1777)
        os.utime(target, ns=(status.st_atime_ns, self.stamp_ns))
        os.fsync(target)

    def _take_back(self) -> None:
        with _fs.parent_of(self._old) as (bin, spare), _fs.parent_of(self.path) as (place, name):
            beside = os.path.basename(self._beside)
            old = _fs.still(bin, spare, self.identity, self._old)
            self._refuse_changed(_fs.status_at(place, name), old)
            with ExitStack() as undo:
                if self._old != self._beside:
                    _fs.rename(bin, spare, place, beside)
                    undo.callback(_fs.rename, place, beside, bin, spare)
                _fs.exchange(place, name, place, beside)
                undo.callback(_fs.exchange, place, name, place, beside)
                self._refuse_changed(_fs.status_at(place, beside), old)
                undo.pop_all()
            os.unlink(beside, dir_fd=place)
        with suppress(FileNotFoundError), _fs.parent_of(self._info) as (notes, note):
            os.unlink(note, dir_fd=notes)
        self._leave_trash()

    def _leave_trash(self) -> None:
        # What was made for it goes with it, unless something else is in there by now.
        for folder in reversed(self.missing):
            with suppress(OSError):
                os.rmdir(folder)

    def inverse(self) -> Step:
        return replace(self, back=not self.back)

    def state(self) -> str:
        if self._is_old(self.path):
            return "done" if self.back else "undone"
        if self._is_old(self._old):
            return "undone" if self.back else "done"
        return "unknown"

    def leftovers(self) -> tuple[str, ...]:
        # With the old version in its place, what lies beside it is a new one that did not come to be, or was taken back.
        return (self._beside,) if self._is_old(self.path) else ()

    def _is_old(self, path: str) -> bool:
        try:
            return is_same(os.lstat(path), self.identity)
        except OSError:
            return False

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.path), *(os.path.dirname(folder) for folder in self.missing[:1]))


@dataclass(frozen=True, kw_only=True)
class WriteNew(Step):
    """Write the new file `target`, computed from `source`; never over something that exists.

    `stamp_ns` becomes its modification time: it is how undo knows that nobody has changed it since. `back`: this is the step that removes
    it again. A derived step has a `produce` and `words`.
    """

    source: str
    target: str
    identity: Identity
    stamp_ns: int
    back: bool = False

    def produce(self, source: IO[bytes], target: IO[bytes]) -> Iterable[Record] | None:
        """Write the new file's content as a stream; return what is to be said of it. Raises an NlshError where it cannot; then nothing is left behind."""
        raise NotImplementedError

    def words(self) -> str:
        """Return the line of the preview; it reads after “Could not”, too."""
        raise NotImplementedError

    def describe(self) -> str:
        return f"remove {self.target}, which was made from {self.source}" if self.back else self.words()

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.delete", self.target),) if self.back else (Effect("fs.read", self.source), Effect("fs.write", self.target))

    def check(self) -> None:
        if self.back:
            with _fs.explained(f"look at {self.target}"):
                self._refuse_changed(os.lstat(self.target))
            return
        _fs.still_there(self.source, self.identity)
        _fs.must_be_free(self.target)

    def _refuse_changed(self, status: os.stat_result) -> None:
        if not _stamped(status, self.stamp_ns):
            raise StaleStep(f"{self.target} has changed since it was made.", hint="Nothing was removed. Trash it yourself if you do not need it.")

    def apply(self) -> Iterator[Record] | None:
        with _fs.explained(self.describe()), _fs.parent_of(self.target) as (folder, name):
            if self.back:
                self._refuse_changed(_fs.status_at(folder, name))
                os.unlink(name, dir_fd=folder)
                return None
            # Beside it under another name first: what has the name is whole.
            with _fs.parent_of(self.source) as (old_folder, old), _opened(old_folder, old, self.identity, self.source) as (source, status):
                # What only its owner may read makes nothing that others may.
                descriptor, beside = _fs.make_beside(folder, name, stat.S_IMODE(status.st_mode) & 0o666 | 0o200)
                try:
                    with os.fdopen(descriptor, "wb") as target:
                        said = self.produce(source, target)
                        target.flush()
                        os.utime(descriptor, ns=(self.stamp_ns, self.stamp_ns))
                    _fs.rename(folder, beside, folder, name)
                except BaseException:
                    _unlink(folder, beside)
                    raise
        return None if said is None else iter(said)

    def inverse(self) -> Step:
        return replace(self, back=not self.back)

    def leftovers(self) -> tuple[str, ...]:
        folder, name = os.path.split(self.target)
        return () if self.back else (os.path.join(folder, _fs.beside(name)),)

    def state(self) -> str:
        try:
            status = os.lstat(self.target)
        except OSError:
            return "done" if self.back else "undone"
        made = _stamped(status, self.stamp_ns)
        return "unknown" if not made else "undone" if self.back else "done"

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.target),)

    def makes(self) -> tuple[tuple[str, str], ...]:
        return () if self.back else ((self.target, "file"),)
