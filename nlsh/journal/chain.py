"""The hash chain that the audit is written as: one JSON object a line, each with the hash of the one before it and its own.

Owns how an entry is written down, and `examine`: what is wrong with lines that should be a chain, entry by entry. It reads no file and
knows nothing of who else remembers the chain; that is `audit`'s.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nlsh.plan.frozen import frozen

FIRST = "0" * 64


@frozen()
class Break:
    """One thing that is wrong. `entry`: the number it is about, `line`: where it shows (from 1); None where there is no such place.

    `kind`: changed, removed, inserted, reordered, torn (a write that the machine did not finish), truncated, rolled back (what is there is not
    what was remembered elsewhere), head or anchors (it is not the log that is wrong but what else remembers it).
    """

    kind: str
    problem: str
    entry: int | None = None
    line: int | None = None


@dataclass(slots=True)
class Examined:
    """What lines hold: `hashes` of the entries that stand in their place, `end` the number of the last, and the breaks in their order.

    `unfinished`: the last line has no end and no entry. `loose`: entries that do not follow from the one before them, though both are whole.
    """

    hashes: dict[int, str] = field(default_factory=dict)
    lines: dict[int, int] = field(default_factory=dict)
    end: int = 0
    breaks: list[Break] = field(default_factory=list)
    unfinished: bool = False
    loose: list[int] = field(default_factory=list)


@frozen()
class _Entry:
    line: int
    seq: int
    prev: str
    hash: str


def canonical(entry: dict[str, Any]) -> bytes:
    """Return an entry as it is written and hashed."""
    return json.dumps(entry, sort_keys=True, separators=(",", ":")).encode("ascii")


def linked(entry: dict[str, Any], previous: str) -> dict[str, Any]:
    """Return an entry with the hash of the one before it and its own."""
    whole = {**entry, "prev": previous}
    return {**whole, "hash": hashlib.sha256(canonical(whole)).hexdigest()}


def read(line: bytes) -> dict[str, Any]:
    """Return the entry of a line. Raises ValueError with what is wrong with it."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not (isinstance(entry, dict) and type(entry.get("seq")) is int and isinstance(entry.get("prev"), str) and isinstance(entry.get("hash"), str)):
        raise ValueError("it is not an entry")
    if canonical(entry) + b"\n" != line:
        raise ValueError("it is not written as nlsh writes it")
    if linked({k: v for k, v in entry.items() if k not in ("hash", "prev")}, entry["prev"])["hash"] != entry["hash"]:
        raise ValueError("its hash does not fit what it says")
    return entry


def examine(lines: Iterable[bytes]) -> Examined:
    """Return what these lines hold and every break among them, each with the entry that it is about."""
    entries: list[_Entry | str] = []
    unfinished = False
    for number, line in enumerate(lines, start=1):
        try:
            entry = read(line)
            entries.append(_Entry(number, entry["seq"], entry["prev"], entry["hash"]))
        except ValueError as error:
            entries.append(str(error))
            unfinished = not line.endswith(b"\n")
    found = _Walk({e.seq for e in entries if isinstance(e, _Entry)})
    for number, item in enumerate(entries, start=1):
        if isinstance(item, str):
            found.damaged.append((number, item))
        else:
            found.take(item)
    found.close(unfinished)
    return found.result


