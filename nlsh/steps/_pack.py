"""How archives are written: zip, 7z, tar plain or compressed, and one file compressed by itself; and how something is added to one.

Owns the bytes of what is written. What is packed, and where the archive goes, is `archives`'s.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nlsh.plan.errors import NotPossible, Refused, StaleStep
from nlsh.steps import handles
from nlsh.world import archives, sevenzip, streams, zips
from nlsh.world.files import Identity, walk

if TYPE_CHECKING:
    import zipfile

_BLOCK = 1 << 18
# What is packed: its path, its name in the archive, its status.
Entry = tuple[str, str, os.stat_result]
_NOT_MADE = "No archive was made."


def entries(members: tuple[tuple[str, str, Identity], ...], own: tuple[int, int]) -> Iterator[Entry]:
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
            raise NotPossible(f"{skipped[0]} cannot be read, so the archive would not be whole.", hint=f"{_NOT_MADE} Leave that folder out.")


def size_of(found: Iterator[Entry]) -> int:
    """Return how many bytes of content there are to pack."""
    return sum(status.st_size for _, _, status in found if stat.S_ISREG(status.st_mode))


class Sources:
    """Opens the files that are packed; `meter` hears of each byte that is read, `changed` are the files that somebody wrote to meanwhile."""

    def __init__(self, meter: handles.Meter) -> None:
        self.meter = meter
        self.changed: list[str] = []

    @contextmanager
    def open(self, path: str, status: os.stat_result) -> Iterator[_Metered]:
        """Give a file to read, as long as it was when it was opened. Raises StaleStep where another one is there, or where it became shorter."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            first = os.fstat(descriptor)
            if (first.st_dev, first.st_ino) != (status.st_dev, status.st_ino):
                raise StaleStep(f"{path} was exchanged while it was packed.", hint=f"{_NOT_MADE} Ask again.")
            source = _Metered(file, first.st_size, self.meter)
            try:
                yield source
            finally:
                last = os.fstat(descriptor)
                if source.left and last.st_size < first.st_size:
                    raise StaleStep(f"{path} became shorter while it was packed.", hint=f"{_NOT_MADE} Ask again when nobody writes to it.")
            if last.st_mtime_ns != first.st_mtime_ns or last.st_size != first.st_size:
                self.changed.append(path)


class _Metered(io.BufferedIOBase):
    """The first `end` bytes of a file, each of which is told to a meter as it is read."""

    def __init__(self, file: Any, end: int, meter: handles.Meter) -> None:
        self.name = file.name
        self._file, self._end, self._meter = file, end, meter
        self.left = end

    def read(self, size: int | None = -1) -> bytes:
        block: bytes = self._file.read(self.left if size is None or size < 0 else min(self.left, size))
        self.left -= len(block)
        self._meter.came(len(block))
        return block

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        place = offset + (0, self._end - self.left, self._end)[whence]
        self.left = self._end - place
        return int(self._file.seek(place))

    def tell(self) -> int:
        return self._end - self.left

    def fileno(self) -> int:
        return int(self._file.fileno())


def write(file: IO[bytes], format: str, found: Iterator[Entry], sources: Sources) -> None:
    """Write a new archive of `format` (one of `archives.FORMATS`, or a compression for a single file)."""
    if format == "zip":
        import zipfile

        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as zipped:
            _into_zip(zipped, found, sources)
    elif format == "7z":
        import py7zr

        with py7zr.SevenZipFile(file, "w") as seven:
            _into_7z(seven, found, sources)
    elif format in archives.COMPRESSION:
        with compressing(file, archives.COMPRESSION[format]) as packed:
            _into_tar(packed, found, sources)
    else:
        ((path, _, status),) = found
        with sources.open(path, status) as source, compressing(file, format) as packed:
            _copy(source, packed)


@contextmanager
def compressing(file: IO[bytes], compression: str) -> Iterator[IO[bytes]]:
    """Give a stream that compresses into `file`, which stays open; an empty `compression` leaves everything as it is."""
    if not compression:
        yield file
        return
    with _compressor(file, compression) as packed:
        yield packed


def _compressor(file: IO[bytes], compression: str) -> Any:
    if compression == "gz":
        import gzip

        return gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6)
    if compression == "bz2":
        import bz2

        return bz2.BZ2File(file, "wb")
    if compression == "xz":
        import lzma

        return lzma.LZMAFile(file, "wb")
    import zstandard

    return zstandard.ZstdCompressor(write_checksum=True).stream_writer(file, closefd=False)


def _copy(source: Any, target: Any) -> None:
    while block := source.read(_BLOCK):
        target.write(block)


