"""The lines in which two texts differ, in the unified form. Bounded: lines that both have once are anchors, and only what is between is looked at closely."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

# What is compared line by line with each other: more of it would take minutes. Beyond, all of one part stands against all of the other.
_MOST = 2_000_000
_AROUND = 3

Piece = tuple[str, int, int, int, int]


def unified(old: Sequence[bytes], new: Sequence[bytes], old_name: str, new_name: str) -> Iterator[bytes]:
    """Yield the lines of a unified diff without their ends; nothing where there is no difference. The lines that are given keep their ends."""
    matcher = SequenceMatcher(None, "", "")
    matcher.opcodes = list(pieces(old, new))  # type: ignore[attr-defined]
    begun = False
    for group in matcher.get_grouped_opcodes(_AROUND):
        if not begun and all(tag == "equal" for tag, *_ in group):
            return
        if not begun:
            yield b"--- " + old_name.encode("utf-8", "surrogateescape")
            yield b"+++ " + new_name.encode("utf-8", "surrogateescape")
            begun = True
        yield f"@@ -{_span(group[0][1], group[-1][2])} +{_span(group[0][3], group[-1][4])} @@".encode()
        for tag, a, b, c, d in group:
            if tag == "equal":
                yield from _marked(b" ", old[a:b])
            else:
                yield from _marked(b"-", old[a:b])
                yield from _marked(b"+", new[c:d])


def _span(start: int, end: int) -> str:
    count = end - start
    return f"{start + 1}" if count == 1 else f"{start + (count > 0)},{count}"


def _marked(mark: bytes, lines: Sequence[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield mark + line.removesuffix(b"\n")
        if not line.endswith(b"\n"):
            yield b"\\ No newline at end of file"


def pieces(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[Piece]:
    """Yield what `difflib` calls opcodes: which lines are equal, replaced, deleted and inserted, in order, without gaps."""
    head = 0
    while head < len(old) and head < len(new) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    yield from _joined(_between(old, new, head, tail))


def _between(old: Sequence[bytes], new: Sequence[bytes], head: int, tail: int) -> Iterator[Piece]:
    if head:
        yield "equal", 0, head, 0, head
    a, c = head, head
    old_end, new_end = len(old) - tail, len(new) - tail
    for i, j in [*_anchors(old[head:old_end], new[head:new_end], head), (old_end, new_end)]:
        yield from _close(old, new, a, i, c, j)
        a, c = i, j
        if i < old_end:
            yield "equal", i, i + 1, j, j + 1
            a, c = i + 1, j + 1
    if tail:
        yield "equal", old_end, len(old), new_end, len(new)


def _anchors(old: Sequence[bytes], new: Sequence[bytes], offset: int) -> list[tuple[int, int]]:
    """Return the longest row of pairs of lines that stand once in each, in the same order in both; none where all can be looked at closely."""
    if len(old) * len(new) <= _MOST:
        return []
    ours, theirs = Counter(old), Counter(new)
    places = {line: j for j, line in enumerate(new) if theirs[line] == 1 and ours.get(line) == 1}
    pairs = [(i, places[line]) for i, line in enumerate(old) if line in places]
    # Patience: piles whose tops grow, each card knowing the one before it.
    tops: list[int] = []
    at_top: list[int] = []
    before: list[int] = []
    for number, (_, j) in enumerate(pairs):
        pile = bisect_left(tops, j)
        before.append(at_top[pile - 1] if pile else -1)
        tops[pile : pile + 1] = [j]
        at_top[pile : pile + 1] = [number]
    row: list[tuple[int, int]] = []
    number = at_top[-1] if at_top else -1
    while number >= 0:
        row.append((pairs[number][0] + offset, pairs[number][1] + offset))
        number = before[number]
    return row[::-1]


def _close(old: Sequence[bytes], new: Sequence[bytes], a: int, b: int, c: int, d: int) -> Iterator[Piece]:
    if a == b and c == d:
        return
    if a == b:
        yield "insert", a, b, c, d
    elif c == d:
        yield "delete", a, b, c, d
    elif (b - a) * (d - c) > _MOST:
        yield "replace", a, b, c, d
    else:
        for tag, i, j, k, m in SequenceMatcher(None, old[a:b], new[c:d]).get_opcodes():
            yield tag, i + a, j + a, k + c, m + c


def _joined(found: Iterator[Piece]) -> Iterator[Piece]:
    """Join neighbours of one kind, so that what is equal on both sides of an anchor is one piece."""
    last: Piece | None = None
    for piece in found:
        if last is None:
            last = piece
        elif piece[0] == last[0] or "equal" not in (piece[0], last[0]):
            tag = piece[0] if piece[0] == last[0] else "replace"
            last = (tag, last[1], piece[2], last[3], piece[4])
        else:
            yield last
            last = piece
    if last is not None:
        yield last