class _Walk:
    """Goes along the lines, knowing which entry is to come."""

    def __init__(self, numbers: set[int]) -> None:
        self.result = Examined()
        self.damaged: list[tuple[int, str]] = []
        self._numbers = numbers
        self._want, self._previous = 1, FIRST
        self._moved: set[int] = set()

    def take(self, entry: _Entry) -> None:
        """Put an entry that is whole in its place."""
        if entry.seq < self._want:
            self._settle(0)
            self._again(entry)
            return
        gap = entry.seq - self._want
        damaged = bool(self.damaged)
        if gap and not damaged:
            self._missing(self._want, entry)
        self._settle(gap)
        if not gap and entry.prev != self._previous:
            self.result.loose.append(entry.seq)
        self.result.hashes[entry.seq], self.result.lines[entry.seq] = entry.hash, entry.line
        self._want, self._previous = entry.seq + 1, entry.hash
        self.result.end = entry.seq

    def close(self, unfinished: bool) -> None:
        """Say what the lines after the last whole entry are."""
        if unfinished and self.damaged:
            self.result.unfinished = True
            line, problem = self.damaged.pop()
            self._settle(len(self.damaged))
            self._break("torn", f"it is incomplete: {problem}", self._want, line)
        else:
            self._settle(len(self.damaged))

    def _again(self, entry: _Entry) -> None:
        if entry.seq in self._moved:
            self._moved.discard(entry.seq)  # said where it belongs
        elif self.result.hashes.get(entry.seq) == entry.hash:
            self._break("inserted", f"it is entry {entry.seq} once more", entry.seq, entry.line)
        else:
            self._break("inserted", f"it calls itself entry {entry.seq}, which is elsewhere", entry.seq, entry.line)

    def _missing(self, first: int, entry: _Entry) -> None:
        later = [n for n in range(first, min(entry.seq, first + len(self._numbers) + 1)) if n in self._numbers]
        if later:
            self._moved.update(later)
            self._break("reordered", f"entry {entry.seq} stands where entry {later[0]} belongs", later[0], entry.line)
        if len(later) < entry.seq - first:
            self._break("removed", f"{_entries(first, entry.seq - 1)} missing" if not later else "more entries are missing", first, entry.line)

    def _settle(self, gap: int) -> None:
        """Give the lines that are no entries to the `gap` entries that must have been there."""
        for place, (line, problem) in enumerate(self.damaged[:gap] if gap else self.damaged):
            number = self._want + place
            if not gap:
                self._break("inserted", f"a line that is no entry stands before entry {self._want}: {problem}", self._want, line)
            elif place == min(gap, len(self.damaged)) - 1 and number < self._want + gap - 1:
                self._break("changed", f"{problem}; with it, {_entries(number + 1, self._want + gap - 1)} lost", number, line)
            else:
                self._break("changed", problem, number, line)
        # Lines beyond those are what is left of an entry that was broken in two.
        self.damaged.clear()
        self._want += gap

    def _break(self, kind: str, problem: str, entry: int, line: int) -> None:
        self.result.breaks.append(Break(kind, problem, entry, line))


def _entries(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"


@frozen()
class Witness:
    """Who else remembers the chain: with so many entries the newest had this hash. `where` names it, with when, for a person."""

    where: str
    entries: int
    hash: str
    newest: bool = False  # it is kept with the log, and says how long that is


def compare(found: Examined, witnesses: Iterable[Witness]) -> list[Break]:
    """Return the breaks of a chain, with what differs from what is remembered elsewhere, in the order of the entries."""
    known = sorted(witnesses, key=lambda w: w.entries)
    agree = [w.entries for w in known if found.hashes.get(w.entries) == w.hash]
    breaks = [_loose(found, number, agree) for number in found.loose]
    breaks += [_not_torn(b, known) for b in found.breaks]
    blamed = {b.entry for b in breaks}
    differing = next((w for w in known if found.hashes.get(w.entries, w.hash) != w.hash and w.entries not in blamed), None)
    if differing is not None:
        first = max((n for n in agree if n < differing.entries), default=0) + 1
        which = f"entry {first} is not the one" if first == differing.entries else f"entries {first} to {differing.entries} are not all those"
        breaks.append(Break("rolled back", f"{which} that {differing.where} remembers: others were put in place", first, found.lines.get(first)))
    last = max([found.end, *(b.entry for b in breaks if b.entry is not None and b.kind in ("changed", "torn"))])
    beyond = [w for w in known if w.entries > last]
    if beyond:
        # Cut off: the head still says how long it was. Rolled back: the head was put back with it.
        back = any(w.newest and w.entries <= found.end for w in known)
        kind, words = ("rolled back", "an older log was put in place: ") if back else ("truncated", "")
        problem = f"{words}{_entries(last + 1, beyond[-1].entries)} missing, which {beyond[-1].where} remembers"
        breaks.append(Break(kind, problem, last + 1, last + 1))
    return sorted(breaks, key=lambda b: (b.entry or 0, b.line or 0))


def _loose(found: Examined, number: int, agree: list[int]) -> Break:
    """Say which of two entries that do not fit is wrong: the later one is right if it leads on to what is remembered."""
    breaks = [n for n in found.loose if n > number] + [b.entry for b in found.breaks if b.entry is not None and b.entry > number]
    if any(number <= n < min(breaks, default=n + 1) for n in agree):
        return Break(
            "changed", f"it was written anew with a hash that fits it: entry {number} does not follow from it", number - 1, found.lines.get(number - 1)
        )
    return Break("changed", f"it does not follow from entry {number - 1}", number, found.lines[number])


def _not_torn(found: Break, known: list[Witness]) -> Break:
    if found.kind == "torn" and known and known[-1].entries >= (found.entry or 0):
        return Break("changed", "its line was whole once and is cut short or changed", found.entry, found.line)
    if found.kind == "torn":
        return Break("torn", "it is incomplete: the machine stopped while it was written; the next entry sets it aside", found.entry, found.line)
    return found
