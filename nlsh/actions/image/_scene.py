"""Small real pictures for the examples, without a library to draw them."""

from __future__ import annotations

import struct
import zlib


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, comment: str = "") -> bytes:
    """Return a PNG file: its left half red, its right half blue."""
    row = b"\0" + b"\xff\0\0" * (width // 2) + b"\0\0\xff" * (width - width // 2)
    said = _chunk(b"tEXt", b"Comment\0" + comment.encode("latin-1")) if comment else b""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + said + _chunk(b"IDAT", zlib.compress(row * height)) + _chunk(b"IEND", b"")
