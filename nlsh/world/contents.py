"""What is inside text files: is it text, does it contain, which lines match, how much of it is there. Streams; any bytes are safe."""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator

from nlsh.plan.frozen import frozen

# What fits a processor's cache: a block that was just read is looked through there, several times as fast as from memory.
CHUNK = 1 << 16
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
# A line that is longer than this is looked at in pieces, so that a file without line ends needs no more memory than this.
_LONGEST_LINE = 8 << 20
# What is shown of a line that matches.
_SHOWN = 4096


def open_text(path: str) -> int:
    """Return a file descriptor for reading a regular file. Raises OSError; never waits for a pipe or a device."""
    return open_sized(path)[0]


def open_sized(path: str) -> tuple[int, int]:
    """Return a file descriptor as `open_text` does, and how many bytes the file says it has."""
    descriptor = os.open(path, _READ)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, status.st_size
    os.close(descriptor)
    raise OSError(22, "it is not a regular file", path)


def looks_binary(start: bytes) -> bool:
    """Return whether a file that begins with `start` is no text: it has a zero byte."""
    return b"\0" in start  # LIMIT: UTF-16 counts as binary, and other encodings than UTF-8 show their bytes


def blocks(descriptor: int) -> Iterator[bytes]:
    """Yield what is left of a file, block by block."""
    while block := os.read(descriptor, CHUNK):
        yield block


def _blocks_of(descriptor: int, size: int) -> Iterator[bytes]:
    """Yield a file that says it has `size` bytes, block by block: a small one is read with one call, and its end is not asked for."""
    # One byte more, so that a file that has not grown gives less than was asked for. Files of /proc say that they are empty.
    ask, done = min(size + 1, CHUNK) if size else CHUNK, 0
    while block := os.read(descriptor, ask):
        yield block
        done += len(block)
        if len(block) < ask and 0 < size <= done:
            return
        ask = CHUNK


def contains(path: str, wanted: bytes) -> bool:
    """Return whether the file holds the bytes `wanted`, text or not. Raises OSError."""
    descriptor, size = open_sized(path)
    try:
        tail, over = b"", len(wanted) - 1
        for block in _blocks_of(descriptor, size):
            if wanted in block or (tail and wanted in tail + block[:over]):
                return True
            # What blocks shorter than the text leave is carried on with.
            tail = (tail + block)[-over:] if len(block) < over else block[-over:] if over else b""
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


@frozen()
class Sought:
    """A text that is looked for in bytes: as it is, with ASCII letters in any case (`folded`, then it is in small ones), or by a pattern."""

    literal: bytes = b""
    folded: bool = False
    pattern: re.Pattern[bytes] | None = None

    @classmethod
    def of(cls, text: str, *, ignore_case: bool) -> Sought:
        """Return what finds `text`, taken literally, in the bytes of a UTF-8 file."""
        raw = text.encode("utf-8", "surrogateescape")
        if not ignore_case:
            return cls(raw)
        return cls(raw.lower(), folded=True) if raw.isascii() else cls(pattern=pattern_for(text, ignore_case=True))

    def places(self, whole: bytes) -> Callable[[int], tuple[int, int] | None]:
        """Return what gives the start and end of the next place in `whole` from a position on, or None."""
        if self.pattern is not None:
            search = self.pattern.search
            return lambda at: found.span() if (found := search(whole, at)) else None
        # Much faster than an expression, which looks at each byte by itself.
        find, wanted = (whole.lower() if self.folded else whole).find, self.literal
        return lambda at: (place, place + len(wanted)) if (place := find(wanted, at)) >= 0 else None


def matching_lines(path: str, sought: Sought) -> Iterable[tuple[int, str]]:
    """Return number and text of each line in which what is sought stands; nothing for a file that is not text. Raises OSError, while it is read too."""
    descriptor, size = open_sized(path)
    if not 0 < size < CHUNK:
        return _streamed(descriptor, size, sought)
    # One call reads a small file, and most hold nothing of what is sought: of a hundred thousand, each should cost no more than that.
    try:
        whole = os.read(descriptor, size + 1)
        if len(whole) != size:  # it changes while it is read
            os.lseek(descriptor, 0, os.SEEK_SET)
            descriptor, changing = -1, descriptor
            return _streamed(changing, size, sought)
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    if (sought.literal not in (whole.lower() if sought.folded else whole)) or looks_binary(whole[:8192]):
        return ()
    return ((before + 1, text) for before, text in _lines_of(whole, sought))


