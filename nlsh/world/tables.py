"""Tables in text files: CSV and TSV with the separator they have, or columns between blanks. Rows are a stream; numbers are exact."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from itertools import chain

from nlsh.plan.errors import NotFound, NotPossible
from nlsh.world.texts import lines

_SEPARATORS = {
    "comma": ",", "逗号": ",", "tab": "\t", "tabs": "\t", "\\t": "\t", "制表符": "\t", "semicolon": ";", "分号": ";", "pipe": "|", "竖线": "|",
    "colon": ":", "冒号": ":", "space": " ", "blank": " ", "spaces": " ", "blanks": " ", "空格": " ",
}  # fmt: skip
_LONGEST_CELL = 8 << 20
_NUMBER = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?([eE][+-]?\d{1,3})?")


class Table:
    """A table as a stream. `names`, all distinct, are its first row where that holds names, else empty; `separator` None: columns between blanks."""

    def __init__(
        self, path: str | Sequence[str], separator: str | None = None, tell: Callable[[int, int | None], None] | None = None, *, table: bool = False
    ) -> None:
        """Read the first row. `table`: it is one even if its name does not say so. Lines that are no file's have none: they are one where they look like one.

        Raises NotPossible for what is no text.
        """
        self.path = path if isinstance(path, str) else "the text"
        self._lines = lines(path, tell)
        start = self._first_lines()
        table = table or (not isinstance(path, str) and _is_regular(start))
        self.separator = _separator(separator) if separator else guessed(self.path, start, table)
        self._rows = self._read(start)
        self.first = next(self._rows, None)
        self.names: tuple[str, ...] = ()
        if self.first is not None and self.separator is not None and (table or is_table(self.path)):
            following = next(self._rows, None)
            if _names(self.first, following or ()):
                self.first = tuple(c.strip() for c in self.first)
                self.names = _distinct(self.first)
            if following is not None:
                self._rows = chain((following,), self._rows)

    def _first_lines(self) -> list[str]:
        found: list[str] = []
        for line in self._lines:
            found.append(line)
            if len(found) == 20:
                break
        return found

    def _read(self, start: list[str]) -> Iterator[tuple[str, ...]]:
        def every() -> Iterator[str]:
            yield from start
            yield from self._lines

        if self.separator is None:
            for line in every():
                yield tuple(line.split())
            return
        if len(self.separator) != 1:
            for line in every():
                yield tuple(line.split(self.separator))
            return
        if not is_table(self.path) and self.separator not in ",;\t":
            # What is no CSV knows no quotation: /etc/passwd.
            for line in every():
                yield tuple(line.split(self.separator))
            return
        csv.field_size_limit(_LONGEST_CELL)
        # The csv module joins a quoted cell that goes on over several lines, and wants the lines' ends for that.
        rows = csv.reader((line + "\n" for line in every()), delimiter=self.separator)
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                raise NotPossible(f"{self.path}, line {rows.line_num}: {error}.", hint="Nothing was changed. See what is wrong with text.validate.") from error
            yield tuple(row)

    def rows(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Yield number and cells of each row, that with the names left out; empty lines are no rows. Call it once."""
        number = 0
        if self.first is not None and not self.names and self.first:
            number += 1
            yield number, self.first
        for row in self._rows:
            if row:
                number += 1
                yield number, row

    def position(self, wanted: int | str) -> int:
        """Return the index of a column that is meant by its name or its number from 1. Raises NotFound."""
        if isinstance(wanted, str):
            for same in (lambda a: a, str.lower, lambda a: re.sub(r"\W+|_", "", a.lower())):
                hits = [i for i, name in enumerate(self.names) if same(name) == same(wanted)]
                if hits:
                    return hits[0]
            if wanted.isdecimal():
                return self.position(int(wanted))
            raise NotFound(f"{self.path} has no column “{wanted}”.", hint=self._has())
        if self.first is not None and self.separator is not None and not 1 <= wanted <= max(len(self.first), 1):
            raise NotFound(f"{self.path} has no column {wanted}.", hint=self._has())
        return wanted - 1

    def _has(self) -> str:
        if self.names:
            return f"Nothing was changed. It has: {', '.join(self.names[:20])}."
        return f"Nothing was changed. It has {len(self.first or ())} columns and no names for them."


