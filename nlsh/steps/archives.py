"""Steps on archives: make one, unpack one, and take either back as long as nobody has changed what was made."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible, StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs
from nlsh.world.archives import COMPRESSION, opened
from nlsh.world.files import Identity, is_same, walk

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 1 << 20
# A member: path, type, size in bytes, time in nanoseconds (-1: as it comes), mode, link target, number in the archive (-1: not in it).
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

    def apply(self) -> None:
        with _fs.explained(f"create {self.destination}"), _fs.parent_of(self.destination) as (folder, name):
            descriptor = os.open(name, _NEW, 0o666, dir_fd=folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    own = os.fstat(descriptor)
                    entries = _to_pack(self.members, (own.st_dev, own.st_ino))
                    _write_zip(file, entries) if self.format == "zip" else _write_tar(file, entries, COMPRESSION[self.format])
                    file.flush()
                    os.utime(descriptor, ns=(self.stamp_ns, self.stamp_ns))
            except BaseException:
                with suppress(OSError):
                    os.unlink(name, dir_fd=folder)
                raise

    def inverse(self) -> Step:
        return RemoveArchive(self.members, self.destination, self.format, self.stamp_ns)

    def state(self) -> str:
        try:
            status = os.lstat(self.destination)
        except OSError:
            return "undone"
        return "done" if status.st_mtime_ns == self.stamp_ns else "unknown"

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


def _to_pack(members: tuple[tuple[str, str, Identity], ...], own: tuple[int, int]) -> Iterator[tuple[str, str, os.stat_result]]:
    """Yield path, name and status of all that is packed; the archive itself is left out. Raises NotPossible for what cannot be read."""
    for path, name, _ in members:
        status = os.lstat(path)
        yield path, name, status
        if not stat.S_ISDIR(status.st_mode):
            continue
        skipped: list[str] = []
        for entry in walk(path, skipped=skipped):
            status = entry.stat(follow_symlinks=False)
            if (status.st_dev, status.st_ino) != own:
                yield entry.path, name + entry.path[len(path) :], status
        if skipped:
            raise NotPossible(f"{skipped[0]} cannot be read, so the archive would not be whole.", hint="No archive was made. Leave that folder out.")


def _source(path: str, status: os.stat_result) -> IO[bytes]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    found = os.fstat(descriptor)
    if (found.st_dev, found.st_ino) != (status.st_dev, status.st_ino):
        os.close(descriptor)
        raise StaleStep(f"{path} was exchanged while it was packed.", hint="No archive was made. Ask again.")
    return os.fdopen(descriptor, "rb")


def _write_zip(file: IO[bytes], entries: Iterator[tuple[str, str, os.stat_result]]) -> None:
    import time
    import zipfile

    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as zipped:
        for path, name, status in entries:
            try:
                name.encode()
            except UnicodeEncodeError:
                raise NotPossible(f"zip cannot hold the name {path!r}.", hint='No archive was made. Use format="tar.gz".') from None
            mode = status.st_mode
            info = zipfile.ZipInfo(name, _dos_time(time.localtime(status.st_mtime)))
            info.external_attr = (mode & 0xFFFF) << 16
            info.create_system = 3
            info.compress_type = zipfile.ZIP_DEFLATED
            if stat.S_ISDIR(mode):
                info.filename += "/"
                info.external_attr |= 0x10
                zipped.writestr(info, b"", compress_type=zipfile.ZIP_STORED)
            elif stat.S_ISLNK(mode):
                zipped.writestr(info, os.fsencode(os.readlink(path)), compress_type=zipfile.ZIP_STORED)
            elif stat.S_ISREG(mode):
                info.file_size = status.st_size
                with _source(path, status) as source, zipped.open(info, "w") as target:
                    while block := source.read(_BLOCK):
                        target.write(block)
            else:
                raise NotPossible(f"zip cannot hold {path}: it is a pipe, a socket or a device.", hint="No archive was made. Leave it out.")


def _dos_time(when: Any) -> tuple[int, int, int, int, int, int]:
    return (min(max(when.tm_year, 1980), 2107), *when[1:6]) if 1980 <= when.tm_year <= 2107 else (1980, 1, 1, 0, 0, 0)


def _write_tar(file: IO[bytes], entries: Iterator[tuple[str, str, os.stat_result]], compression: str) -> None:
    import tarfile

    options: dict[str, Any] = {"compresslevel": 6} if compression == "gz" else {}
    with tarfile.open(fileobj=file, mode=f"w:{compression}", format=tarfile.PAX_FORMAT, **options) as tarred:  # type: ignore[call-overload]
        for path, name, status in entries:
            if stat.S_ISREG(status.st_mode):
                with _source(path, status) as source:
                    info = tarred.gettarinfo(arcname=name, fileobj=source)
                    # Each name gets its content: what is packed here must be able to stand alone.
                    info.type, info.linkname, info.size = tarfile.REGTYPE, "", os.fstat(source.fileno()).st_size
                    tarred.addfile(info, source)
                continue
            if stat.S_ISSOCK(status.st_mode):
                raise NotPossible(f"tar cannot hold {path}: it is a socket.", hint="No archive was made. Leave it out.")
            tarred.addfile(tarred.gettarinfo(path, arcname=name))


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
        return f"unpack {files} file{'' if files == 1 else 's'} ({sum(m[2] for m in self.members)} bytes) from {self.archive} into {self.root}"

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
                for number, content in _contents(archive, wanted):
                    self._write(wanted[number], content, made)
        for path, kind, _, mtime_ns, mode, _, _ in reversed(self.members):
            if kind == "folder":
                with _fs.parent_of(os.path.join(self.root, path)) as (folder, name):
                    os.chmod(name, mode & 0o755 | 0o700, dir_fd=folder)
                    if mtime_ns >= 0:
                        os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=folder, follow_symlinks=False)

    def _write(self, members: list[Member], content: IO[bytes], made: list[str]) -> None:
        """Write one content to each of its names: what is written may not be read here."""
        targets: list[int] = []
        try:
            for member in members:
                place = os.path.join(self.root, member[0])
                with _fs.parent_of(place) as (folder, name):
                    targets.append(os.open(name, _NEW, 0o600, dir_fd=folder))
                made.append(place)
            _copy_stream(content, targets, members[0][2], self.archive)
            for target, (_, _, _, mtime_ns, mode, _, _) in zip(targets, members, strict=True):
                os.fchmod(target, mode & 0o755 | 0o600)
                os.utime(target, ns=(mtime_ns, mtime_ns))
        finally:
            for target in targets:
                os.close(target)

    def inverse(self) -> Step:
        return RemoveExtracted(self.archive, self.root, self.members, self.identity)

    def state(self) -> str:
        there = [os.path.lexists(os.path.join(self.root, m[0])) for m in self.members]
        return "done" if all(there) else "unknown" if any(there) else "undone"

    def touches(self) -> tuple[str, ...]:
        return (self.root,)

    def makes(self) -> tuple[tuple[str, str], ...]:
        return tuple((os.path.join(self.root, m[0]), "folder" if m[1] == "folder" else "file") for m in self.members)


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


def _copy_stream(source: IO[bytes], targets: list[int], size: int, path: str) -> None:
    left = size
    while left:
        block = source.read(min(_BLOCK, left))
        if not block:
            raise NotPossible(f"{path} is damaged: a member is shorter than it says.", hint="What had been unpacked was removed again.")
        left -= len(block)
        for target in targets:
            rest = block
            while rest:
                rest = rest[os.write(target, rest) :]


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
                    same = is_same(status, (0, 0, mtime_ns, size))
                if not same:
                    raise StaleStep(f"{place} has changed since it was unpacked.", hint="Nothing was removed. Trash what you do not need yourself.")

    def apply(self) -> None:
        with _fs.explained(f"remove what was unpacked into {self.root}"):
            for path, kind, *_ in reversed(self.members):
                with _fs.parent_of(os.path.join(self.root, path)) as (folder, name):
                    os.rmdir(name, dir_fd=folder) if kind == "folder" else os.unlink(name, dir_fd=folder)

    def inverse(self) -> Step:
        return ExtractArchive(self.archive, self.root, self.members, self.identity)

    def state(self) -> str:
        there = [os.path.lexists(os.path.join(self.root, m[0])) for m in self.members]
        return "undone" if all(there) else "unknown" if any(there) else "done"

    def touches(self) -> tuple[str, ...]:
        return (self.root,)