def lines_that(path: str, fits: Callable[[str], object]) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that `fits` says yes to; nothing for a file that is not text. Raises OSError, and what `fits` does."""
    descriptor, _ = open_sized(path)
    try:
        start = os.read(descriptor, CHUNK)
        if looks_binary(start[:8192]):
            return
        for number, line in enumerate(first_lines(descriptor, None, start), 1):
            if found := fits(line):
                # Show the part of a very long line that matches.
                begin = max(0, found.start() - _SHOWN // 2) if len(line) > _SHOWN and isinstance(found, re.Match) else 0
                yield number, line[begin : begin + _SHOWN]
    finally:
        os.close(descriptor)


def _streamed(descriptor: int, size: int, sought: Sought) -> Iterator[tuple[int, str]]:
    """Yield what `matching_lines` does of an open file, and close it."""
    try:
        number, counted, base = 1, 0, 0  # the number of the line at `counted`; where what is looked at begins
        carried: list[bytes] = []  # a line that goes on in the next block
        length = 0
        for block in _blocks_of(descriptor, size):
            if not base and not carried and looks_binary(block[:8192]):
                return
            end = block.rfind(b"\n") + 1
            if not end and length + len(block) < _LONGEST_LINE:
                carried.append(block)
                length += len(block)
                continue
            end = end or len(block)
            whole = b"".join((*carried, block[:end]))
            carried, length = ([block[end:]], len(block) - end) if end < len(block) else ([], 0)
            for after, text in _lines_of(whole, sought):
                # Line ends are counted only where something is found: most files are read for nothing.
                number, counted = number + _line_ends(descriptor, counted, base), base
                yield number + after, text
            base += len(whole)
        for after, text in _lines_of(b"".join(carried), sought):
            number, counted = number + _line_ends(descriptor, counted, base), base
            yield number + after, text
    finally:
        os.close(descriptor)


def _line_ends(descriptor: int, start: int, end: int) -> int:
    count = 0
    while start < end and (block := os.pread(descriptor, min(CHUNK, end - start), start)):
        count += block.count(b"\n")
        start += len(block)
    return count


def _lines_of(whole: bytes, sought: Sought) -> Iterator[tuple[int, str]]:
    """Yield each line in which what is sought stands, with how many lines are before it."""
    at = counted = before = 0
    following = sought.places(whole)
    while (place := following(at)) is not None:
        first, last = place
        start = whole.rfind(b"\n", 0, first) + 1
        end = whole.find(b"\n", last)
        end = len(whole) if end < 0 else end
        before += whole.count(b"\n", counted, start)
        counted = start
        # Show the part of a very long line that matches.
        begin = max(start, first - _SHOWN // 2) if end - start > _SHOWN else start
        yield before, decoded(whole[begin : min(end, begin + _SHOWN)].rstrip(b"\r"))
        at = end + 1


def decoded(raw: bytes) -> str:
    """Return bytes as text; what is not UTF-8 survives the way it does in file names."""
    return raw.decode("utf-8", "surrogateescape")


def count_text(path: str, encoding: str = "utf-8") -> tuple[int, int, int]:
    """Return lines, words and characters of a file in an encoding, streaming; a last line without an end counts. Raises OSError."""
    descriptor = open_text(path)
    # The 16- and 32-bit codecs cannot bring bytes through: they have no bytes.
    decoder = codecs.getincrementaldecoder(encoding)("replace" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape")
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
        step = min(16 * CHUNK, position)
        position -= step
        gathered = os.pread(descriptor, step, position) + gathered
    lines = gathered.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    number = max(len(lines) - count, 0) + 1 if position == 0 else 0
    return [decoded(line.removesuffix(b"\r")) for line in lines[-count:]], number
