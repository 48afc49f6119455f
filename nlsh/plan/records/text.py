"""Records of what is in texts and tables."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record

_BLANK = dict.fromkeys(map(ord, "\t\n\r\v\f\x85\u2028\u2029"), " ")


@frozen()
class Occurrence(Record):
    """A word, line or character, and how often it occurs."""

    text: str
    count: int
    columns: ClassVar = ("text", "count")


@frozen()
class TextInfo(Record):
    """What kind of text a file is. `line_endings` is unix, windows, mac, mixed or none; `language` is empty where it cannot be told."""

    path: str
    encoding: str
    line_endings: str
    language: str = ""
    columns: ClassVar = ("path", "encoding", "line_endings", "language")


@frozen()
class Row(Record):
    """A row of a table: its cells under `names` (empty where the table has none), and as `text`, one line, separated by tabs."""

    text: str
    number: int
    cells: tuple[str, ...]
    names: tuple[str, ...] = ()
    columns: ClassVar = ("text",)

    @classmethod
    def of(cls, number: int, cells: tuple[str, ...], names: tuple[str, ...] = ()) -> Row:
        """Return the row; in its text, what would begin a cell or a line of its own is a blank."""
        return cls("\t".join(c.translate(_BLANK) for c in cells), number, cells, names)


@frozen()
class Statistic(Record):
    """What the numbers of a column come to, as exact decimal numbers; `others` counts the cells that hold something else."""

    column: str
    count: int
    sum: str
    mean: str
    least: str
    greatest: str
    others: int = 0
    columns: ClassVar = ("column", "count", "sum", "mean", "least", "greatest")


@frozen()
class Checked(Record):
    """Whether a file is well formed, and if not, what is wrong in which line (0: not known)."""

    path: str
    valid: bool
    format: str
    line: int = 0
    problem: str = ""
    columns: ClassVar = ("path", "format", "valid", "line", "problem")


@frozen()
class GroupStatistic(Record):
    """The rows of a table that have one value in a column: how many, and what the numbers of another column come to in them, where one was named."""

    group: str
    count: int
    sum: str = ""
    mean: str = ""
    least: str = ""
    greatest: str = ""
    others: int = 0
    columns: ClassVar = ("group", "count", "sum", "mean", "least", "greatest")
