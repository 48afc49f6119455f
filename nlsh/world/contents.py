"""What is inside text files: is it text, does it contain, which lines match, how much of it is there. Streams; any bytes are safe."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator

CHUNK = 1 << 20
# A line that is longer than this is looked at in pieces, so that a file without line ends needs no more memory than this.
_LONGEST_LINE = 8 << 20
# What is shown of a line that matches.
_SHOWN = 4096


def open_text(path: str) -> int:
    """Return a file descriptor for reading a regular file. Raises OSError; never waits for a pipe or a device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    import stat

    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(22, "it is not a regular file", path)
    return descriptor


def looks_binary(start: bytes) -> bool:
    """Return whether a file that begins with `start` is no text: it has a zero byte."""
    return b"\0" in start  # LIMIT: UTF-16 counts as binary, and other encodings than UTF-8 show their bytes


def blocks(descriptor: int) -> Iterator[bytes]:
    """Yield what is left of a file, block by block."""
    while block := os.read(descriptor, CHUNK):
        yield block


def contains(path: str, wanted: bytes) -> bool:
    """Return whether the file holds the bytes `wanted`, text or not. Raises OSError."""
    descriptor = open_text(path)
    try:
        tail = b""
        for block in blocks(descriptor):
            if wanted in tail + block if tail else wanted in block:
                return True
            tail = block[-len(wanted) + 1 :] if len(wanted) > 1 else b""
        return False
    finally:
        os.close(descriptor)


def pattern_for(text: str, *, ignore_case: bool) -> re.Pattern[bytes]:
    """Return what finds `text`, taken literally, in the bytes of a UTF-8 file."""
    raw = text.encode("utf-8", "surrogateescape")
    if not ignore_case:
        return re.compile(re.escape(raw))
    if raw.isascii():
        return re.compile(re.escape(raw), re.IGNORECASE)
    # Bytes have no case outside ASCII: each character stands for all its forms.
    parts = []
    for char in text:
        forms = sorted({f.encode("utf-8", "surrogateescape") for f in (char, char.lower(), char.upper(), char.casefold())})
        parts.append(b"(?:" + b"|".join(re.escape(f) for f in forms) + b")")
    return re.compile(b"".join(parts))


def matching_lines(path: str, pattern: re.Pattern[bytes]) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line in which `pattern` is found; nothing for a file that is not text. Raises OSError."""
    descriptor = open_text(path)
    try:
        number, carried = 1, b""
        first = True
        for block in blocks(descriptor):
            if first and looks_binary(block[:8192]):
                return
            first = False
            block = carried + block
            end = block.rfind(b"\n") + 1
            if not end and len(block) < _LONGEST_LINE:
                carried = block
                continue
            whole, carried = (block[:end], block[end:]) if end else (block, b"")
            yield from _lines_of(whole, pattern, number)
            number += whole.count(b"\n")
        if carried:
            yield from _lines_of(carried, pattern, number)
    finally:
        os.close(descriptor)


def _lines_of(whole: bytes, pattern: re.Pattern[bytes], number: int) -> Iterator[tuple[int, str]]:
    at = counted = 0
    while found := pattern.search(whole, at):
        start = whole.rfind(b"\n", 0, found.start()) + 1
        end = whole.find(b"\n", found.end())
        end = len(whole) if end < 0 else end
        number += whole.count(b"\n", counted, start)
        counted = start
        # Show the part of a very long line that matches.
        begin = max(start, found.start() - _SHOWN // 2) if end - start > _SHOWN else start
        yield number, decoded(whole[begin : min(end, begin + _SHOWN)].rstrip(b"\r"))
        at = end + 1


def decoded(raw: bytes) -> str:
    """Return bytes as text; what is not UTF-8 survives the way it does in file names."""
    return raw.decode("utf-8", "surrogateescape")


def count_text(path: str) -> tuple[int, int, int]:
    """Return lines, words and characters of a file, streaming; a last line without an end counts. Raises OSError."""
    descriptor = open_text(path)
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    lines = words = characters = 0
    inside_word = False
    last = ""
    try:
        while True:
            block = os.read(descriptor, CHUNK)
            text = decoder.decode(block, not block)
            if text:
                lines += text.count("\n")
                characters += len(text)
                words += len(text.split())
                if inside_word and not text[0].isspace():
                    words -= 1  # the word went on over the edge of the block
                inside_word = not text[-1].isspace()
                last = text[-1]
            if not block:
                break
    finally:
        os.close(descriptor)
    return lines + (last not in ("", "\n")), words, characters


def first_lines(descriptor: int, count: int | None, start: bytes = b"") -> Iterator[str]:
    """Yield the first `count` lines (None: all) of what is left of a file after `start`, without their ends."""
    carried = b""
    for block in _with(start, descriptor):
        pieces = (carried + block).split(b"\n")
        carried = pieces.pop()
        for piece in pieces:
            if count is not None:
                if count <= 0:
                    return
                count -= 1
            yield decoded(piece.removesuffix(b"\r"))
        if len(carried) > _LONGEST_LINE:
            yield decoded(carried)
            carried = b""
            count = None if count is None else count - 1
    if carried and (count is None or count > 0):
        yield decoded(carried)


def _with(start: bytes, descriptor: int) -> Iterator[bytes]:
    if start:
        yield start
    yield from blocks(descriptor)


def last_lines(descriptor: int, count: int) -> tuple[list[str], int]:
    """Return the last `count` lines, read from the end, and the number of the first of them, 0 where what is before was not read."""
    size = os.fstat(descriptor).st_size
    position, gathered = size, b""
    while position > 0 and gathered.count(b"\n") <= count and len(gathered) < 64 * _LONGEST_LINE:
        step = min(CHUNK, position)
        position -= step
        gathered = os.pread(descriptor, step, position) + gathered
    lines = gathered.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    number = max(len(lines) - count, 0) + 1 if position == 0 else 0
    return [decoded(line.removesuffix(b"\r")) for line in lines[-count:]], number
