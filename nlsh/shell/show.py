"""How things look: records as a table, as plain lines or as JSON; sizes, times and names as a person reads them.

It owns `escape`, through which every name that comes from the machine or the model goes before it reaches a terminal. It decides nothing
and asks nothing. Tables are made here rather than by a library: importing one takes longer than a whole request.
"""

from __future__ import annotations

import os
import re
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, TextIO

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Change, Exit, Fact, File, FileInfo, HistoryEntry, Line, Match, Record, Size, Tally
from nlsh.plan.records.logs import LogEntry
from nlsh.plan.records.process import ProcessInfo
from nlsh.plan.records.text import Row
from nlsh.shell.fit import fold, grid, table

# Printable as Unicode says, and not to be seen: fillers, joiners, variation selectors, the blank of Braille.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SIZES = ("B", "KB", "MB", "GB", "TB", "PB")
# What a table shows of a record where that is not its plain columns.
_SHOWN: dict[type[Record], tuple[str, ...]] = {
    File: ("size_bytes", "modified_at", "path"),
    HistoryEntry: ("run", "at", "status", "undo", "request"),
    Size: ("size_bytes", "files", "path"),
}
_MOST_HEARD = 100  # characters of those columns on a plain terminal
_CUT = {"command", "options", "request"}  # columns that a narrow terminal cuts short; names and paths are never cut


def escape(text: str) -> str:
    """Return `text` with every control, bidirectional, invisible and undecodable character made visible.

    >>> escape("a" + chr(27) + "[2Jb" + chr(0x202e))
    'a\\\\x1b[2Jb\\\\u202e'
    """
    if text.isprintable() and not _BLANK.search(text):
        return text
    return "".join(c if (c.isprintable() or unicodedata.category(c) == "Zs") and not _BLANK.match(c) else _escaped(c) for c in text)


def _escaped(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def size(amount: float) -> str:
    """Return bytes as people write them, in powers of 1024.

    >>> size(0), size(1536), size(10 * 1024**3)
    ('0 B', '1.5 KB', '10 GB')
    """
    value = float(amount)
    for unit in _SIZES:
        if abs(value) < 1024 or unit == _SIZES[-1]:
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" or value >= 9.95 else f"{value:.1f} {unit}"


def moment(seconds: float) -> str:
    """Return seconds since the epoch as local date and time."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "?"


def iso_moment(seconds: float) -> str:
    """Return seconds since the epoch as local date and time in ISO 8601, with the offset from UTC: for what other programs read."""
    try:
        text = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "?"
    return f"{text[:-2]}:{text[-2:]}"


def count(number: int, noun: str) -> str:
    """Return "1 file", "2 files"."""
    if number == 1:
        return f"1 {noun}"
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "es" if noun.endswith("s") else noun + "s"
    return f"{number:,} {plural}"


def place(path: str, *, cwd: str | None = None) -> str:
    """Return a path as short as it stays clear: below the working directory, below `~`, or whole; escaped."""
    home = os.path.expanduser("~")
    if cwd is not None and path.startswith(cwd.rstrip("/") + "/") and cwd != "/":
        path = path[len(cwd.rstrip("/")) + 1 :]
    elif path == home or path.startswith(home.rstrip("/") + "/"):
        path = "~" + path[len(home.rstrip("/")) :]
    return escape_name(path)


def here() -> str:
    """Return the working directory, or where it was where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return os.environ.get("PWD", "?")


def escape_name(text: str) -> str:
    """Return `text` as `escape` does, with spaces in a row made visible: a name that fills a line must not begin one of its own.

    >>> escape_name("a b" + 3 * " " + "c")
    'a b\\\\x20\\\\x20\\\\x20c'
    """
    return re.sub(r"[^\S\n]{3,}", lambda m: "".join(f"\\x{ord(c):02x}" if ord(c) < 0x100 else f"\\u{ord(c):04x}" for c in m[0]), escape(text))


@frozen(slots=False)
class Look:
    """How this process shows things. `color` and `table` are for stdout; `color_err` and `prose_columns` (0: it is not folded) are for stderr."""

    json: bool = False
    null: bool = False
    table: bool = False
    color: bool = False
    color_err: bool = False
    columns: int = 80
    prose_columns: int = 0

    @classmethod
    def of(cls, *, json: bool = False, null: bool = False, plain: bool = False, color: str = "auto") -> Look:
        """Return the look that flags, NO_COLOR, TERM and the streams call for."""
        terminal = _is_terminal(sys.stdout)
        return cls(
            json,
            null and not json,
            terminal and not plain and not json and not null,
            _wants_color(color, terminal, plain),
            _wants_color(color, _is_terminal(sys.stderr), plain),
            _columns(sys.stdout) or 80,
            0 if plain or os.environ.get("TERM") in ("dumb", "") else _columns(sys.stderr),
        )

    def resized(self) -> Look:
        """Return the look for the terminal as wide as it is now."""
        return replace(self, columns=_columns(sys.stdout) or self.columns, prose_columns=self.prose_columns and (_columns(sys.stderr) or self.prose_columns))

    def prose(self, text: str, style: str = "", *, inset: int | None = None) -> str:
        """Return a line of stderr in a style, broken between words where it is longer than the terminal is wide; `inset` as in `fold`."""
        folded = fold(text, self.prose_columns, inset)
        return self.paint(folded, style) if style else folded

    def dim(self, text: str) -> str:
        """Return `text` for stdout as what stands above a table."""
        return self.paint(text, "dim", err=False)

    def paint(self, text: str, style: str, *, err: bool = True) -> str:
        """Return `text` in a style (bold, dim, red, green, yellow, cyan) where colour is on."""
        if not (self.color_err if err else self.color):
            return text
        code = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}[style]
        return f"\x1b[{code}m{text}\x1b[0m"


