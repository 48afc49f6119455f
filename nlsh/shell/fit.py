"""How text fits a terminal: how wide it is, prose broken between words, columns that are aligned or, where they do not fit, set below each other.

It is given text that is escaped already, and writes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

_SGR = re.compile(r"\x1b\[[0-9;]*m")
_WORD = re.compile(r" *(?:\x1b\[[0-9;]*m|[^ ])+")
_NARROWEST = 20  # columns below which nothing is broken between words
_READABLE = 28  # columns that a column of prose needs

Rows = Sequence[tuple[str, ...]]


def width(text: str) -> int:
    """Return how many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def fold(text: str, columns: int, inset: int | None = None) -> str:
    """Return one line of prose as lines of at most so many columns, broken between words; all but the first are set in, by two more than the first or `inset`.

    A name that is longer than a line goes on in the next. Colours stay as they are, across the breaks.

    >>> fold("  note: what is too long goes on", 24)
    '  note: what is too long\\n    goes on'
    """
    if columns < _NARROWEST or _room(text) <= columns or "\n" in text:  # it is folded already
        return text
    margin = len(text) - len(text.lstrip(" ")) + 2 if inset is None else inset
    lines, taken = [""], 0
    for found in _WORD.findall(text):
        word, room = found, _room(found)
        if taken and taken + room > columns:
            lines.append(" " * margin)
            taken, word = margin, found.lstrip(" ")
            room = _room(word)
        lines[-1] += word
        taken = taken + room if taken + room <= columns else (taken + room) % columns
    return "\n".join(lines)


def _room(text: str) -> int:
    return width(_SGR.sub("", text))


def grid(rows: Rows, heads: tuple[str, ...] | None, paint: Callable[[str], str], columns: int = 0) -> Iterator[str]:
    """Yield aligned lines: numbers to the right, text to the left. `columns`: the last cell of a line is cut to what is left of these; 0: none is."""
    if not rows:
        return
    widths, pads = _measured(rows, heads)
    if columns:
        widths[-1] = max(4, min(widths[-1], columns - sum(widths[:-1]) - 2 * (len(widths) - 1)))
    if heads:
        yield paint(_join(heads, widths, pads))
    for row in rows:
        yield _join(row, widths, pads)


def table(rows: Rows, heads: tuple[str, ...] | None, columns: int, paint: Callable[[str], str]) -> Iterator[str]:
    """Yield rows whose last cells are words: as a grid where that fits, else the last in its column in several lines, else below the rest."""
    if not rows:
        return
    widths, pads = _measured(rows, heads)
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    if before + widths[-1] <= columns:
        yield from grid(rows, heads, paint)
    elif columns - before >= _READABLE:
        if heads:
            yield paint(_join(heads, widths, pads))
        for row in rows:
            yield fold(_join(row, widths, pads), columns, before)
    else:
        yield from _stacked(rows, heads, columns, paint)


def _stacked(rows: Rows, heads: tuple[str, ...] | None, columns: int, paint: Callable[[str], str]) -> Iterator[str]:
    """Yield each row as a line of its first cells, those that fit all rows, with the others set in below, a line each."""
    widths, pads = _measured(rows, heads)
    beside, taken = 1, widths[0]
    while beside < len(widths) - 1 and taken + 2 + widths[beside] <= columns:
        taken += 2 + widths[beside]
        beside += 1
    if heads:
        yield paint(fold(_join(heads[:beside], widths[:beside], pads[:beside]) + "".join(f"  · {h}" for h in heads[beside:]), columns))
    for row in rows:
        yield _join(row[:beside], widths[:beside], pads[:beside])
        yield from (fold(f"    {cell}", columns) for cell in row[beside:] if cell)


def _measured(rows: Rows, heads: tuple[str, ...] | None) -> tuple[list[int], list[Callable[[str, int], str]]]:
    every = [heads, *rows] if heads else rows
    widths = [max(width(r[i]) for r in every) for i in range(len(rows[0]))]
    numeric = [heads is not None and all(r[i] == "" or r[i][0].isdigit() or r[i][0] == "-" for r in rows) for i in range(len(widths))]
    return widths, [_right if n else _left for n in numeric]


def _join(row: tuple[str, ...], widths: list[int], pads: Sequence[Callable[[str, int], str]]) -> str:
    return "  ".join(pad(cell, room) for cell, room, pad in zip(row, widths, pads, strict=True)).rstrip()


def _left(text: str, room: int) -> str:
    if width(text) > room:
        while width(text) > room - 1:
            text = text[:-1]
        return text + "…"
    return text + " " * (room - width(text))


def _right(text: str, room: int) -> str:
    return " " * (room - width(text)) + text