def _into_zip(zipped: Any, found: Iterator[Entry], sources: Sources) -> None:
    import time
    import zipfile

    for path, name, status in found:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise NotPossible(f"zip cannot hold the name {path!r}.", hint=f'{_NOT_MADE} Use format="tar.gz".') from None
        mode = status.st_mode
        info = zipfile.ZipInfo(name, _dos_time(time.localtime(status.st_mtime)))
        info.external_attr = (mode & 0xFFFF) << 16
        info.create_system = 3
        info.compress_type = zipfile.ZIP_DEFLATED
        info.extra = zips.with_unix_time(status.st_mtime_ns)
        if stat.S_ISDIR(mode):
            info.filename += "/"
            info.external_attr |= 0x10
            zipped.writestr(info, b"", compress_type=zipfile.ZIP_STORED)
        elif stat.S_ISLNK(mode):
            zipped.writestr(info, os.fsencode(os.readlink(path)), compress_type=zipfile.ZIP_STORED)
        elif stat.S_ISREG(mode):
            info.file_size = status.st_size
            with sources.open(path, status) as source, zipped.open(info, "w") as target:
                _copy(source, target)
        else:
            raise NotPossible(f"zip cannot hold {path}: it is a pipe, a socket or a device.", hint=f"{_NOT_MADE} Leave it out.")


def _dos_time(when: Any) -> tuple[int, int, int, int, int, int]:
    return (min(max(when.tm_year, 1980), 2107), *when[1:6]) if 1980 <= when.tm_year <= 2107 else (1980, 1, 1, 0, 0, 0)


def _into_tar(file: IO[bytes], found: Iterator[Entry], sources: Sources) -> None:
    import tarfile

    with tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, copybufsize=_BLOCK) as tarred:
        for path, name, status in found:
            if stat.S_ISREG(status.st_mode):
                with sources.open(path, status) as source:
                    info = tarred.gettarinfo(path, name, source)  # type: ignore[arg-type]  # of all that an IO has it asks for name and fileno
                    # Each name gets its content: what is packed here must be able to stand alone.
                    info.type, info.linkname, info.size = tarfile.REGTYPE, "", source.left
                    tarred.addfile(info, source)
                continue
            if stat.S_ISSOCK(status.st_mode):
                raise NotPossible(f"tar cannot hold {path}: it is a socket.", hint=f"{_NOT_MADE} Leave it out.")
            tarred.addfile(tarred.gettarinfo(path, arcname=name))


