"""Steps on archives: make one, unpack one, add to one, compress a file, and take each back as long as nobody has changed what was made.

How the formats are written is in `_pack`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import IO, Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible, StaleStep
from nlsh.plan.records import Note, Record
from nlsh.plan.steps import Step
from nlsh.steps import _fs, _pack, handles
from nlsh.steps.content import ChangeContent, WriteNew
from nlsh.world import sevenzip
from nlsh.world.archives import Single, opened, refuse_bomb
from nlsh.world.files import Identity, is_same

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 1 << 18
# A member: path, type, size in bytes (-1: as much as there is), time in nanoseconds (-1: as it comes), mode, link target,
# number in the archive (-1: not in it).
Member = tuple[str, str, int, int, int, str, int]


@dataclass(frozen=True)
class CreateArchive(Step):
    """Pack things into a new archive. `members` are (path, name in the archive, identity).

    `stamp_ns` becomes the archive's time: it is how undo knows that nobody has changed it since.
    """

    members: tuple[tuple[str, str, Identity], ...]
    destination: str
    format: str
    stamp_ns: int

    def effects(self) -> tuple[Effect, ...]:
        return (*(Effect("fs.read", path) for path, _, _ in self.members), Effect("fs.write", self.destination))

    def describe(self) -> str:
        what = self.members[0][0] if len(self.members) == 1 else f"{len(self.members)} things"
        return f"pack {what} into {self.destination}"

    def check(self) -> None:
        for path, _, known in self.members:
            _fs.still_there(path, known)
        _fs.must_be_free(self.destination)

    def apply(self) -> Iterator[Record] | None:
        with _fs.explained(f"create {self.destination}"), _fs.parent_of(self.destination) as (folder, name):
            descriptor = os.open(name, _NEW, 0o666, dir_fd=folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    status = os.fstat(descriptor)
                    own = (status.st_dev, status.st_ino)
                    sources = _pack.Sources(handles.Meter(_pack.size_of(_pack.entries(self.members, own))))
                    _pack.write(file, self.format, _pack.entries(self.members, own), sources)
                    file.flush()
                    os.utime(descriptor, ns=(self.stamp_ns, self.stamp_ns))
            except BaseException:
                with suppress(OSError):
                    os.unlink(name, dir_fd=folder)
                raise
        if not sources.changed:
            return None
        names = ", ".join(sources.changed[:3]) + (f" and {len(sources.changed) - 3} more" if len(sources.changed) > 3 else "")
        return iter((Note(f"Written to while it was packed, so that {self.destination} may hold neither the old nor the new: {names}."),))

    def inverse(self) -> Step:
        return RemoveArchive(self.members, self.destination, self.format, self.stamp_ns)

    def state(self) -> str:
        try:
            status = os.lstat(self.destination)
        except OSError:
            return "undone"
        return "done" if status.st_mtime_ns == self.stamp_ns else "unknown"

    def leftovers(self) -> tuple[str, ...]:
        return (self.destination,) if self.state() == "unknown" else ()

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.destination),)

    def makes(self) -> tuple[tuple[str, str], ...]:
        return ((self.destination, "file"),)


@dataclass(frozen=True)
class RemoveArchive(Step):
    """Remove an archive that nlsh made, if nobody has changed it since."""

    members: tuple[tuple[str, str, Identity], ...]
    destination: str
    format: str
    stamp_ns: int

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.delete", self.destination),)

    def describe(self) -> str:
        return f"remove the archive {self.destination}"

    def check(self) -> None:
        with _fs.explained(f"look at {self.destination}"):
            self._refuse_other(os.lstat(self.destination))

    def _refuse_other(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode) or status.st_mtime_ns != self.stamp_ns:
            raise StaleStep(f"{self.destination} has changed since it was made.", hint="Nothing was removed. Trash it yourself if you do not need it.")

    def apply(self) -> None:
        with _fs.explained(f"remove {self.destination}"), _fs.parent_of(self.destination) as (folder, name):
            self._refuse_other(_fs.status_at(folder, name))
            os.unlink(name, dir_fd=folder)

    def inverse(self) -> Step:
        return CreateArchive(self.members, self.destination, self.format, self.stamp_ns)

    def state(self) -> str:
        return "undone" if os.path.lexists(self.destination) else "done"

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.destination),)


@dataclass(frozen=True)
class ExtractArchive(Step):
    """Unpack the members that were previewed below the folder `root`, which is there; nothing that exists is overwritten.

    `tops` are the first parts of the members' paths: what appears in `root`.
    """

    archive: str
    root: str
    members: tuple[Member, ...]
    identity: Identity

    @property
    def tops(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(m[0].partition("/")[0] for m in self.members))

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.read", self.archive), *(Effect("fs.write", os.path.join(self.root, top)) for top in self.tops))

    def describe(self) -> str:
        files = sum(m[1] != "folder" for m in self.members)
        size = "" if any(m[2] < 0 for m in self.members) else f" ({sum(m[2] for m in self.members)} bytes)"
        return f"unpack {files} file{'' if files == 1 else 's'}{size} from {self.archive} into {self.root}"

    def check(self) -> None:
        _fs.still_there(self.archive, self.identity)
        for top in self.tops:
            _fs.must_be_free(os.path.join(self.root, top))

    def apply(self) -> None:
        made: list[str] = []
        with _fs.explained(f"unpack {self.archive}"):
            try:
                self._unpack(made)
            except BaseException:
                for path in reversed(made):
                    with suppress(OSError):
                        os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
                raise

    def _unpack(self, made: list[str]) -> None:
        with _fs.parent_of(self.archive) as (folder, name):
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        wanted: dict[int, list[Member]] = {}
        # Names of one content count once: it is read once.
        meter = handles.Meter(sum({m[6]: m[2] for m in self.members if m[1] == "file"}.values()))
        with os.fdopen(descriptor, "rb") as file:
            if not is_same(os.fstat(descriptor), self.identity):
                raise StaleStep(f"{self.archive} has changed since it was approved.", hint="Nothing was unpacked. Ask again.")
            for member in self.members:
                path = os.path.join(self.root, member[0])
                if member[1] == "folder":
                    with _fs.parent_of(path) as (folder, name):
                        os.mkdir(name, 0o700, dir_fd=folder)
                    made.append(path)
                elif member[1] == "link":
                    with _fs.parent_of(path) as (folder, name):
                        os.symlink(member[5], name, dir_fd=folder)
                        made.append(path)
                        os.utime(name, ns=(member[3], member[3]), dir_fd=folder, follow_symlinks=False)
                else:
                    wanted.setdefault(member[6], []).append(member)
            with opened(file, self.archive) as archive:
                if isinstance(archive, Single):
                    free = os.statvfs(self.root)
                    self._pour(wanted[0], archive.content, made, handles.Meter(), (archive.packed, free.f_bavail * free.f_frsize))
                elif hasattr(archive, "worker"):
                    with ExitStack() as sinks:
                        sevenzip.read(archive, {number: lambda n: self._sink(wanted[n], made, meter, sinks) for number in wanted})
                else:
                    for number, content in _contents(archive, wanted):
                        self._pour(wanted[number], content, made, meter)
        for path, kind, _, mtime_ns, mode, _, _ in reversed(self.members):
            if kind == "folder":
                with _fs.parent_of(os.path.join(self.root, path)) as (folder, name):
                    os.chmod(name, mode & 0o755 | 0o700, dir_fd=folder)
                    if mtime_ns >= 0:
                        os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=folder, follow_symlinks=False)

    def _sink(self, members: list[Member], made: list[str], meter: handles.Meter, sinks: ExitStack) -> _Sink:
        sink = _Sink(self.archive, self.root, members, made, meter)
        sinks.callback(sink.close)
        return sink

    def _pour(self, members: list[Member], content: IO[bytes], made: list[str], meter: handles.Meter, bounds: tuple[int, int] | None = None) -> None:
        """Write one content to each of its names. `bounds`, where its size is not known: the archive's size and what is free, in bytes."""
        sink = _Sink(self.archive, self.root, members, made, meter, bounds)
        try:
            while block := content.read(_BLOCK if sink.left < 0 else min(_BLOCK, sink.left)):
                sink.write(block)
            sink.finish()
        finally:
            sink.close()

    def inverse(self) -> Step:
        return RemoveExtracted(self.archive, self.root, self.members, self.identity)

    def state(self) -> str:
        if not any(os.path.lexists(os.path.join(self.root, m[0])) for m in self.members):
            return "undone"
        return "done" if all(_is_unpacked(os.path.join(self.root, m[0]), m) for m in self.members) else "unknown"

    def leftovers(self) -> tuple[str, ...]:
        return tuple(os.path.join(self.root, top) for top in self.tops) if self.state() == "unknown" else ()

    def touches(self) -> tuple[str, ...]:
        return (self.root,)

    def makes(self) -> tuple[tuple[str, str], ...]:
        return tuple((os.path.join(self.root, m[0]), "folder" if m[1] == "folder" else "file") for m in self.members)


