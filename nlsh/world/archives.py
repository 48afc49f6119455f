"""What is in an archive, and whether it may be unpacked: zip and tar, plain or compressed with gzip, bzip2 or xz.

Owns the formats and every check of names, links, kinds and sizes. What writes files is `nlsh.steps.archives`, for what was let through here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import IO, TYPE_CHECKING, Any

from nlsh.plan.errors import NlshError, NotPossible, Refused

if TYPE_CHECKING:
    import tarfile
    import zipfile

# ending → format, longest first
ENDINGS = {
    ".tar.gz": "tar.gz", ".tar.bz2": "tar.bz2", ".tar.xz": "tar.xz", ".tgz": "tar.gz", ".tbz2": "tar.bz2", ".txz": "tar.xz", ".tar": "tar",
    ".zip": "zip",
}  # fmt: skip
FORMATS = ("tar.gz", "zip", "tar", "tar.bz2", "tar.xz")
COMPRESSION = {"tar": "", "tar.gz": "gz", "tar.bz2": "bz2", "tar.xz": "xz"}
MOST_MEMBERS = 200_000
# What unpacks to more than this many times its size, and to more than this, is taken for a bomb. Text packs 20 to 1, logs up to 100.
MOST_RATIO, HARMLESS_BYTES = 200, 64 << 20
MOST_HEADER_BYTES = 1 << 20  # of one member's name and attributes
_NOTHING = "Nothing was unpacked."


@dataclass(frozen=True)
class Entry:
    """A member of an archive. `number` is its place in it, `target` what a link leads to, `mtime_ns` its time in nanoseconds since the epoch."""

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
    """Return a file's name without the ending of an archive."""
    return next((name[: -len(ending)] for ending in ENDINGS if name.lower().endswith(ending)), name)


@contextmanager
def opened(file: IO[bytes], path: str) -> Iterator[Any]:
    """Give the open archive (a ZipFile or a TarFile), by what it holds and not by its name. Raises NotPossible for anything else."""
    import lzma
    import tarfile
    import zipfile
    import zlib

    start = file.read(8)
    file.seek(0)
    try:
        if start.startswith(b"PK"):
            with zipfile.ZipFile(file) as zipped:
                yield zipped
        else:
            with tarfile.open(fileobj=file, mode="r:*", errorlevel=2, tarinfo=_member_class()) as tarred:
                yield tarred
    except NlshError:
        raise
    except (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, NotImplementedError, UnicodeError, ValueError, IndexError) as error:
        raise NotPossible(f"{path} is not an archive that can be read here: {error}.", hint="nlsh reads zip, tar, tar.gz, tar.bz2 and tar.xz.") from error
    except RuntimeError as error:  # what zipfile says of a password
        raise NotPossible(f"{path} cannot be unpacked: {error}.", hint="Archives with a password are not unpacked by nlsh.") from error


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
    import zipfile

    yield from _zip_members(archive) if isinstance(archive, zipfile.ZipFile) else _tar_members(archive)


def _zip_members(archive: zipfile.ZipFile) -> Iterator[Entry]:
    import time

    for number, info in enumerate(archive.infolist()):
        mode = info.external_attr >> 16
        kind = "folder" if info.is_dir() else "link" if stat.S_ISLNK(mode) else "other" if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode) else "file"
        target = ""
        if kind == "link" and info.file_size <= 4096:
            target = os.fsdecode(archive.read(info))
        try:
            # Local time, as a zip file has it.
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
            total += entry.size
            # Before the next header is looked for: reaching it may mean to unpack all of this.
            _refuse_bomb(path, packed, total, free_bytes)
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


def _refuse_bomb(path: str, packed: int, total: int, free_bytes: int) -> None:
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


def _hard_link(path: str, found: dict[str, Entry], entry: Entry) -> Entry:
    """Return the entry as the file it is another name of: it is unpacked as a copy."""
    other = found.get("/".join(p for p in entry.target[1:].split("/") if p not in ("", ".")))
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