def _into_7z(seven: Any, found: Iterator[Entry], sources: Sources) -> None:
    from py7zr.helpers import ArchiveTimestamp

    for path, name, status in found:
        mode = status.st_mode
        if "\\" in name or not _is_text(name):
            # A backslash parts folders there.
            raise NotPossible(f"7z cannot hold the name {path!r}.", hint=f'{_NOT_MADE} Use format="tar.gz".')
        attributes = stat.FILE_ATTRIBUTE_ARCHIVE
        if stat.S_ISDIR(mode):
            attributes = stat.FILE_ATTRIBUTE_DIRECTORY
            seven.write(Path(path), name)
        elif stat.S_ISLNK(mode):
            attributes = stat.FILE_ATTRIBUTE_REPARSE_POINT
            seven.writef(io.BytesIO(os.fsencode(os.readlink(path))), name)
        elif stat.S_ISREG(mode):
            with sources.open(path, status) as source:
                seven.writef(source, name)
        else:
            raise NotPossible(f"7z cannot hold {path}: it is a pipe, a socket or a device.", hint=f"{_NOT_MADE} Leave it out.")
        seven.header.files_info.files[-1].update(
            # The content is read by then: what py7zr keeps of it would be kept open.
            origin=None, data=None, lastwritetime=ArchiveTimestamp(status.st_mtime_ns // 100 + sevenzip.EPOCH),
            attributes=attributes | sevenzip.UNIX_MODE | mode << 16,
        )  # fmt: skip


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def add(source: IO[bytes], target: IO[bytes], path: str, found: Iterator[Entry], size: int) -> None:
    """Write what the archive `source`, which is at `path`, holds and then what is `found`, `size` bytes, to `target`.

    Raises Refused where a name is in it already, or where it is no archive that more can be added to; NotPossible where it is damaged.
    """
    import tarfile
    import zipfile

    start = source.read(8)
    source.seek(0)
    with archives.opened(source, path) as archive:
        if isinstance(archive, archives.Single):
            raise Refused(f"{path} is one compressed file: nothing can be added to it.", hint="Nothing was changed. Make an archive with archive.create.")
        known = {e.path.strip("/").removeprefix("./"): e.type for e in archives.members(archive)}
        more = _not_in(path, known, found)
        if isinstance(archive, zipfile.ZipFile):
            _add_to_zip(source, target, archive, more, Sources(handles.Meter(archive.start_dir + size)))
            return
        if isinstance(archive, tarfile.TarFile):
            if hasattr(archive, "broken"):
                raise NotPossible(f"{path} is damaged: {archive.broken}.", hint="Nothing was changed. See what is left of it with archive.list.")
            end = archive.offset
    source.seek(0)
    if start.startswith(sevenzip.MAGIC):
        _add_to_7z(source, target, path, more, Sources(handles.Meter(os.fstat(source.fileno()).st_size + size)))
        return
    compression = streams.compression_of(start)
    sources = Sources(handles.Meter(end + size))
    with compressing(target, compression) as packed:
        content = streams.reading(source, compression) if compression else source
        _copy_first(content, packed, end, sources)
        _into_tar(packed, more, sources)


def _not_in(path: str, known: dict[str, str], found: Iterator[Entry]) -> Iterator[Entry]:
    for place, name, status in found:
        if name not in known:
            yield place, name, status
        elif known[name] != "folder" or not stat.S_ISDIR(status.st_mode):
            raise Refused(f"{path} holds {name} already.", hint="Nothing was changed. Rename one of them, or unpack the archive and pack it anew.")


def _add_to_zip(source: IO[bytes], target: IO[bytes], archive: Any, more: Iterator[Entry], sources: Sources) -> None:
    import zipfile

    source.seek(0)
    # All of it as it is, up to the list of members, which is written anew behind what is added.
    _copy_first(source, target, archive.start_dir, sources)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as zipped:
        for info in archive.filelist:
            if not zips.says_its_encoding(info):
                info.__class__ = _named_as_it_was(archive.metadata_encoding or "cp437")
        zipped.filelist, zipped.NameToInfo, zipped.comment = list(archive.filelist), dict(archive.NameToInfo), archive.comment
        _into_zip(zipped, more, sources)


def _named_as_it_was(encoding: str) -> type[zipfile.ZipInfo]:
    """Return the class of members whose names do not say their encoding: zipfile would write them in UTF-8, and the headers before them say otherwise."""
    import zipfile

    class AsItWas(zipfile.ZipInfo):
        __slots__ = ()

        def _encodeFilenameFlags(self) -> tuple[bytes, int]:
            return self.orig_filename.encode(encoding), self.flag_bits

    return AsItWas


def _add_to_7z(source: IO[bytes], target: IO[bytes], path: str, more: Iterator[Entry], sources: Sources) -> None:
    import py7zr

    _copy_first(source, target, os.fstat(source.fileno()).st_size, sources)
    # py7zr reads the list of members when it opens an archive, and from then on only writes.
    file = _ThenWritten(source, target)
    source.seek(0)
    with py7zr.SevenZipFile(file, "a") as seven:  # type: ignore[arg-type]  # it asks for less than all that an IO has
        _make_ready(seven.header, path)
        file.writing = True
        seven.fp.seek(seven.worker.src_start)
        _into_7z(seven, more, sources)


def _make_ready(header: Any, path: str) -> None:
    """Fill in what py7zr leaves out of a header that it has read, and counts on when it adds. Raises NotPossible where it could not write it right."""
    main = header.main_streams
    if main is None:
        return
    info = main.substreamsinfo
    if info is not None and info.unpacksizes is None:
        info.unpacksizes = [folder.get_unpack_size() for folder in main.unpackinfo.folders]
    files = sum(not f["emptystream"] for f in header.files_info.files)
    counted = info is not None and len(info.unpacksizes) == sum(info.num_unpackstreams_folders) == len(info.digests) == files and all(info.digestsdefined)
    if not counted or main.packinfo.packpos != 0:
        raise NotPossible(f"Nothing can be added to {path}: it is built in a way that nlsh cannot write.", hint="Nothing was changed. Pack it anew.")


class _ThenWritten(io.RawIOBase):
    """A file that is read from one place and then, once `writing` is set, written to another."""

    def __init__(self, source: IO[bytes], target: IO[bytes]) -> None:
        self._source, self._target, self.writing = source, target, False

    def _now(self) -> IO[bytes]:
        return self._target if self.writing else self._source

    def read(self, size: int = -1) -> bytes:
        return self._source.read(size)

    def write(self, data: Any) -> int:
        return self._target.write(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._now().seek(offset, whence)

    def tell(self) -> int:
        return self._now().tell()

    def seekable(self) -> bool:
        return True


def _copy_first(source: Any, target: Any, count: int, sources: Sources) -> None:
    left = count
    while left:
        block = source.read(min(_BLOCK, left))
        if not block:
            raise EOFError("the archive is shorter than it says")
        target.write(block)
        left -= len(block)
        sources.meter.came(len(block))
