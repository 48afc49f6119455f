"""Texts in any encoding: which one it is, how lines end, and their lines as a stream. Any bytes are safe; what is no text is refused in words.

What UTF-8 files hold as bytes (search, counts) is `contents`.
"""

from __future__ import annotations

import codecs
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from nlsh.plan.errors import NotPossible
from nlsh.world.contents import CHUNK, open_text

SAMPLE = 256 << 10
# A line that is longer than this, in characters, comes in pieces, so that a file without line ends needs no more memory than this.
_LONGEST = 8 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
# Of the old encodings of East Asia, the first bytes of the characters that make up nearly all of a text.
_EAST = {
    "gb18030": ((0xA1, 0xA3), (0xB0, 0xD7)),
    "big5": ((0xA1, 0xA3), (0xA4, 0xC6)),
    "shift_jis": ((0x81, 0x83), (0x88, 0x98)),
    "euc_jp": ((0xA1, 0xA5), (0xB0, 0xCF)),
    "euc_kr": ((0xA1, 0xA3), (0xB0, 0xC8)),
}
_JUDGED = 20_000  # characters


def sample(path: str, size: int = SAMPLE) -> bytes:
    """Return the first bytes of a file. Raises NotPossible where it cannot be read or is no regular file."""
    try:
        descriptor = open_text(path)
    except OSError as error:
        raise NotPossible(f"{path} cannot be read: {error.strerror}.", hint="Nothing was changed. See who may read it with file.info.") from error
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def encoding_of(start: bytes) -> str | None:
    """Return the encoding of a text that begins with `start`, None for what is no text.

    >>> encoding_of(b"plain"), encoding_of("Käse".encode()), encoding_of(b"PK\\x03\\x04\\x00\\x00")
    ('ascii', 'utf-8', None)
    """
    for mark, name in _BOMS:
        if start.startswith(mark):
            return name
    if b"\0" in start:
        # A whole text in UTF-16 has an even number of bytes; names that end in zero bytes may look like one.
        return _without_mark(start) if len(start) % 2 == 0 else None
    if start.isascii():
        return "ascii"
    text = start.decode("utf-8", "surrogateescape")
    if len(start) == SAMPLE:
        text = text[:-3]  # it may end within a character
    bad = sum("\udc80" <= c <= "\udcff" for c in text)
    if bad == 0 or bad * 4 < sum(c > "\x7f" for c in text) - bad:
        return "utf-8"
    return _old_encoding(start)


def _without_mark(start: bytes) -> str | None:
    """Return utf-16-le or utf-16-be where every other byte is mostly zero and the rest is text, else None."""
    even, odd = start[0::2], start[1::2]
    for name, high, low in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if len(start) >= 4 and high.count(0) * 10 > len(high) * 4 and low.count(0) * 50 < len(low) and not re.search(rb"[\x01-\x08\x0e-\x1a]", low):
            try:
                codecs.getincrementaldecoder(name)().decode(start)
            except UnicodeDecodeError:
                continue
            return name
    return None


def _old_encoding(start: bytes) -> str:
    """Return the likeliest encoding of a text that is not Unicode. A few characters say little: then it is a guess."""
    high = re.findall(rb"[\x80-\xff]+", start)
    count = sum(map(len, high))
    # In the alphabets of the West, a letter with an accent stands alone.
    if sum(len(run) == 1 for run in high) * 10 >= count * 7:
        return _western(start)
    joined = b"".join(high)
    if sum(b >= 0xC0 for b in joined) * 20 >= count * 19 and sum(b >= 0xE0 for b in joined) * 10 >= count * 6:
        return "cp1251"
    scores = {name: _share_of_common(start, name) for name in _EAST}
    best = max(scores, key=lambda name: scores[name][0])
    share, letters = scores[best]
    # Where Korean fits as well as Chinese, a longer text in which nothing but Korean syllables occur is Korean.
    if best == "gb18030" and scores["euc_kr"][0] >= share and letters >= 8:
        return "euc_kr"
    return best if share >= 0.5 else _western(start)


def _share_of_common(start: bytes, name: str) -> tuple[float, int]:
    try:
        text = codecs.getincrementaldecoder(name)().decode(start)[:_JUDGED]
    except UnicodeDecodeError:
        return 0.0, 0
    letters = [c.encode(name) for c in text if c > "\x7f"]
    # In the EUC encodings and GB 2312, the second byte of a common character is high, too.
    low = 0x40 if name in ("big5", "shift_jis") else 0xA1
    common = sum(len(raw) == 2 and raw[1] >= low and any(first <= raw[0] <= last for first, last in _EAST[name]) for raw in letters)
    return (common / len(letters) if letters else 0.0), len(letters)


def _western(start: bytes) -> str:
    try:
        start.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"  # every byte means something in it
    return "cp1252" if re.search(rb"[\x80-\x9f]", start) else "latin-1"


def encoding_in(path: str) -> str:
    """Return the encoding in which a file is to be counted: UTF-8 where it is no text, too. Raises OSError."""
    descriptor = open_text(path)
    try:
        found = encoding_of(os.read(descriptor, SAMPLE))
    finally:
        os.close(descriptor)
    # A mark at the start is a character to whoever counts them, as to wc.
    return "utf-8" if found is None or found in ("ascii", "utf-8-sig") else found