def is_table(path: str) -> bool:
    """Return whether the name of a file says that it is CSV or TSV."""
    return path.lower().endswith((".csv", ".tsv", ".tab"))


def _separator(written: str) -> str | None:
    found = _SEPARATORS.get(written.strip().lower(), written.strip() or written)
    return None if found.isspace() and found != "\t" else found


def guessed(path: str, start: Sequence[str], table: bool = False) -> str | None:
    """Return what stands between the columns of a file that begins with the lines `start`; None: blanks."""
    if path.lower().endswith((".tsv", ".tab")):
        return "\t"
    if not (table or is_table(path)):
        return None
    used = [line for line in start if line.strip()]
    best, most = ",", 0
    for candidate in (",", ";", "\t", "|"):
        # The one that is in every line, and the same number of times in most.
        counts = [_bare(line).count(candidate) for line in used]
        score = sum(c == counts[0] for c in counts) * (counts[0] > 0) if counts else 0
        if score > most:
            best, most = candidate, score
    return best


def _is_regular(start: Sequence[str]) -> bool:
    """Return whether something that stands between cells is in every line, and the same number of times."""
    used = [_bare(line) for line in start if line.strip()]
    return len(used) > 1 and any(len({line.count(s) for line in used}) == 1 and s in used[0] for s in ",;\t|")


def _bare(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _names(row: tuple[str, ...], following: tuple[str, ...]) -> bool:
    """Return whether a first row holds names. Where one lacks or is there twice, only if some name stands above a number."""
    cells = [c.strip() for c in row]
    if not cells or any(number(c) is not None for c in cells):
        return False
    return (all(cells) and len(set(cells)) == len(cells)) or any(c and number(f) is not None for c, f in zip(cells, following, strict=False))


def _distinct(cells: tuple[str, ...]) -> tuple[str, ...]:
    """Return names for columns: a number where one has none, and one behind it where it is there again.

    >>> _distinct(("", "x", "x", "x 2"))
    ('1', 'x', 'x 3', 'x 2')
    """
    written, found = set(cells), dict[str, None]()
    again: dict[str, int] = {}
    for place, cell in enumerate(cells, start=1):
        name = cell or str(place)
        while name in found or (name != cell and name in written):
            again[cell] = again.get(cell, 1) + 1
            name = f"{cell} {again[cell]}".strip()
        found[name] = None
    return tuple(found)


def number(cell: str) -> Decimal | None:
    """Return the number that a cell holds, None where it holds none: 12, -1.5, 1,234.50, 12,5, $3, 40%.

    >>> number("1,234.50"), number("12,5"), number("€ 3"), number("x"), number("")
    (Decimal('1234.50'), Decimal('12.5'), Decimal('3'), None, None)
    """
    text = cell.strip().strip("$€£¥%元 ").replace("\N{MINUS SIGN}", "-")
    if not text or len(text) > 60 or not any(c.isdigit() for c in text) or not text.isascii():
        return None
    if re.fullmatch(r"[+-]?\d+,\d+", text) and not re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", text):
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text):
        return None
    with suppress(InvalidOperation):
        return Decimal(text.replace(",", ""))
    return None


def plain(value: Decimal) -> str:
    """Return a number without needless zeros and, where that is not absurdly long, without an exponent.

    >>> plain(Decimal("12.50")), plain(Decimal("1E+3")), plain(Decimal("0.00"))
    ('12.5', '1000', '0')
    """
    if not value:
        return "0"
    shorter = value.normalize()
    return f"{shorter:f}" if -30 < shorter.adjusted() < 30 else str(shorter)
