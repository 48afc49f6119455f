"""What the actions on results share: the rows they start from, and the steps that show what is left of them.

Rows are picked while the plan is looked at, from what was found and shown before: nothing is read again, so “delete the first three” means the three
that stood there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from nlsh.plan.action import Action
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotFound, NotPossible
from nlsh.plan.records import Process, Record, record_from_data
from nlsh.plan.values import Rows
from nlsh.world import World

Data = dict[str, Any]


class OnResult(Action):
    """Base of the actions on results: `pick` says which rows are left."""

    effects: ClassVar[tuple[str, ...]] = ()

    def pick(self, args: Any, rows: Sequence[Record], world: World) -> Iterable[Record]:
        """Return what is left of the rows. Raises NotFound and NotPossible."""
        raise NotImplementedError

    def look(self, args: Any, world: World) -> Any:
        rows: Rows = args.what
        if not rows.records:
            raise NotFound("There is no earlier result that this could be about.", hint="Nothing was changed. Ask for something first.")
        # They may have been found from another folder.
        placed = rows.records if rows.cwd == world.cwd else tuple(_placed(r, rows.cwd) for r in rows.records)
        return [r.as_data() for r in self.pick(args, placed, world)]

    def is_ordered(self, args: Any) -> bool:
        return not args.what.unordered

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return ()

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        return (record_from_data(r) for r in seen)


def _placed(record: Record, cwd: str) -> Record:
    path = getattr(record, "path", "")
    return replace(record, path=os.path.join(cwd, path)) if path and not os.path.isabs(path) else record  # type: ignore[type-var]


def label(record: Record) -> str:
    """Return what a row is called: its path, its program or its first column."""
    for name in ("path", "name"):
        if value := getattr(record, name, ""):
            return str(value)
    return str(getattr(record, record.columns[0])) if record.columns else ""


def size(record: Record) -> int | None:
    """Return a row's size in bytes, on disk or in memory, or None."""
    for name in ("size_bytes", "memory_bytes", "used_bytes"):
        value = getattr(record, name, None)
        if value is not None:
            return int(value)
    return None


def moment(record: Record) -> float | None:
    """Return when what a row stands for changed or began, in seconds since the epoch, or None."""
    for name in ("modified_at", "started_at", "at"):
        value = getattr(record, name, None)
        # A file that is there may be of the first second of 1970: archives and build tools set that. Else 0 is a time that nobody knows.
        if value or (value is not None and name == "modified_at" and getattr(record, "type", "") in ("file", "folder", "link", "other")):
            return float(value)
    return None


def owner(record: Record) -> str:
    """Return whose a row is, or nothing."""
    return str(getattr(record, "owner", "") or getattr(record, "user", ""))


def without(what: str, rows: Sequence[Record]) -> NotPossible:
    """Return the error for rows that lack what they are to be sorted or picked by."""
    kind = "processes" if isinstance(rows[0], Process) else "these"
    return NotPossible(f"The last result says nothing of {what} for {kind}.", hint="Nothing was changed.")