def encoding_or_refuse(path: str, start: bytes) -> str:
    """Return the encoding of a text file. Raises NotPossible, in words, where it is no text."""
    found = encoding_of(start)
    if found is None:
        raise NotPossible(f"{path} is not a text file: it holds zero bytes.", hint="Nothing was changed. Name a text file.")
    return found


def lines(path: str | Sequence[str], tell: Callable[[int, int | None], None] | None = None) -> Iterator[str]:
    """Yield the lines of a text file without their ends, in constant memory; bytes that mean nothing in its encoding survive as surrogates.

    A text that is no file is given as its lines. `tell` hears how many bytes were read, and of how many. Raises NotPossible for what is no text or
    cannot be read.
    """
    if not isinstance(path, str):
        yield from path
        return
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        number = 0
        while line := file.readline(_LONGEST):
            yield line[:-1].removesuffix("\r") if line.endswith("\n") else line
            number += 1
            if tell is not None and number % 20_000 == 0:
                tell(file.buffer.tell(), size)


def opened(path: str) -> io.TextIOWrapper[BinaryIO]:
    """Return a text file, opened for reading in its own encoding, line ends as they are. Raises NotPossible."""
    encoding = encoding_or_refuse(path, sample(path))
    file = os.fdopen(open_text(path), "rb", buffering=CHUNK)
    # ASCII is what the sample is: what follows may be more.
    return io.TextIOWrapper(file, encoding="utf-8" if encoding == "ascii" else encoding, errors=_forgiving(encoding), newline="\n")


def _forgiving(encoding: str) -> str:
    # The 16- and 32-bit codecs cannot bring bytes through: they have no bytes.
    return "replace" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"


def line_endings(path: str, most: int | None = None) -> dict[str, int]:
    """Return how many lines of a file end in "windows" (CR LF), "unix" (LF) and "mac" (CR) ends, of the first `most` bytes. Raises NotPossible.

    For encodings in which CR and LF are single bytes, and for UTF-16 and UTF-32 by their characters.
    """
    counts = {"unix": 0, "windows": 0, "mac": 0}
    with opened(path) as file:
        before, left = "", most
        while text := file.read(CHUNK):
            text = before + text
            before = "\r" if text.endswith("\r") else ""
            text = text[:-1] if before else text
            both = text.count("\r\n")
            counts["windows"] += both
            counts["unix"] += text.count("\n") - both
            counts["mac"] += text.count("\r") - both
            if left is not None and (left := left - len(text)) <= 0:
                break
        counts["mac"] += len(before)
    return counts


def kind_of_endings(counts: dict[str, int]) -> str:
    """Return unix, windows, mac, mixed or none for what `line_endings` counted."""
    used = [name for name, count in counts.items() if count]
    return used[0] if len(used) == 1 else "mixed" if used else "none"


_SCRIPTS = (
    ("Japanese", "[\u3040-\u30ff]"), ("Korean", "[\uac00-\ud7af]"), ("Chinese", "[\u4e00-\u9fff]"), ("Russian", "[\u0400-\u04ff]"),
    ("Greek", "[\u0370-\u03ff]"), ("Arabic", "[\u0600-\u06ff]"), ("Hebrew", "[\u0590-\u05ff]"), ("Thai", "[\u0e00-\u0e7f]"), ("Hindi", "[\u0900-\u097f]"),
)  # fmt: skip
_COMMON = {
    "English": "the and of to in is that it for was with as on be at by this not are from",
    "German": "der die und das ist nicht ein eine zu den mit von für auf sich dem im auch wir ich",
    "French": "le la les et des est un une dans pour que qui pas sur avec il du au nous vous",
    "Spanish": "el la los las y que en un una por con para no es del se lo como su más",
    "Italian": "il di che la e un una per non con sono del della le si da come anche gli più",
    "Portuguese": "o a os as de que e do da em um uma para com não por mais dos se na",
    "Dutch": "de het een en van is dat niet op te zijn voor met er aan ook maar bij om ik",
}


def language_of(text: str) -> str:
    """Return the name of the language of a text, empty where it cannot be told.

    >>> language_of("The cat sat on the mat, and it was happy with that."), language_of("今天天气很好"), language_of("x = 1")
    ('English', 'Chinese', '')
    """
    letters = sum(c.isalpha() for c in text)
    for language, letter in _SCRIPTS:
        if letters and len(re.findall(letter, text)) * (10 if language == "Japanese" else 3) > letters:
            return language
    words = re.findall(r"[^\W\d_]+", text.lower())
    if len(words) < 5:
        return ""
    scores = {name: sum(w in known for w in words) for name, known in ((n, set(c.split())) for n, c in _COMMON.items())}
    best, second = sorted(scores, key=lambda n: scores[n], reverse=True)[:2]
    # In running text every fourth word or so is one of these.
    return best if scores[best] * 8 >= len(words) and scores[best] > scores[second] else ""
