"""Compressed streams: gzip, bzip2, xz and zstd, read as what they hold, with bounded memory whatever they claim.

Owns which compression a file has and how it is read. What the streams hold (a tar, or one file) is `nlsh.world.archives`'s.
"""

from __future__ import annotations

import io
from typing import IO, Any

# compression: what its streams begin with
MAGIC = {"gz": b"\x1f\x8b", "bz2": b"BZh", "xz": b"\xfd7zXZ\0", "zst": b"\x28\xb5\x2f\xfd"}
# A zstd block of four bytes can stand for 128 KiB: what is fed at once bounds what comes out at once, to 16 MiB.
_FED_BYTES = 512


def compression_of(start: bytes) -> str:
    """Return the compression of what starts with these bytes, or an empty text.

    >>> compression_of(b"BZh9"), compression_of(b"PK")
    ('bz2', '')
    """
    return next((kind for kind, magic in MAGIC.items() if start.startswith(magic)), "")


def reading(file: IO[bytes], compression: str) -> IO[bytes]:
    """Return what a compressed file holds as a stream that can be sought forwards cheaply; closing it leaves `file` open.

    Reading may raise what `errors` names, and EOFError where the stream is cut short.
    """
    if compression == "gz":
        import gzip

        return gzip.GzipFile(fileobj=file, mode="rb")  # type: ignore[return-value]
    if compression == "bz2":
        import bz2

        return bz2.BZ2File(file)
    if compression == "xz":
        import lzma

        return lzma.LZMAFile(file)
    return io.BufferedReader(_Zstd(file), 1 << 20)


def errors() -> tuple[type[Exception], ...]:
    """Return what a damaged stream raises; an OSError among it has no errno."""
    import lzma
    import zlib

    import zstandard

    return (lzma.LZMAError, zlib.error, EOFError, zstandard.ZstdError)


class _Zstd(io.RawIOBase):
    """What zstd frames hold. Unlike zstandard's own reader it says where the last frame is cut short."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._start = file.tell()
        self._rewind()

    def _rewind(self) -> None:
        self._file.seek(self._start)
        self._frame: Any = None
        self._fed = b""
        self._ready = memoryview(b"")
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end of a compressed stream is not known")
        wanted = offset + (self._at if whence == io.SEEK_CUR else 0)
        if wanted < self._at:
            self._rewind()
        while self._at < wanted and (self._ready or self._more()):
            self._take(wanted - self._at)
        return self._at

    def _take(self, count: int) -> memoryview:
        taken, self._ready = self._ready[:count], self._ready[count:]
        self._at += len(taken)
        return taken

    def readinto(self, buffer: Any) -> int:
        if not self._ready and not self._more():
            return 0
        taken = self._take(len(buffer))
        buffer[: len(taken)] = taken
        return len(taken)

    def _more(self) -> bool:
        """Decompress until there is something to take; False at the end. Raises EOFError where a frame is cut short."""
        import zstandard

        while not self._ready:
            self._fed = self._fed or self._file.read(_FED_BYTES)
            if not self._fed:
                if self._frame is not None:
                    raise EOFError("the compressed data ends before its end mark")
                return False
            if self._frame is None:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._ready = memoryview(self._frame.decompress(self._fed))
            self._fed = b""
            if self._frame.eof:
                self._fed, self._frame = self._frame.unused_data, None
        return True
