"""Small real pictures for the examples, without a library to draw them."""

from __future__ import annotations

import base64
import struct
import zlib

# “Hello paper 42”, black on white.
HELLO = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAQQAAAA8AQAAAACoLfnTAAABdUlEQVR42u2VvU7DMBSFPyeR2gHRsIFUmvAcDFg8EWMHEB46MPYN4DVYIN14jAg6sOEGhlRychmSFFf8dGABqXdxJH859xxfK1HCz7"
    "UI2FRbYktQXZjfaCwpvtoomG3QsGj9M5HLKN/k46hZou/2s2MdexoRMDMcplU8nzDjAKZraasK0De8Pbs3uUDrEkkxXhc3Nkhiec2WeTW+HOWvQOhrlBOo0zHRqNhlcnfEDrVe66KCDLSmH4MK0Gfg"
    "TGcl8CPHAgG5IQaQlYaKLeDMEPpDUA5gCaReWtU1lRhAQ0FnJQIpXtRwNS9A9fahsfJhIe3mZQH6MG8adUQoWUuEAGLhdmCKL6c///zcEKKJTCssKVO4XJjMI3ZXtwZqonYgV75GrSF7oLRYqdvDbI"
    "K3RO8cgtzgHl3O+el181aXT0pZONwwIZG4l+89IpwkIouSgYiIjQDCMAjI7ukP9lMVkp2kfj7xKhGRJ1kv+3++Dmr7f/mTxDv8t6Y9aRlTjwAAAABJRU5ErkJggg=="
)  # fmt: skip


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, comment: str = "") -> bytes:
    """Return a PNG file: its left half red, its right half blue."""
    row = b"\0" + b"\xff\0\0" * (width // 2) + b"\0\0\xff" * (width - width // 2)
    said = _chunk(b"tEXt", b"Comment\0" + comment.encode("latin-1")) if comment else b""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + said + _chunk(b"IDAT", zlib.compress(row * height)) + _chunk(b"IEND", b"")


def noise(width: int, height: int) -> bytes:
    """Return a PNG file of pixels that nothing packs, the same each time."""
    import random

    source = random.Random(width * height)
    rows = b"".join(b"\0" + source.randbytes(3 * width) for _ in range(height))
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
