"""Where a text is cut into parts of nearly one size: at line ends, else at least between characters. Reads only around the cuts."""

from __future__ import annotations

import codecs
import os

from nlsh.world.contents import CHUNK
from nlsh.world.texts import SAMPLE, encoding_of

# How far from a cut a line end is looked for, in bytes: what has none for so long is no text of lines.
_LONGEST = 8 << 20


def cuts(descriptor: int, size: int, parts: int) -> tuple[tuple[int, ...], bool] | None:
    """Return the offsets, in bytes, at which a text of `size` bytes is cut into `parts` parts, and whether all of them are line ends.

    They are line ends wherever the text has as many lines as it is to have parts. None for what is no text, or too short for so many. Raises OSError.
    """
    start = os.pread(descriptor, min(SAMPLE, size), 0)
    encoding = encoding_of(start)
    if encoding is None:
        return None
    line_end = "\n".encode(_exact(encoding, start))
    if (places := _at_lines(descriptor, size, parts, line_end)) is not None:
        return places, True
    ideal = [size * n // parts for n in range(1, parts)]
    # LIMIT: in the old encodings of East Asia no single byte says where a character begins.
    between = tuple(_between(descriptor, i, len(line_end)) if len(line_end) > 1 or encoding in ("ascii", "utf-8", "utf-8-sig") else i for i in ideal)
    rising = all(a < b for a, b in zip((0, *between), (*between, size), strict=True))
    return (between, False) if rising else None


def _exact(encoding: str, start: bytes) -> str:
    """Return the encoding without a mark at the start, with the order of bytes that the mark says."""
    if encoding in ("utf-16", "utf-32"):
        little = start.startswith(codecs.BOM_UTF16_LE)  # with which that of UTF-32 begins
        return f"{encoding}-{'le' if little else 'be'}"
    return "utf-8" if encoding == "utf-8-sig" else encoding


def _between(descriptor: int, place: int, unit: int) -> int:
    """Return the nearest place at or before `place` where a character begins, in UTF-8 (`unit` 1), UTF-16 (2) or UTF-32 (4)."""
    if unit > 1:
        return place - place % unit
    # A byte 10…… goes on with a character; it has three such at most.
    found = place
    while found > 0 and place - found < 4 and os.pread(descriptor, 1, found)[:1].translate(None, _GOES_ON) == b"":
        found -= 1
    return found


_GOES_ON = bytes(range(0x80, 0xC0))


def _at_lines(descriptor: int, size: int, parts: int, line_end: bytes) -> tuple[int, ...] | None:
    """Return cuts at line ends, each the last one before the ideal place, or the next one; None where there are too few lines."""
    places: list[int] = []
    before = 0
    for number in range(1, parts):
        ideal = size * number // parts
        ideal -= ideal % len(line_end)
        place = _end_before(descriptor, before, ideal, line_end) or _end_after(descriptor, max(ideal, before), size, line_end)
        if place is None:
            break
        places.append(place)
        before = place
    # Long lines may have used up all: the last parts then have a line each, from the end on, until the others are before them.
    places += [size] * (parts - 1 - len(places))
    after = size
    for index in reversed(range(parts - 1)):
        if places[index] < after:
            break
        found = _end_before(descriptor, 0, after - len(line_end), line_end)
        if found is None:
            return None
        places[index] = after = found
    return tuple(places)


def _end_before(descriptor: int, low: int, high: int, line_end: bytes) -> int | None:
    """Return the last place behind a line end that is greater than `low` and not greater than `high`."""
    unit = len(line_end)
    at = high = high - high % unit
    while at > low and high - at < _LONGEST:
        start = max(low, at - CHUNK)
        block = os.pread(descriptor, at - start, start)
        found = block.rfind(line_end)
        while found > 0 and found % unit:
            found = block.rfind(line_end, 0, found + unit - 1)
        if found >= 0 and not found % unit:
            return start + found + unit
        at = start
    return None


def _end_after(descriptor: int, low: int, size: int, line_end: bytes) -> int | None:
    """Return the first place behind a line end that is greater than `low` and less than `size`."""
    unit, at = len(line_end), low
    while at < size and at - low < _LONGEST:
        block = os.pread(descriptor, CHUNK, at)
        found = block.find(line_end)
        while found % unit and found >= 0:
            found = block.find(line_end, found + 1)
        if found >= 0:
            return place if (place := at + found + unit) < size else None
        if not block:
            return None
        at += len(block)
    return None
