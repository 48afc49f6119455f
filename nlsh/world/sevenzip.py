"""7z archives, by py7zr: what is in them, and their contents one after the other.

Owns every use of py7zr for reading. py7zr checks what a header claims against the header's own size, and reads no member for listing,
but for links: a 7z keeps what a link leads to as content.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol

from nlsh.plan.errors import NotPossible

MAGIC = b"7z\xbc\xaf\x27\x1c"
# 100-nanosecond units from 1601 to 1970
EPOCH = 116_444_736_000_000_000
# In a member's attributes: the upper half is a Unix mode.
UNIX_MODE = 0x8000
_MOST_TARGET_BYTES = 4096


class Sink(Protocol):
    """Where the content of a member goes."""

    def write(self, block: bytes) -> None: ...

    def finish(self) -> None: ...


@contextmanager
def opened(file: IO[bytes], path: str) -> Iterator[Any]:
    """Give the open SevenZipFile. Raises NotPossible for what is none, is damaged, or has a password."""
    import lzma
    import zlib

    import py7zr
    from py7zr.exceptions import ArchiveError, PasswordRequired, UnsupportedCompressionMethodError

    try:
        with py7zr.SevenZipFile(file, "r") as archive:
            if archive.needs_password():
                raise PasswordRequired("", "")
            yield archive
    except PasswordRequired as error:
        raise NotPossible(f"{path} has a password.", hint="Archives with a password are not unpacked by nlsh.") from error
    except UnsupportedCompressionMethodError as error:
        raise NotPossible(f"{path} is packed in a way that cannot be read here.", hint="Unpack it with the program that made it.") from error
    except (ArchiveError, lzma.LZMAError, zlib.error, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError) as error:
        # TypeError and the rest are what py7zr makes of headers that are no headers.
        raise NotPossible(f"{path} is not a 7z archive that can be read here: {error or type(error).__name__}.", hint="It may be damaged.") from error


def kind_of(member: Any, empty_files: Iterator[bool]) -> str:
    """Return file, folder, link or other. `empty_files` tells, for one member without content after the other, whether it is a file."""
    is_empty_file = next(empty_files, False) if member.emptystream else False
    if member.is_directory:
        return "folder"
    if member.is_symlink:
        return "other" if member.st_fmt is None else "link"
    if member.st_fmt not in (None, 0, stat.S_IFREG):
        return "other"
    # Written by something that keeps no attributes.
    return "folder" if member.emptystream and member.file_properties().get("attributes") is None and not is_empty_file else "file"


def members(archive: Any) -> Iterator[tuple[Any, str]]:
    """Yield each member with its kind."""
    info = getattr(getattr(archive, "header", None), "files_info", None)
    if info is None:
        return
    empty = iter(tuple(info.emptyfiles))
    for member in archive.files:
        yield member, kind_of(member, empty)


def targets(archive: Any, wanted: list[Any]) -> dict[int, str]:
    """Return what the links `wanted` lead to, by their ids; too long ones as they are cut off."""
    found: dict[int, bytearray] = {member.id: bytearray() for member in wanted}

    class Target:
        def __init__(self, number: int) -> None:
            self.number = number

        def write(self, block: bytes) -> None:
            found[self.number] += block[: _MOST_TARGET_BYTES + 1 - len(found[self.number])]

        def finish(self) -> None:
            pass

    read(archive, {number: Target for number in found})
    return {number: os.fsdecode(bytes(target)) for number, target in found.items()}


def read(archive: Any, wanted: dict[int, Callable[[int], Sink]], *, everything: bool = False) -> None:
    """Decompress the members whose ids are in `wanted` into the sinks made for them, in the archive's order; `everything`: check all others too."""
    from py7zr.io import MemIO, Py7zIO, WriterFactory

    class Out(Py7zIO):
        def __init__(self, sink: Sink) -> None:
            self._sink, self._written = sink, 0

        def write(self, s: bytes | bytearray) -> int:
            self._sink.write(bytes(s))
            self._written += len(s)
            return len(s)

        def read(self, size: int | None = None) -> bytes:
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def seekable(self) -> bool:
            return False

        def flush(self) -> None:
            pass

        def size(self) -> int:
            return self._written

        def close(self) -> None:
            self._sink.finish()

    class Factory(WriterFactory):
        def create(self, filename: str) -> Py7zIO:
            return Out(wanted[int(filename)](int(filename)))

    archive.reset()
    factory = Factory()
    for member in archive.files:
        # By its number: names may repeat, and none of them is used as a path.
        archive.worker.register_filelike(member.id, MemIO(str(member.id), factory) if member.id in wanted else None)
    archive.worker.extract(archive.fp, None, parallel=False, skip_notarget=not everything)
