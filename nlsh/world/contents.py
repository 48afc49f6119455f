"""What is inside text files: is it text, does it contain, which lines match, how much of it is there. Streams; any bytes are safe.

What holds its text packed, as documents do, is known here and read by `documents`.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from nlsh.plan.frozen import frozen

if TYPE_CHECKING:
    from nlsh.world.documents import Phrase, Reader

# What fits a processor's cache: a block that was just read is looked through there, several times as fast as from memory.
CHUNK = 1 << 16
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
# A line that is longer than this is looked at in pieces, so that a file without line ends needs no more memory than this.
_LONGEST_LINE = 8 << 20
# What is shown of a line that matches.
SHOWN = 4096
# Shorter than this, to make all of it small costs less than to look whether there is a capital in it.
_SHORT = 4096
# Endings of documents: what `documents` reads the text of, and what nothing here can.
READ_ENDINGS = (".pdf", ".docx", ".docm", ".xlsx", ".xlsm", ".pptx", ".odt", ".ods", ".odp")
_DOCUMENT_ENDINGS = frozenset((
    *READ_ENDINGS, ".doc", ".dot", ".dotx", ".xls", ".xlsb", ".xlt", ".ppt", ".pps", ".ppsx", ".pptm", ".odg", ".pages", ".numbers", ".key", ".epub",
    ".mobi", ".azw3", ".djvu", ".wps", ".et", ".dps", ".msg", ".one", ".vsd", ".vsdx",
))  # fmt: skip
OLE = b"\xd0\xcf\x11\xe0"  # how files of older Office programs begin, and newer ones with a password
_STARTS = (b"PK\x03\x04", OLE)


class Packed(Exception):
    """A document holds its text packed: what is looked for does not stand in its bytes. `ole`: the text of its older format may."""

    def __init__(self, start: bytes) -> None:
        super().__init__("its text is packed")
        self.ole = start.startswith(OLE)


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


def is_document(path: str) -> bool:
    """Return whether a file has the name of a document."""
    return path[path.rfind(".") :].lower() in _DOCUMENT_ENDINGS


def is_packed(start: bytes) -> bool:
    """Return whether a file with the name of a document, which begins with `start`, is one: people also call texts so."""
    return start.startswith(_STARTS) or b"%PDF-" in start[:1024] or looks_binary(start[:8192])


def means_any_case(text: str) -> bool:
    """Return whether a text that is looked for means capitals and small letters alike: it has no capital. So for names, too."""
    return not any(c.isupper() for c in text)


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


def contains(path: str, sought: Sought, *, document: bool = False) -> bool:
    """Return whether what is sought stands in the file, text or not. Raises OSError, and Packed where it is a packed `document`."""
    descriptor, size = open_sized(path)
    try:
        tail, over, begun = b"", sought.longest - 1, False
        for block in _blocks_of(descriptor, size):
            if document and not begun and is_packed(block):
                raise Packed(block[:8])
            begun = True
            if sought.is_in(block) or (tail and sought.is_in(tail + block[:over])):
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
    """A text that is looked for in bytes: as it is, with ASCII letters in any case (`folded`, then it is in small ones), or by a pattern.

    `longest`: the most bytes that it takes; `capitals`: the other case of its letters.
    """

    literal: bytes = b""
    folded: bool = False
    pattern: re.Pattern[bytes] | None = None
    longest: int = 0
    capitals: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, text: str, *, ignore_case: bool, encoding: str = "utf-8") -> Sought:
        """Return what finds `text`, taken literally, in the bytes of a file in that encoding."""
        raw = text.encode(encoding, "surrogateescape" if encoding == "utf-8" else "replace")
        if not ignore_case or text.lower() == text.upper():
            return cls(raw, longest=len(raw))
        # In UTF-8 the bytes of other letters are no ASCII letters, in UTF-16 they may be.
        if text.isascii() or (encoding == "utf-8" and all(c.isascii() or c.lower() == c.upper() for c in text)):
            capitals = sorted({c.upper() for c in text if c.isascii() and c.isalpha()})
            return cls(raw.lower(), folded=True, longest=len(raw), capitals=tuple(c.encode() for c in capitals))
        if encoding != "utf-8":
            return cls(raw, longest=len(raw))
        # A capital takes up to three times the bytes of its small letter.
        return cls(pattern=pattern_for(text, ignore_case=True), longest=3 * len(raw))

    def is_in(self, whole: bytes) -> bool:
        """Return whether it stands somewhere in `whole`."""
        return self.pattern.search(whole) is not None if self.pattern is not None else self.literal in self.seen(whole)

    def places(self, whole: bytes) -> Callable[[int], tuple[int, int] | None]:
        """Return what gives the start and end of the next place in `whole` from a position on, or None."""
        if self.pattern is not None:
            search = self.pattern.search
            return lambda at: found.span() if (found := search(whole, at)) else None
        # Much faster than an expression, which looks at each byte by itself.
        find, wanted = self.seen(whole).find, self.literal
        return lambda at: (place, place + len(wanted)) if (place := find(wanted, at)) >= 0 else None

    def seen(self, whole: bytes) -> bytes:
        """Return `whole` with small letters where that may matter: to make them costs several times as much as to look."""
        if not self.folded or (len(whole) > _SHORT and not any(c in whole for c in self.capitals)):
            return whole
        return whole.lower()


class Within:
    """Says whether a text stands in a file: in the bytes of most, in the text of documents. A text without a capital is found in any case.

    `unread`, `asked` and `opening` are as `documents.Reader` has them.
    """

    def __init__(self, text: str, unread: Counter[str], *, asked: bool, opening: Callable[[], None] | None = None) -> None:
        self._text, self._folds = text, means_any_case(text)
        self._sought = Sought.of(text, ignore_case=self._folds)
        self._unread, self._asked, self._opening = unread, asked, opening
        self._reading: tuple[Reader, Phrase] | None = None

    def holds(self, path: str) -> bool:
        """Return whether the text stands in the file at `path`. Raises OSError, and what `opening` does."""
        try:
            return contains(path, self._sought, document=is_document(path))
        except Packed as packed:
            return (packed.ole and self._stands_in_bytes(path)) or self._stands_in_document(path)

    def _stands_in_bytes(self, path: str) -> bool:
        """Older Office programs write text as it is, in one byte or two for a character; but not all of it in one piece."""
        return contains(path, self._sought) or contains(path, Sought.of(self._text, ignore_case=self._folds, encoding="utf-16-le"))

    def _stands_in_document(self, path: str) -> bool:
        if self._reading is None:  # most searches meet no document
            from nlsh.world.documents import Phrase, Reader

            self._reading = Reader(self._unread, asked=self._asked, opening=self._opening), Phrase(self._text, ignore_case=self._folds)
        reader, phrase = self._reading
        return next(phrase.lines_of(reader.lines(path)), None) is not None


def matching_lines(path: str, sought: Sought, *, document: bool = False) -> Iterable[tuple[int, str]]:
    """Return number and text of each line in which what is sought stands; nothing for a file that is not text.

    Raises OSError, and Packed where it is a packed `document`; while it is read, too.
    """
    descriptor, size = open_sized(path)
    if not 0 < size < CHUNK:
        return _streamed(descriptor, size, sought, document)
    # One call reads a small file, and most hold nothing of what is sought: of a hundred thousand, each should cost no more than that.
    try:
        whole = os.read(descriptor, size + 1)
        if len(whole) != size:  # it changes while it is read
            os.lseek(descriptor, 0, os.SEEK_SET)
            descriptor, changing = -1, descriptor
            return _streamed(changing, size, sought, document)
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    if document and is_packed(whole):
        raise Packed(whole[:8])
    seen = whole if not sought.folded else whole.lower() if size < _SHORT else sought.seen(whole)
    if sought.literal not in seen or looks_binary(whole[:8192]):
        return ()
    return ((before + 1, text) for before, text in _lines_of(whole, sought))


def lines_that(path: str, fits: Callable[[str], object], *, document: bool = False) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that `fits` says yes to; nothing for a file that is not text.

    Raises OSError, what `fits` does, and Packed where it is a packed `document`.
    """
    descriptor, _ = open_sized(path)
    try:
        start = os.read(descriptor, CHUNK)
        if document and is_packed(start):
            raise Packed(start[:8])
        if looks_binary(start[:8192]):
            return
        yield from fitting(first_lines(descriptor, None, start), fits)
    finally:
        os.close(descriptor)


def fitting(lines: Iterable[str], fits: Callable[[str], object]) -> Iterator[tuple[int, str]]:
    """Yield number and text of each of the lines that `fits` says yes to."""
    for number, line in enumerate(lines, 1):
        if found := fits(line):
            # Show the part of a very long line that matches.
            begin = max(0, found.start() - SHOWN // 2) if len(line) > SHOWN and isinstance(found, re.Match) else 0
            yield number, line[begin : begin + SHOWN]


def _streamed(descriptor: int, size: int, sought: Sought, document: bool) -> Iterator[tuple[int, str]]:
    """Yield what `matching_lines` does of an open file, and close it."""
    try:
        number, counted, base = 1, 0, 0  # the number of the line at `counted`; where what is looked at begins
        carried: list[bytes] = []  # a line that goes on in the next block
        length = 0
        for block in _blocks_of(descriptor, size):
            if not base and not carried:
                if document and is_packed(block):
                    raise Packed(block[:8])
                if looks_binary(block[:8192]):
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
        begin = max(start, first - SHOWN // 2) if end - start > SHOWN else start
        yield before, decoded(whole[begin : min(end, begin + SHOWN)].rstrip(b"\r"))
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
