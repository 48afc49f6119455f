"""What is in an archive, and whether it may be unpacked: zip, 7z, tar plain or compressed, and single compressed files (gz, bz2, xz, zst).

Owns the formats and every check of names, links, kinds and sizes. What writes files is `nlsh.steps.archives`, for what was let through here.
Compressed streams are read by `nlsh.world.streams`, 7z archives by `nlsh.world.sevenzip`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import IO, TYPE_CHECKING, Any

from nlsh.plan.errors import NlshError, NotPossible, Refused
from nlsh.plan.frozen import frozen
from nlsh.world import sevenzip, streams, zips

if TYPE_CHECKING:
    import tarfile
    import zipfile

# ending → format, longest first
ENDINGS = {
    ".tar.bz2": "tar.bz2", ".tar.zst": "tar.zst", ".tar.gz": "tar.gz", ".tar.xz": "tar.xz", ".tbz2": "tar.bz2", ".tzst": "tar.zst", ".tgz": "tar.gz",
    ".txz": "tar.xz", ".tar": "tar", ".zip": "zip", ".7z": "7z",
}  # fmt: skip
# Of one file that is compressed by itself; its name is what is left without the ending.
SINGLE_ENDINGS = {".gz": "gz", ".bz2": "bz2", ".xz": "xz", ".zst": "zst"}
FORMATS = ("tar.gz", "zip", "tar", "tar.bz2", "tar.xz", "tar.zst", "7z")
COMPRESSION = {"tar": "", "tar.gz": "gz", "tar.bz2": "bz2", "tar.xz": "xz", "tar.zst": "zst"}
MOST_MEMBERS = 200_000
# What unpacks to more than this many times its size, and to more than this, is taken for a bomb. Text packs 20 to 1, logs up to 100.
MOST_RATIO, HARMLESS_BYTES = 200, 64 << 20
MOST_HEADER_BYTES = 1 << 20  # of one member's name and attributes
_NOTHING = "Nothing was unpacked."
_CHECKED = "Nothing was changed. archive.list shows what can still be read of it."


@frozen(slots=False)
class Entry:
    """A member of an archive. `number` is its place in it, `target` what a link leads to, `mtime_ns` its time in nanoseconds since the epoch.

    `size` is in bytes; -1 where only unpacking says it (a single compressed file).
    """

    number: int
    path: str
    type: str
    size: int
    mtime_ns: int
    mode: int
    target: str = ""


def format_of(name: str) -> str | None:
    """Return the format that a file's name says, or None.

    >>> format_of("a.TGZ"), format_of("a.txt")
    ('tar.gz', None)
    """
    return next((f for ending, f in ENDINGS.items() if name.lower().endswith(ending)), None)


def stem_of(name: str) -> str:
    """Return a file's name without the ending of an archive or of a compressed file."""
    return next((name[: -len(ending)] for ending in (*ENDINGS, *SINGLE_ENDINGS) if name.lower().endswith(ending)), name)


@frozen(slots=False)
class Single:
    """One compressed file: `content` is the stream that gives what it holds, `name` what it is called then."""

    name: str
    content: IO[bytes]
    packed: int
    mtime_ns: int

    def size(self, path: str) -> int:
        """Return how many bytes it holds, by decompressing it. Raises Refused where that is more than is likely."""
        total = 0
        while block := self.content.read(1 << 20):
            total += len(block)
            refuse_bomb(path, self.packed, total, total)
        return total


@contextmanager
def opened(file: IO[bytes], path: str) -> Iterator[Any]:
    """Give the open archive (ZipFile, TarFile, SevenZipFile or Single), by what it holds and not by its name. Raises NotPossible for anything else."""
    import zipfile

    start = file.read(8)
    file.seek(0)
    try:
        if start.startswith(b"PK"):
            with zipfile.ZipFile(file) as zipped:
                encoding = zips.encoding_of_names(zipped)
                if encoding is None:
                    yield zipped
                    return
            file.seek(0)
            with zipfile.ZipFile(file, metadata_encoding=encoding) as zipped:
                yield zipped
        elif start.startswith(sevenzip.MAGIC):
            with sevenzip.opened(file, path) as seven:
                yield seven
        elif compression := streams.compression_of(start):
            with streams.reading(file, compression) as content:
                yield from _in_stream(file, content, path)
        else:
            with _tar(file) as tarred:
                yield tarred
    except NlshError:
        raise
    except _unreadable() as error:
        known = ", ".join((*FORMATS, *SINGLE_ENDINGS.values()))
        raise NotPossible(f"{path} is not an archive that can be read here: {error}.", hint=f"nlsh reads {known}.") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise NotPossible(f"{path} is damaged: {error}.", hint="Nothing of it was kept.") from error  # what gzip and bzip2 say of bad data
    except RuntimeError as error:  # what zipfile says of a password
        raise NotPossible(f"{path} cannot be unpacked: {error}.", hint="Archives with a password are not unpacked by nlsh.") from error


