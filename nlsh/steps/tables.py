"""MergeTables: a new CSV file of the rows of two that have the same value in a column; and in words, which rows of either are not in it."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotFound, NotPossible
from nlsh.steps import _fs, handles
from nlsh.steps.content import WriteNew
from nlsh.world.files import Identity
from nlsh.world.tables import Table

if TYPE_CHECKING:
    from nlsh.plan.records import Record

# The rows of the first file are a stream; those of the other are held in memory.
MOST_HELD = 256 << 20
_UNCHANGED = "Nothing was made."


@dataclass(frozen=True, kw_only=True)
class MergeTables(WriteNew):
    """Write the rows of `source`, each with the cells of the row of `other` that has the same value in the column `on` (empty: the one name in both).

    `keep`: "matching" rows only; "left": all of the source, with empty cells where the other has none; "all": those and, behind them, the other's rows
    that the source has none for. An empty cell is no value: it matches nothing, not even another empty one.
    """

    other: str
    other_identity: Identity
    on: str
    keep: str

    def words(self) -> str:
        by = f"by {self.on}" if self.on else "by the column that both have"
        return f"join {os.path.basename(self.source)} and {os.path.basename(self.other)} {by} into {self.target}"

    def effects(self) -> tuple[Effect, ...]:
        return (*super().effects(), *(() if self.back else (Effect("fs.read", self.other),)))

    def check(self) -> None:
        super().check()
        if not self.back:
            _fs.still_there(self.other, self.other_identity)

    def produce(self, source: IO[bytes], target: IO[bytes]) -> Iterable[Record]:
        left, right = Table(self.source, tell=handles.progress_in_bytes, table=True), Table(self.other, table=True)
        for table in (left, right):
            if not table.names:
                raise NotPossible(f"The first row of {table.path} does not name its columns.", hint=f"{_UNCHANGED} Both files must name theirs.")
        on = self.on or self._common(left, right)
        here, there = left.position(on), right.position(on)
        wide = len(right.names)
        rows: dict[str, list[tuple[str, ...]]] = {}
        for _, row in right.rows():
            cells = (*row, *("",) * (wide - len(row)))[:wide]
            rows.setdefault(cells[there].strip(), []).append(cells[:there] + cells[there + 1 :])
        text = io.TextIOWrapper(target, "utf-8", newline="", write_through=True)
        written = csv.writer(text, delimiter=left.separator or ",", lineterminator="\n")
        named = {n.casefold() for n in left.names}
        added = (n for i, n in enumerate(right.names) if i != there)
        stem = os.path.splitext(os.path.basename(self.other))[0]
        written.writerow((*(left.first or ()), *(f"{stem}.{n}" if n.casefold() in named else n for n in added)))
        nothing = ("",) * (wide - 1)
        alone = dict.fromkeys(rows)
        without = 0
        for _, row in left.rows():
            cells = (*row, *("",) * (len(left.names) - len(row)))
            key = cells[here].strip()
            found = rows.get(key, ()) if key else ()
            if found:
                alone.pop(key, None)
            without += not found
            for more in found or (() if self.keep == "matching" else (nothing,)):
                written.writerow((*cells, *more))
        for key in alone if self.keep == "all" else ():
            cells = ("",) * here + (key,) + ("",) * (len(left.names) - here - 1)
            for more in rows[key]:
                written.writerow((*cells, *more))
        text.flush()
        text.detach()
        return self._said(without, sum(len(rows[key]) for key in alone))

    def _said(self, without: int, alone: int) -> Iterator[Record]:
        """Yield in words what has no match: `without` rows of the source, `alone` rows of the other."""
        from nlsh.plan.records import Note

        here, there = os.path.basename(self.source), os.path.basename(self.other)
        if without and self.keep == "matching":
            yield Note(f'{_rows(without)} of {here} had no match in {there} and {_were(without)} left out; keep="left" keeps {_them(without)}.')
        elif without:
            yield Note(f"{_rows(without)} of {here} had no match in {there}: what it adds is empty there.")
        if alone and self.keep == "all":
            yield Note(f"{_rows(alone)} of {there} had no match in {here}: {'it stands' if alone == 1 else 'they stand'} at the end.")
        elif alone:
            yield Note(f'{_rows(alone)} of {there} had no match in {here} and {_were(alone)} left out; keep="all" keeps {_them(alone)}.')

    @staticmethod
    def _common(left: Table, right: Table) -> str:
        both = [n for n in left.names if n.casefold() in {m.casefold() for m in right.names}]
        if len(both) != 1:
            which = f"both have {', '.join(both)}" if both else "no column has the same name in both"
            raise NotFound(f"By which column {left.path} and {right.path} belong together is not clear: {which}.", hint=f"{_UNCHANGED} Say it in on=.")
        return both[0]


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"
