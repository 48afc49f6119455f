"""What a reading leaves over: words of the request that no argument of the plan holds and that no phrasing of the corpus has as its own words.

“rename the folder Pension Papers to Letters” read with “Pension” leaves “Papers” over; “zip final to out.zip” read without an archive leaves “out.zip” over.
The decoder sees words one by one; this looks at the sentence as a whole, and speaks against such readings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from nlsh.plan.plan import Plan, Ref
from nlsh.planner.lexer import Word, lex

MOST = 3  # of each: more say no more
A_NAME = re.compile(r"[/~*\\_\d]|\w\.\w|^\.\w")
_JOINS = ("/", "_", "-")
_EXCEPTION = re.compile(
    r"\b(?:except|all but|anything but|everything but|other than|apart from|aside from|besides|excluding|save for|but not|leave out)\b"
    r"|除了|以外|之外|除外|不包括",
    re.I,
)
_PATTERNS = ("kind", "named", "like")  # arguments that an ending may be: “.pdf文件”


class Ordinary:
    """The words that phrasings have outside their slots: of Chinese, pairs of characters. Without the file, every word is ordinary."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @cached_property
    def _lines(self) -> str:
        try:
            return f"\n{self.file.read_text(encoding='utf-8')}\n"
        except FileNotFoundError:
            return ""

    def knows(self, word: str) -> bool:
        return not self._lines or f"\n{word}\n" in self._lines


def left_over(request: str, plan: Plan, ordinary: Ordinary) -> tuple[int, int, int]:
    """Return how many words `plan` leaves over that look like a name or number, how many that no phrasing has, and how many spans end within a name."""
    words = lex(request)
    held = [False] * len(words)
    cut = 0
    for argument, value in _values(plan):
        start = request.find(value)
        places = [n for n, w in enumerate(words) if w.start < start + len(value) and w.end > start] if start >= 0 and value else []
        for n in places:
            held[n] = True
        if places:
            cut += _cut(words, places[0], places[-1], argument)
    named = unknown = 0
    for n, word in enumerate(words):
        if held[n]:
            continue
        text = word.text.lower()
        if _is_cjk(text):
            unknown += not _in_a_pair(words, n, ordinary)
        elif len(text) > 2 and text[0] == text[-1] and text[0] in "\"'`":
            named += 1
        elif not ordinary.knows(text):
            if A_NAME.search(text):
                named += 1
            else:
                unknown += any(c.isalpha() for c in text)
    return min(named, MOST), min(unknown, MOST), min(cut, MOST)


def excepted(request: str, plan: Plan) -> bool:
    """Return whether the request keeps something from what a plan destroys: “delete all but notes.txt” is no plan to delete it."""
    from nlsh.plan.registry import get, names

    if not _EXCEPTION.search(request):
        return False
    actions = [get(c.action) for c in plan.calls if c.action in names() and not get(c.action).reads_only()]
    return any(a.name == "package.remove" or not {"fs.delete", "proc.signal", "dev.format"}.isdisjoint(a.effects) for a in actions) and not any(
        "without" in c.args for c in plan.calls
    )


def _values(plan: Plan) -> Iterator[tuple[str, str]]:
    for call in plan.calls:
        for argument, value in call.args.items():
            if not isinstance(value, (Ref, bool)):
                for one in value if isinstance(value, tuple) else (value,):
                    yield argument, str(one)


def _is_cjk(text: str) -> bool:
    first = text[:1]
    return "\u3040" <= first <= "\u30ff" or "\u3400" <= first <= "\u9fff"


def _in_a_pair(words: list[Word], n: int, ordinary: Ordinary) -> bool:
    """Whether a character stands with its neighbour as phrasings have them, or alone."""
    around = [words[i].text if 0 <= i < len(words) and _is_cjk(words[i].text) else "" for i in (n - 1, n + 1)]
    pairs = [p for p in (around[0] and around[0] + words[n].text, around[1] and words[n].text + around[1]) if p]
    return not pairs or any(map(ordinary.knows, pairs))


def _cut(words: list[Word], first: int, last: int, argument: str) -> int:
    """Return at how many of its ends a span stops within what is written as one: “/mnt/” of “/mnt/冷备”, “.odt” of “遗嘱.odt”."""
    found = 0
    if last + 1 < len(words) and not words[last + 1].spaced:
        here, after = words[last].text, words[last + 1].text
        ending = len(after) > 1 and after[0] in "._-/" and after[1].isalnum() and _is_cjk(here)
        found += here.endswith(_JOINS) or ending
    if first > 0 and not words[first].spaced and len(words[first].text) > 1 and words[first].text[1].isalnum():
        ending = words[first].text[0] == "." and argument not in _PATTERNS and _is_cjk(words[first - 1].text)
        found += words[first].text[0] in "_-" or ending
    return found