def _unreadable() -> tuple[type[Exception], ...]:
    """Return what reading raises where there is no whole archive; an OSError without an errno is another."""
    import tarfile
    import zipfile

    return (zipfile.BadZipFile, tarfile.TarError, *streams.errors(), NotImplementedError, UnicodeError, ValueError, IndexError)


def _tar(content: IO[bytes]) -> tarfile.TarFile:
    import tarfile

    return tarfile.open(fileobj=content, mode="r:", errorlevel=2, tarinfo=_member_class())


def _in_stream(file: IO[bytes], content: IO[bytes], path: str) -> Iterator[Any]:
    """Yield the tar in a compressed stream, or the one file that it is."""
    import tarfile

    says_tar = (format_of(path) or "").startswith("tar")
    content.read(1)  # what cannot even begin to be decompressed is no such stream
    content.seek(0)
    try:
        tarred = _tar(content)
    except tarfile.ReadError:
        if says_tar:
            raise
    else:
        # Zeros are an empty tar, too.
        if says_tar or tarred.firstmember is not None:  # type: ignore[attr-defined]  # the stubs leave it out
            with tarred:
                yield tarred
            return
    content.seek(0)
    status = os.fstat(file.fileno())
    name = os.path.basename(path)
    stem = stem_of(name)
    yield Single(stem if stem not in ("", ".", "..", name) else f"{name}.unpacked", content, status.st_size, status.st_mtime_ns)


@cache
def _member_class() -> type[tarfile.TarInfo]:
    """Return the class of a tar's members: one whose names and attributes are not read before it is known that they are of a sane size."""
    import tarfile

    long = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)

    class Member(tarfile.TarInfo):
        def _proc_member(self, tarred: tarfile.TarFile) -> Any:
            # tarfile reads all of it into memory at once, and a few kilobytes can be packed from gigabytes.
            if self.type in long and self.size > MOST_HEADER_BYTES:
                raise tarfile.ReadError(f"a member's name and attributes have {self.size:,} bytes")
            return super()._proc_member(tarred)  # type: ignore[misc]

        @classmethod
        def fromtarfile(cls, tarred: tarfile.TarFile) -> Any:
            try:
                return super().fromtarfile(tarred)
            except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the stubs leave it out
                raise
            except tarfile.HeaderError as error:
                # tarfile takes a bad header for the end; who checks an archive wants to know.
                tarred.broken = str(error)  # type: ignore[attr-defined]
                raise

    return Member