def _is_unpacked(place: str, member: Member) -> bool:
    """Return whether a member is there, whole: with its times, which it gets last."""
    _, kind, size, mtime_ns, _, target, _ = member
    try:
        status = os.lstat(place)
    except OSError:
        return False
    if kind == "folder":
        return stat.S_ISDIR(status.st_mode) and mtime_ns in (-1, status.st_mtime_ns)
    if kind == "link":
        return stat.S_ISLNK(status.st_mode) and os.readlink(place) == target
    return is_same(status, (0, 0, mtime_ns, status.st_size if size < 0 else size))


def _contents(archive: Any, wanted: dict[int, list[Member]]) -> Iterator[tuple[int, IO[bytes]]]:
    import zipfile

    if isinstance(archive, zipfile.ZipFile):
        infos = archive.infolist()
        for number in wanted:
            with archive.open(infos[number]) as content:
                yield number, content
        return
    for number, info in enumerate(archive):
        if number in wanted and (content := archive.extractfile(info)) is not None:
            yield number, content


class _Sink:
    """Where the content of members goes that are one file under several names: what is written may not be read here.

    `left` is how many bytes are still to come, -1 where nobody knows.
    """

    def __init__(self, archive: str, root: str, members: list[Member], made: list[str], meter: handles.Meter, bounds: tuple[int, int] | None = None) -> None:
        self._archive, self._members, self._meter, self._bounds = archive, members, meter, bounds
        self.left = members[0][2]
        self._written = 0
        self._targets: list[int] = []
        try:
            for member in members:
                place = os.path.join(root, member[0])
                with _fs.parent_of(place) as (folder, name):
                    self._targets.append(os.open(name, _NEW, 0o600, dir_fd=folder))
                made.append(place)
        except BaseException:
            self.close()
            raise

    def write(self, block: bytes) -> None:
        self._written += len(block)
        self._meter.came(len(block))
        if self._bounds is not None:
            refuse_bomb(self._archive, self._bounds[0], self._written, self._bounds[1])
        elif len(block) > self.left:
            raise NotPossible(f"{self._archive} is damaged: a member is longer than it says.", hint="What had been unpacked was removed again.")
        else:
            self.left -= len(block)
        for target in self._targets:
            rest = block
            while rest:
                rest = rest[os.write(target, rest) :]

    def finish(self) -> None:
        """Give the files their modes and times, and close them. Raises NotPossible where something is missing."""
        if self.left > 0:
            raise NotPossible(f"{self._archive} is damaged: a member is shorter than it says.", hint="What had been unpacked was removed again.")
        for target, (_, _, _, mtime_ns, mode, _, _) in zip(self._targets, self._members, strict=True):
            os.fchmod(target, mode & 0o755 | 0o600)
            os.utime(target, ns=(mtime_ns, mtime_ns))
        self.close()

    def close(self) -> None:
        while self._targets:
            os.close(self._targets.pop())