def _columns(stream: TextIO | None) -> int:
    """Return how wide the terminal of a stream is, 0 where it is none."""
    if stream is None or not _is_terminal(stream):
        return 0
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def _wants_color(asked: str, terminal: bool, plain: bool) -> bool:
    if asked in ("always", "never"):
        return asked == "always"
    return terminal and not plain and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in ("dumb", "")


def show_records(records: Iterable[Record], look: Look, out: TextIO | None = None, *, cwd: str | None = None) -> None:
    """Write results to stdout: JSON lines, a table for each kind on a terminal, or plain tab-separated lines."""
    stream = sys.stdout if out is None else out
    if look.json:
        import json

        for record in records:
            stream.write(json.dumps(record.as_data()) + "\n")
    elif look.null:
        for record in records:
            if not isinstance(record, Exit):
                stream.write(str(getattr(record, "path", "") or plain_line(record)) + "\0")
    elif look.table:
        for kind, group in groupby(records, type):
            for line in _table(kind, list(group), look, cwd):
                stream.write(line + "\n")
    else:
        # Whole on a pipe; who hears it read out on a plain terminal is spared what a program was started with, page by page.
        shorter = _is_terminal(stream)
        for record in records:
            if not isinstance(record, Exit):
                stream.write(plain_line(record, cut=_MOST_HEARD if shorter else 0) + "\n")


def show_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], look: Look, *, data: list[dict[str, Any]]) -> None:
    """Write rows that are no records to stdout: `data` as JSON lines, a table on a terminal, or tab-separated lines."""
    if look.json:
        import json

        for item in data:
            sys.stdout.write(json.dumps(item) + "\n")
    elif look.table:
        for line in table([tuple(escape(cell) for cell in row) for row in rows], heads, look.columns, look.dim):
            sys.stdout.write(line + "\n")
    else:
        for row in rows:
            sys.stdout.write("\t".join(escape_on_pipe(cell) for cell in row) + "\n")


def plain_line(record: Record, cut: int = 0) -> str:
    """Return a record's line for a pipe. One record is one line: control characters in names are escaped, a file's own text is not.

    `cut`: so many characters of a command are enough.
    """
    cells = [_raw(c, getattr(record, c), of_a_file=not isinstance(record, LogEntry)) for c in record.columns]
    if isinstance(record, HistoryEntry):
        cells[record.columns.index("at")] = iso_moment(record.at)
    return "\t".join(f"{cell[: cut - 1]}…" if cut and column in _CUT and len(cell) > cut else cell for column, cell in zip(record.columns, cells, strict=True))