def open_regular(path: str) -> IO[bytes]:
    """Open a regular file for reading. Raises NotPossible for a pipe or a device, which might never answer, and OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotPossible(f"{path} is not a file that could be an archive.", hint=_NOTHING)
    return os.fdopen(descriptor, "rb")


def members(archive: Any) -> Iterator[Entry]:
    """Yield the members of an open archive as they are written in it, unchecked."""
    import tarfile
    import zipfile

    if isinstance(archive, zipfile.ZipFile):
        yield from _zip_members(archive)
    elif isinstance(archive, tarfile.TarFile):
        yield from _tar_members(archive)
    elif isinstance(archive, Single):
        yield Entry(0, archive.name, "file", -1, archive.mtime_ns, 0o644)
    else:
        yield from _seven_members(archive)


def _seven_members(archive: Any) -> Iterator[Entry]:
    found = list(sevenzip.members(archive))
    links = [m for m, kind in found if kind == "link"]
    leads: dict[int, str] = {}
    if links:
        packed = os.fstat(archive.fp.fileno()).st_size
        # To know what they lead to, all before them in the same stream is decompressed.
        refuse_bomb("The 7z archive", packed, sum(m.uncompressed for m, _ in found), sum(m.uncompressed for m, _ in found))
        leads = sevenzip.targets(archive, links)
    for member, kind in found:
        when = member.lastwritetime
        mtime_ns = (int(when) - sevenzip.EPOCH) * 100 if when else 0
        mode = member.posix_mode or (0o755 if kind == "folder" else 0o644)
        yield Entry(member.id, member.filename, kind, member.uncompressed if kind == "file" else 0, mtime_ns, mode, leads.get(member.id, ""))


def _zip_members(archive: zipfile.ZipFile) -> Iterator[Entry]:
    import time

    for number, info in enumerate(archive.infolist()):
        mode = info.external_attr >> 16
        kind = "folder" if info.is_dir() else "link" if stat.S_ISLNK(mode) else "other" if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode) else "file"
        target = ""
        if kind == "link" and info.file_size <= 4096:
            # No more than it may be: read() would first unpack all that is there, whatever the size says.
            with archive.open(info) as content:
                target = os.fsdecode(content.read(4097))
        when = zips.unix_time(info.extra)
        if when is None:
            try:
                # Local time of whoever packed it, to two seconds.
                when = int(time.mktime((*info.date_time, 0, 0, -1)))
            except (ValueError, OverflowError):
                when = 0
        default = 0o755 if kind == "folder" else 0o644
        yield Entry(number, info.filename, kind, 0 if kind == "folder" else info.file_size, when * 1_000_000_000, stat.S_IMODE(mode) or default, target)


def _tar_members(archive: tarfile.TarFile) -> Iterator[Entry]:
    for number, info in enumerate(archive):
        kind = "file" if info.isreg() or info.islnk() else "folder" if info.isdir() else "link" if info.issym() else "other"
        target = info.linkname if info.issym() else "\0" + info.linkname if info.islnk() else ""
        size = info.size if kind == "file" else 0
        yield Entry(number, info.name, kind, size, int(float(info.mtime) * 1_000_000_000), stat.S_IMODE(info.mode), target)


def checked(path: str, free_bytes: int) -> tuple[Entry, ...]:
    """Return what would be unpacked from the archive `path`: folders before what is in them, one entry a path, names cleaned.

    Raises Refused, naming the member, where one would be written outside, is a device, or where it all is more than fits or than is likely.
    """
    with open_regular(path) as file, opened(file, path) as archive:
        packed = os.fstat(file.fileno()).st_size
        found: dict[str, Entry] = {}
        total = 0
        for entry in members(archive):
            if len(found) >= MOST_MEMBERS:
                raise Refused(f"{path} holds more than {MOST_MEMBERS:,} members.", hint=f"{_NOTHING} Unpack it with a raw command if you trust it.")
            total += max(0, entry.size)
            # Before the next header is looked for: reaching it may mean to unpack all of this.
            refuse_bomb(path, packed, total, free_bytes)
            clean = _cleaned(path, entry)
            if not clean:
                continue
            if clean[0] == "/":
                raise Refused(f"{path} holds {entry.path!r}, outside of where it is unpacked.", hint=_NOTHING)
            _add(path, found, replace(entry, path=clean))
        _refuse_overlap(path, archive, packed)
    return _finished(path, found)


def _cleaned(path: str, entry: Entry) -> str:
    name = entry.path
    parts = [p for p in name.split("/") if p not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise Refused(f"{path} holds {name!r}, which would be written outside of where it is unpacked.", hint=f"{_NOTHING} Do not trust this archive.")
    if entry.type == "other":
        raise Refused(f"{path} holds {name!r}, which is a device or a pipe.", hint=f"{_NOTHING} Do not trust this archive.")
    if any(len(os.fsencode(p)) > 255 for p in parts):
        raise Refused(f"{path} holds a name that is too long for a file.", hint=_NOTHING)
    return "/".join(parts)


def refuse_bomb(path: str, packed: int, total: int, free_bytes: int) -> None:
    """Raise Refused where `packed` bytes that unpack to `total` are the mark of a bomb, or do not fit."""
    if total > HARMLESS_BYTES and total > packed * MOST_RATIO:
        raise Refused(
            f"{path} is {packed:,} bytes and unpacks to at least {total:,}: that is the mark of an archive made to fill the disk.",
            hint=f"{_NOTHING} Unpack it with a raw command if you trust it.",
        )
    if total > free_bytes:
        raise Refused(f"{path} unpacks to at least {total:,} bytes, and {free_bytes:,} are free there.", hint=f"{_NOTHING} Make room first.")


def _refuse_overlap(path: str, archive: Any, packed: int) -> None:
    import zipfile

    if isinstance(archive, zipfile.ZipFile) and sum(i.compress_size for i in archive.infolist()) > packed:
        raise Refused(f"{path} holds members that overlap: that is the mark of an archive made to fill the disk.", hint=_NOTHING)


def _add(path: str, found: dict[str, Entry], entry: Entry) -> None:
    before = found.get(entry.path)
    if before is not None and entry.target.startswith("\0") and _linked(entry) == entry.path:
        return  # as tar writes a file that it was told of twice
    if before is not None and before.type != entry.type:
        raise Refused(f"{path} holds {entry.path!r} twice, as different things.", hint=f"{_NOTHING} Do not trust this archive.")
    # What was added again later replaces what was there, as tar does.
    found[entry.path] = entry


def _finished(path: str, found: dict[str, Entry]) -> tuple[Entry, ...]:
    """Fill in folders that have no member of their own, and refuse links that lead outside and members below what is no folder."""
    for entry in list(found.values()):
        parent = os.path.dirname(entry.path)
        while parent:
            above = found.setdefault(parent, Entry(-1, parent, "folder", 0, -1, 0o755))
            if above.type != "folder":
                raise Refused(f"{path} holds {entry.path!r} below {parent!r}, which is a {above.type}.", hint=f"{_NOTHING} Do not trust this archive.")
            parent = os.path.dirname(parent)
    cleaned = {}
    for entry in found.values():
        if entry.type == "link":
            leads = os.path.normpath(os.path.join(os.path.dirname(entry.path), entry.target))
            if not entry.target or entry.target.startswith("/") or leads == ".." or leads.startswith("../") or "\0" in entry.target:
                raise Refused(f"{path} holds the link {entry.path!r}, which leads outside, to {entry.target!r}.", hint=f"{_NOTHING} Do not trust this archive.")
        elif entry.target.startswith("\0"):
            entry = _hard_link(path, found, entry)
        cleaned[entry.path] = entry
    # A link may lead through another one: only what stays inside whichever way it is followed is let through.
    if any(_goes_through_link(e, cleaned) for e in cleaned.values()):
        raise Refused(f"{path} holds a link that leads through another link.", hint=f"{_NOTHING} Do not trust this archive.")
    return tuple(sorted(cleaned.values(), key=lambda e: e.path.split("/")))


def _linked(entry: Entry) -> str:
    """Return of what a hard link is another name."""
    return "/".join(p for p in entry.target[1:].split("/") if p not in ("", "."))


def _hard_link(path: str, found: dict[str, Entry], entry: Entry) -> Entry:
    """Return the entry as the file it is another name of: it is unpacked as a copy."""
    other = found.get(_linked(entry))
    if other is None or other.type != "file" or other.target or other.number >= entry.number:
        raise Refused(f"{path} holds {entry.path!r}, another name of {entry.target[1:]!r}, which is not in it.", hint=f"{_NOTHING} Do not trust this archive.")
    return replace(entry, number=other.number, size=other.size, mtime_ns=other.mtime_ns, mode=other.mode, target="")


def _goes_through_link(entry: Entry, found: dict[str, Entry]) -> bool:
    if entry.type != "link":
        return False
    at = os.path.dirname(entry.path)
    for part in entry.target.split("/"):
        if part in ("", "."):
            continue
        if part == ".." and at in found and found[at].type == "link":
            return True
        at = os.path.dirname(at) if part == ".." else os.path.join(at, part)
    steps = os.path.normpath(os.path.join(os.path.dirname(entry.path), entry.target)).split("/")
    return any("/".join(steps[:n]) in found and found["/".join(steps[:n])].type == "link" for n in range(1, len(steps)))


def verify(archive: Any, path: str) -> Iterator[tuple[int, int]]:
    """Read all of an open archive; yield files and bytes so far after each file. Raises NotPossible where it is damaged, Refused for a bomb."""
    import tarfile
    import zipfile

    if isinstance(archive, Single):
        yield 1, archive.size(path)
    elif isinstance(archive, zipfile.ZipFile):
        yield from _verify_zip(archive, path)
    elif isinstance(archive, tarfile.TarFile):
        yield from _verify_tar(archive, path)
    else:
        sizes = [m.uncompressed for m, kind in sevenzip.members(archive) if kind != "folder"]
        refuse_bomb(path, os.fstat(archive.fp.fileno()).st_size, sum(sizes), sum(sizes))
        sevenzip.read(archive, {}, everything=True)
        yield len(sizes), sum(sizes)


def _verify_zip(archive: zipfile.ZipFile, path: str) -> Iterator[tuple[int, int]]:
    packed = os.fstat(archive.fp.fileno()).st_size  # type: ignore[union-attr]
    files = total = 0
    for info in archive.infolist():
        if info.is_dir():
            continue
        with archive.open(info) as content:
            while block := content.read(1 << 20):
                total += len(block)
                refuse_bomb(path, packed, total, total)
        files += 1
        yield files, total


def _verify_tar(archive: tarfile.TarFile, path: str) -> Iterator[tuple[int, int]]:
    packed = os.stat(path).st_size
    files = total = 0
    for info in archive:
        refuse_bomb(path, packed, total + info.size, total + info.size)
        if info.isreg() and (content := archive.extractfile(info)) is not None:
            left = info.size
            while left:
                block = content.read(min(1 << 20, left))
                if not block:
                    raise NotPossible(f"{path} is damaged: {info.name!r} is shorter than it says.", hint=_CHECKED)
                left -= len(block)
                total += len(block)
            files += 1
            yield files, total
    if hasattr(archive, "broken"):
        raise NotPossible(f"{path} is damaged after {files} files: {archive.broken}.", hint=_CHECKED)
    # What comes after the members is part of the compressed stream, and of its check sum.
    while block := archive.fileobj.read(1 << 20):
        total += len(block)
        refuse_bomb(path, packed, total, total)
