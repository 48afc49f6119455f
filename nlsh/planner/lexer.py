"""Split a request into words that a plan can point at.

Quoted text is one word, a Chinese, Japanese or Korean character is one word, punctuation around a word is a word of its own. A span of
words stands for the request's own text between its ends, so any name copies exactly and nothing outside the sentence can be invented.
"""

from __future__ import annotations

import re
from functools import cache

from nlsh.plan.frozen import frozen

MAX_WORDS = 80

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "「": "」", "『": "』", "《": "》"}
_BEFORE = "([<{:>+="
_AFTER = ",;:?!)]}>+"
_SIZE = re.compile(r"(?!0[xX])(\d{1,5})([x×X*])(\d{1,5}(?:px)?)")  # 800x600: three words, since a plan points at the width and at the height
_ENDS = (".", "!", "?", "。", "！", "？")


@cache
def _piece(cjk: str) -> re.Pattern[str]:
    """Return what a piece of a request is. `cjk`: the characters that are words of their own, where there are any: so large a set takes long to compile."""
    return re.compile(
        rf"""(?P<quoted>"[^"]*"|(?<![^\s{cjk}(])'[^']*'(?!\w)|`[^`]*`|“[^”]*”|‘[^’]*’|「[^」]*」|『[^』]*』|《[^》]*》)
        {f"|(?P<cjk>[{cjk}])" if cjk else ""}
        |(?P<mark>[，。！？；：、（）【】…])
        |(?P<plain>[^\s{cjk}，。！？；：、（）【】…“「『《]+)
        |(?P<other>\S)""",
        re.X,
    )


@frozen()
class Word:
    """A word of the request: `text` as the model reads it, and where its value stands in the request."""

    text: str
    start: int
    end: int
    spaced: bool  # whether white space or the start of the request comes before it


def lex(request: str) -> list[Word]:
    """Return the words of `request`, at most MAX_WORDS; what is beyond that cannot be pointed at."""
    words: list[Word] = []
    for match in _piece("" if request.isascii() else _CJK).finditer(request):
        start, end = match.span()
        spaced = start == 0 or request[start - 1].isspace()
        if match["plain"] is None:
            quoted = match["quoted"] is not None and end - start > 2
            words.append(Word(match[0], start + quoted, end - quoted, spaced))
        else:
            words += _peel(request, start, end, spaced)
        if len(words) >= MAX_WORDS:
            break
    return words[:MAX_WORDS]


def _peel(request: str, start: int, end: int, spaced: bool) -> list[Word]:
    """Split the punctuation off a run of characters: "(report.pdf)," gives four words."""
    before: list[Word] = []
    after: list[Word] = []
    while end - start > 1 and request[start] in _BEFORE:
        before.append(Word(request[start], start, start + 1, spaced))
        start, spaced = start + 1, False
    while True:
        text = request[start:end]
        if len(text) > 2 and text.endswith(("'s", "’s")):
            after.append(Word(text[-2:], end - 2, end, False))
            end -= 2
        elif len(text) > 1 and (text[-1] in _AFTER or (text[-1] == "." and not re.search(r"(^|/)\.\.?$", text))):
            after.append(Word(text[-1], end - 1, end, False))
            end -= 1
        else:
            break
    text = request[start:end]
    if (size := _SIZE.fullmatch(text)) is not None:
        return [*before, *(Word(size[n], start + size.start(n), start + size.end(n), spaced and n == 1) for n in (1, 2, 3)), *reversed(after)]
    middle = Word(text, start + 1, end - 1, spaced) if len(text) > 2 and _QUOTES.get(text[0]) == text[-1] else Word(text, start, end, spaced)
    return [*before, middle, *reversed(after)]


def span_text(request: str, words: list[Word], first: int, last: int) -> str:
    """Return the request's own text from word `first` to word `last`, both included. Raises IndexError outside the words.

    The marks that end the request belong to the sentence, not to the name before them.
    """
    if not 0 <= first <= last < len(words):
        raise IndexError(f"no span {first}…{last} in {len(words)} words")
    if last == len(words) - 1:
        while last > first and words[last].text in _ENDS and not words[last].spaced:
            last -= 1
    return request[words[first].start : words[last].end]


def find_span(request: str, words: list[Word], value: str, start: int) -> tuple[int, int] | None:
    """Return the first and last word whose span is exactly request[start:start+len(value)], or None where words do not end there."""
    end = start + len(value)
    first = next((i for i, w in enumerate(words) if w.start == start), None)
    last = next((i for i, w in enumerate(words) if w.end == end), None)
    return (first, last) if first is not None and last is not None and first <= last else None