@dataclass(frozen=True)
class RemoveExtracted(Step):
    """Remove what was unpacked from an archive, if nobody has changed any of it or added to it since."""

    archive: str
    root: str
    members: tuple[Member, ...]
    identity: Identity

    def effects(self) -> tuple[Effect, ...]:
        tops = dict.fromkeys(os.path.join(self.root, m[0].partition("/")[0]) for m in self.members)
        return tuple(e for top in tops for e in (Effect("fs.read", top), Effect("fs.delete", top)))

    def describe(self) -> str:
        return f"remove what was unpacked from {self.archive} into {self.root}"

    def check(self) -> None:
        if self.state() == "done":
            return  # what was left of it when this step was cut short has been cleared away
        known = {m[0] for m in self.members}
        for path, kind, size, mtime_ns, _, target, _ in self.members:
            place = os.path.join(self.root, path)
            with _fs.explained(f"look at {place}"):
                status = os.lstat(place)
                if kind == "folder":
                    same = stat.S_ISDIR(status.st_mode)
                    added = [n for n in os.listdir(place) if f"{path}/{n}" not in known] if same else []
                    if added:
                        raise StaleStep(f"{os.path.join(place, added[0])} was added since.", hint="Nothing was removed. Move it elsewhere and ask again.")
                elif kind == "link":
                    same = stat.S_ISLNK(status.st_mode) and os.readlink(place) == target
                else:
                    same = is_same(status, (0, 0, mtime_ns, status.st_size if size < 0 else size))
                if not same:
                    raise StaleStep(f"{place} has changed since it was unpacked.", hint="Nothing was removed. Trash what you do not need yourself.")

    def apply(self) -> None:
        with _fs.explained(f"remove what was unpacked into {self.root}"):
            for path, kind, *_ in reversed(self.members):
                with suppress(FileNotFoundError), _fs.parent_of(os.path.join(self.root, path)) as (folder, name):
                    os.rmdir(name, dir_fd=folder) if kind == "folder" else os.unlink(name, dir_fd=folder)

    def inverse(self) -> Step:
        return ExtractArchive(self.archive, self.root, self.members, self.identity)

    def state(self) -> str:
        there = [os.path.lexists(os.path.join(self.root, m[0])) for m in self.members]
        return "undone" if all(there) else "unknown" if any(there) else "done"

    def leftovers(self) -> tuple[str, ...]:
        tops = dict.fromkeys(m[0].partition("/")[0] for m in self.members)
        return tuple(os.path.join(self.root, top) for top in tops) if self.state() == "unknown" else ()

    def touches(self) -> tuple[str, ...]:
        return (self.root,)


