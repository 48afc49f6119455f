"""Pictures without their metadata, the pixels left as they are: chunks and segments of JPEG, PNG, WebP and GIF files are copied or left out.

What is kept is a list of what a picture needs to be seen; everything that is not on it goes: EXIF and with it the place, XMP, IPTC, comments,
colour profiles, previews, and whatever some program put behind the end.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

# What a decoder needs, and what only says how large a pixel is or how colours are meant.
_PNG_KEPT = frozenset(
    (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"cICP", b"sBIT", b"bKGD", b"pHYs", b"acTL", b"fcTL", b"fdAT")
)  # fmt: skip
_WEBP_KEPT = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"))
_ICC, _ALPHA_AND_ANIMATION = 0x20, 0x12
_GIF_KEPT = (b"NETSCAPE2.0", b"ANIMEXTS1.0")  # how often it is repeated
_SOI, _EOI, _SOS, _APP0, _APP14, _COMMENT = 0xD8, 0xD9, 0xDA, 0xE0, 0xEE, 0xFE


def stripped(data: bytes, format: str) -> bytes:
    """Return the file of a format of STRIPPED without metadata. Raises ValueError where it is not what it should be."""
    try:
        return b"".join(STRIPPED[format](data))
    except (IndexError, struct.error) as error:
        raise ValueError("the file is cut short") from error


def _jpeg(data: bytes) -> Iterator[bytes]:
    yield data[:2]
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("a segment does not begin where it should")
        while data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        if marker == _EOI:
            yield b"\xff\xd9"
            return  # what is behind the end (a second picture, a film) goes
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if end > len(data) or end < at + 4:
            raise ValueError("a segment is longer than the file")
        if marker == _APP0 and data[at + 4 : at + 9] == b"JFIF\0":
            # Without the preview that it may hold.
            yield b"\xff\xe0\x00\x10" + data[at + 4 : at + 16] + b"\0\0"
        elif marker == _APP14 and data[at + 4 : at + 9] == b"Adobe":
            yield b"\xff\xee\x00\x0e" + data[at + 4 : at + 16]  # it says how the colours are coded
        elif not (_APP0 <= marker <= 0xEF or marker == _COMMENT):
            yield data[at:end]
        at = end
        if marker == _SOS:
            stop = _end_of_scan(data, at)
            yield data[at:stop]
            at = stop


def _end_of_scan(data: bytes, at: int) -> int:
    """Return where the next marker is that is not part of the picture's data."""
    while True:
        at = data.index(b"\xff", at)
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7 and data[at + 1] != 0xFF:
            return at
        at += 1 if data[at + 1] == 0xFF else 2


def _png(data: bytes) -> Iterator[bytes]:
    yield data[:8]
    at = 8
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ValueError("a chunk is longer than the file")
        if kind in _PNG_KEPT:
            yield data[at:end]
        elif kind[0] & 0x20 == 0:
            raise ValueError(f"it has a chunk that is needed and not known: {kind!r}")
        if kind == b"IEND":
            return
        at = end


def _webp(data: bytes) -> Iterator[bytes]:
    found = []
    at, stop = 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while at < stop:
        kind, length = struct.unpack_from("<4sI", data, at)
        end = at + 8 + length + (length & 1)
        if at + 8 + length > len(data):
            raise ValueError("a chunk is longer than the file")
        if kind == b"VP8X":
            # Its flags say which metadata there is.
            found.append(data[at : at + 8] + bytes([data[at + 8] & _ALPHA_AND_ANIMATION]) + data[at + 9 : end])
        elif kind in _WEBP_KEPT:
            found.append(data[at:end].ljust(8 + length + (length & 1), b"\0"))
        at = end
    yield b"RIFF" + struct.pack("<I", 4 + sum(map(len, found))) + b"WEBP"
    yield from found


def _gif(data: bytes) -> Iterator[bytes]:
    at = 13 + _colours(data[10])
    yield data[:at]
    while True:
        kind = data[at]
        if kind == 0x3B:
            yield b";"
            return
        if kind == 0x2C:
            start, at = at, at + 10 + _colours(data[at + 9])
            at = _blocks_end(data, at + 1)
            yield data[start:at]
        elif kind == 0x21:
            start, label = at, data[at + 1]
            at = _blocks_end(data, at + 2)
            if label == 0xF9 or (label == 0xFF and data[start + 3 : start + 14] in _GIF_KEPT):
                yield data[start:at]
        else:
            raise ValueError("a block does not begin where it should")


def _colours(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _blocks_end(data: bytes, at: int) -> int:
    while data[at]:
        at += 1 + data[at]
    return at + 1


STRIPPED = {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp, "GIF": _gif}