def _raw(field: str, value: Any, *, of_a_file: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.1f}"
    # What anybody may write into a log is no file of the user's: a line end in it would begin an entry that nobody has written.
    return str(value) if field == "text" and of_a_file else escape_on_pipe(str(value))


def escape_on_pipe(text: str) -> str:
    """Return `text` for a pipe: as `escape`, but the bytes of a name that is not UTF-8 stay, so that `xargs` finds the file."""
    if text.isprintable():
        return text
    return "".join(c if "\udc80" <= c <= "\udcff" else escape(c) for c in text)


def _table(kind: type[Record], records: list[Record], look: Look, cwd: str | None) -> Iterator[str]:
    if kind is Exit:
        return
    if kind is Line:
        yield from (_text(r.text) for r in records)  # type: ignore[attr-defined]
    elif kind is Change:
        yield from (escape(r.what) for r in records)  # type: ignore[attr-defined]
    elif kind is Match:
        for r in records:
            yield f"{look.paint(place(r.path, cwd=cwd), 'cyan', err=False)}:{r.number}: {_text(r.text).strip()}"  # type: ignore[attr-defined]
    elif kind is Tally:
        yield from (f"{escape(r.of)}: {r.count:,}" for r in records)  # type: ignore[attr-defined]
    elif kind is Fact:
        yield from table([(escape(r.name), escape(r.value)) for r in records], None, look.columns, look.dim)  # type: ignore[attr-defined]
    elif kind is Row:
        for (names, _), rows in groupby(records, lambda r: (r.names, len(r.cells))):  # type: ignore[attr-defined]
            lines = [tuple(escape(c) for c in r.cells) for r in rows]  # type: ignore[attr-defined]
            yield from grid(lines, tuple(escape(n) for n in names) or None, look.dim)
    elif kind.__name__ == "Course":  # its module is not imported for every other result
        from nlsh.shell.plot import plot

        for r in records:
            yield from plot(r, look.columns, 10 if len(records) == 1 else 4)  # type: ignore[arg-type]
    elif kind in (FileInfo, ProcessInfo):
        for r in records:
            yield from table([(_head(k), cell) for k, v in r.as_data().items() if k != "record" and (cell := _cell(k, v, cwd))], None, look.columns, look.dim)
    else:
        columns = _SHOWN.get(kind, kind.columns)
        lines = [tuple(_cell(c, getattr(r, c), cwd) for c in columns) for r in records]
        room = look.columns if _CUT.intersection(columns[-1:]) else 0
        yield from grid(lines, tuple(_head(c) for c in columns) if kind.heads else None, look.dim, room)


def _text(text: str) -> str:
    """Return a line of a file for a terminal: tabs stay, everything else that could move the cursor is made visible."""
    return "\t".join(escape(part) for part in text.split("\t"))


def _head(field: str) -> str:
    for ending, shown in (("_bytes_per_s", ""), ("_per_s", "/s"), ("_bytes", ""), ("_percent", " %"), ("_at", "")):
        if field.endswith(ending):
            return field.removesuffix(ending) + shown
    return field


def _cell(field: str, value: Any, cwd: str | None) -> str:
    if value is None or value == "":
        return ""
    if field.endswith("_bytes"):
        return size(value)
    if field.endswith("_bytes_per_s"):
        return f"{size(value)}/s"
    if field == "at" or field.endswith("_at"):
        return moment(value)
    if field == "mode":
        import stat

        return f"{stat.S_IMODE(value):04o}"
    if field in ("path", "same_as", "mount"):
        return place(str(value), cwd=cwd if field != "mount" else None)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if field == "used_percent":
        return f"{value:5.1f} {bar(value / 100)}"
    if isinstance(value, float):
        return f"{value:.1f}"
    return escape(str(value))


def bar(share: float, room: int = 10) -> str:
    """Return a share, 0 to 1, as a bar of so many columns.

    >>> bar(0.55)
    '█████▌····'
    """
    eighths = round(max(0.0, min(1.0, share)) * room * 8)
    whole, part = divmod(eighths, 8)
    return ("█" * whole + ("▏▎▍▌▋▊▉"[part - 1] if part else "")).ljust(room, "·")