@dataclass(frozen=True, kw_only=True)
class Compress(WriteNew):
    """Compress one file into a new one beside it, which gets its time; `format` is gz, bz2, xz or zst."""

    format: str

    def words(self) -> str:
        return f"compress {self.source} into {self.target}"

    def produce(self, source: IO[bytes], target: IO[bytes]) -> None:
        size = os.fstat(source.fileno()).st_size
        with _pack.compressing(target, self.format) as packed:
            done = 0
            while block := source.read(_BLOCK):
                packed.write(block)
                done += len(block)
                handles.progress(done, size, "bytes")


@dataclass(frozen=True, kw_only=True)
class AddToArchive(ChangeContent):
    """Add things to an archive: a new one with them takes its place, and the old one goes to the trash. `members` as in `CreateArchive`."""

    members: tuple[tuple[str, str, Identity], ...]

    def words(self) -> str:
        what = self.members[0][0] if len(self.members) == 1 else f"{len(self.members)} things"
        return f"add {what} to {self.path}"

    def effects(self) -> tuple[Effect, ...]:
        return (*super().effects(), *(() if self.back else (Effect("fs.read", path) for path, _, _ in self.members)))

    def check(self) -> None:
        super().check()
        if not self.back:
            for path, _, known in self.members:
                _fs.still_there(path, known)

    def rewrite(self, source: IO[bytes], target: IO[bytes]) -> None:
        status = os.fstat(source.fileno())
        own = (status.st_dev, status.st_ino)
        size = _pack.size_of(_pack.entries(self.members, own))
        _pack.add(source, target, self.path, _pack.entries(self.members, own), size)
