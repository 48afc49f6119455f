"""Replacer: put one text in place of another in a stream of bytes, and say where that would not be safe. Constant memory.

Texts are UTF-8. In a text that is not, ASCII may still be replaced by ASCII where it cannot be a part of another character.
"""

from __future__ import annotations

import codecs
import re

from nlsh.world.contents import decoded, pattern_for

_SAMPLES = 2
_SHOWN = 40  # characters of a line before and after
_CHARACTER = 4  # bytes, at most
# Of languages that set no blanks between words, a letter before or behind says nothing.
_NO_BLANKS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]")
_ASCII_WORDY = frozenset(bytes((c,)) for c in range(128) if chr(c).isalnum() or c == ord("_"))
_CUT = "".join(map(chr, range(0xDC80, 0xDD00)))


class Replacer:
    """Feed it blocks; it returns what they become. `count` is how often it has replaced, `samples` a few lines before and after.

    `inside` is how many of these were parts of longer words: Ann in Anna. Languages without blanks between their words have no such.
    """

    def __init__(self, text: str, by: str, *, ignore_case: bool) -> None:
        self.count = self.inside = 0
        self.samples: list[str] = []
        self._pattern = pattern_for(text, ignore_case=ignore_case)
        self._by = by.encode("utf-8", "surrogateescape")
        # The longest match, in bytes: what may still be the beginning of one is kept back.
        # Behind it, one character more tells whether a word goes on.
        self._wordy = (_is_wordy(text[:1]), _is_wordy(text[-1:]))
        self._longest = _CHARACTER + sum(max(len(f.encode("utf-8", "surrogateescape")) for f in (c, c.lower(), c.upper(), c.casefold())) for c in text)
        self._ascii = text.isascii() and by.isascii()
        self._utf8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._carried = b""
        self._last = b""  # what stood before what is carried, as much of it as is shown of a line
        self._line = 1
        self._ambiguous = False

    @property
    def unsafe(self) -> bool:
        """Whether what was fed is no UTF-8 and the replacement might break characters of it."""
        return bool(self.count) and self._utf8 is None and (not self._ascii or self._ambiguous)

    def why_unsafe(self, path: str) -> str:
        """Return the sentence that says so."""
        return f"{path} is not UTF-8, so that replacing in it might break other characters."

    def feed(self, block: bytes) -> bytes:
        """Return what can be said of the stream so far; keep the rest."""
        self._judge(block, final=False)
        buffer = self._carried + block
        return self._replaced(buffer, max(len(buffer) - self._longest + 1, 0))

    def finish(self) -> bytes:
        """Return the rest."""
        self._judge(b"", final=True)
        return self._replaced(self._carried, len(self._carried))

    def _judge(self, block: bytes, *, final: bool) -> None:
        if self._utf8 is not None:
            try:
                self._utf8.decode(block, final)
            except UnicodeDecodeError:
                self._utf8 = None

    def _replaced(self, buffer: bytes, end: int) -> bytes:
        """Replace all that begins before `end`; what is behind it is carried on."""
        parts: list[bytes] = []
        at = 0
        for found in self._pattern.finditer(buffer):
            start = found.start()
            if start >= end:
                break
            self.count += 1
            before = buffer[start - 1 : start] if start else self._last[-1:]
            self._ambiguous = self._ambiguous or before > b"\x7f"
            self.inside += self._goes_on(buffer, start, found.end(), before)
            if len(self.samples) < _SAMPLES:
                self._line += buffer.count(b"\n", at, start)
                self._show(buffer, found)
                self._line += buffer.count(b"\n", start, found.end())
            parts += (buffer[at:start], self._by)
            at = found.end()
        cut = max(at, end)
        parts.append(buffer[at:cut])
        if len(self.samples) < _SAMPLES:
            self._line += buffer.count(b"\n", at, cut)
        self._last = (self._last + buffer[max(cut - _SHOWN, 0) : cut])[-_SHOWN:]
        self._carried = buffer[cut:]
        return b"".join(parts)

    def _goes_on(self, buffer: bytes, start: int, end: int, before: bytes) -> bool:
        """Return whether a letter or digit stands right before or behind a match that begins or ends with one; `before`: the byte before it."""
        first, last = self._wordy
        if first and (
            before in _ASCII_WORDY if before < b"\x80" else _is_wordy(_partly(self._last[-_CHARACTER:] + buffer[max(start - _CHARACTER, 0) : start])[-1:])
        ):
            return True
        behind = buffer[end : end + 1]
        return last and (behind in _ASCII_WORDY if behind < b"\x80" else _is_wordy(_partly(buffer[end : end + _CHARACTER])[:1]))

    def _show(self, buffer: bytes, found: re.Match[bytes]) -> None:
        start = found.start()
        before = (self._last + buffer[max(0, start - _SHOWN) : start])[-_SHOWN:]
        last = buffer.find(b"\n", found.end())
        last = min(len(buffer) if last < 0 else last, found.end() + _SHOWN)
        old = before[before.rfind(b"\n") + 1 :] + buffer[start:last]
        sample = f"line {self._line}: “{_words(old)}” → “{_words(self._pattern.sub(lambda _: self._by, old))}”"
        if not any(s.startswith(f"line {self._line}:") for s in self.samples):
            self.samples.append(sample)


def _is_wordy(char: str) -> bool:
    return (char.isalnum() or char == "_") and not _NO_BLANKS.match(char)


def _partly(raw: bytes) -> str:
    # The first bytes may be the end of a character, and the last ones the start of one.
    return raw.decode("utf-8", "ignore")


def _words(raw: bytes) -> str:
    # The cut may be within a character.
    return " ".join(decoded(raw).strip(_CUT).split())
