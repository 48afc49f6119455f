"""Replacer: put one text in place of another in a stream of bytes, and say where that would not be safe. Constant memory.

Texts are UTF-8. In a text that is not, ASCII may still be replaced by ASCII where it cannot be a part of another character.
"""

from __future__ import annotations

import codecs
import re

from nlsh.world.contents import decoded, pattern_for

_SAMPLES = 2
_SHOWN = 40  # characters of a line before and after
_CUT = "".join(map(chr, range(0xDC80, 0xDD00)))


class Replacer:
    """Feed it blocks; it returns what they become. `count` is how often it has replaced, `samples` a few lines before and after."""

    def __init__(self, text: str, by: str, *, ignore_case: bool) -> None:
        self.count = 0
        self.samples: list[str] = []
        self._pattern = pattern_for(text, ignore_case=ignore_case)
        self._by = by.encode("utf-8", "surrogateescape")
        # The longest match, in bytes: what may still be the beginning of one is kept back.
        self._longest = sum(max(len(f.encode("utf-8", "surrogateescape")) for f in (c, c.lower(), c.upper(), c.casefold())) for c in text)
        self._ascii = text.isascii() and by.isascii()
        self._utf8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._carried = b""
        self._last = b""  # the byte before what is carried
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
            before = buffer[start - 1 : start] if start else self._last
            self._ambiguous = self._ambiguous or before > b"\x7f"
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
        self._last = buffer[cut - 1 : cut] or self._last
        self._carried = buffer[cut:]
        return b"".join(parts)

    def _show(self, buffer: bytes, found: re.Match[bytes]) -> None:
        first = max(buffer.rfind(b"\n", 0, found.start()) + 1, found.start() - _SHOWN)
        last = buffer.find(b"\n", found.end())
        last = min(len(buffer) if last < 0 else last, found.end() + _SHOWN)
        old = buffer[first:last]
        sample = f"line {self._line}: “{_words(old)}” → “{_words(self._pattern.sub(lambda _: self._by, old))}”"
        if not any(s.startswith(f"line {self._line}:") for s in self.samples):
            self.samples.append(sample)


def _words(raw: bytes) -> str:
    # The cut may be within a character.
    return " ".join(decoded(raw).strip(_CUT).split())
