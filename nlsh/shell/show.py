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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, TextIO

from nlsh.plan.records import Change, Exit, Fact, File, FileInfo, HistoryEntry, Line, Match, Record, Size, Tally
from nlsh.plan.records.logs import LogEntry
from nlsh.plan.records.process import ProcessInfo
from nlsh.plan.records.text import Row

# Printable as Unicode says, and not to be seen: fillers, joiners, variation selectors, the blank of Braille.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SIZES = ("B", "KB", "MB", "GB", "TB", "PB")
# What a table shows of a record where that is not its plain columns.
_SHOWN: dict[type[Record], tuple[str, ...]] = {
    File: ("size_bytes", "modified_at", "path"),
    HistoryEntry: ("run", "at", "status", "request", "undo"),
    Size: ("size_bytes", "files", "path"),
}
_CUT = {"command", "options", "undo"}  # columns that a narrow terminal cuts short; names and paths are never cut


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


def width(text: str) -> int:
    """Return how many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@dataclass(frozen=True)
class Look:
    """How this process shows things. `color` and `table` are for stdout; `color_err` is for previews and questions."""

    json: bool = False
    null: bool = False
    table: bool = False
    color: bool = False
    color_err: bool = False
    columns: int = 80

    @classmethod
    def of(cls, *, json: bool = False, null: bool = False, plain: bool = False, color: str = "auto") -> Look:
        """Return the look that flags, NO_COLOR, TERM and the streams call for."""
        terminal = _is_terminal(sys.stdout)
        columns = 80
        if terminal:
            try:
                columns = os.get_terminal_size(sys.stdout.fileno()).columns or 80
            except OSError:
                columns = 80
        return cls(
            json,
            null and not json,
            terminal and not plain and not json and not null,
            _wants_color(color, terminal, plain),
            _wants_color(color, _is_terminal(sys.stderr), plain),
            columns,
        )

    def resized(self) -> Look:
        """Return the look for the terminal as wide as it is now."""
        if not _is_terminal(sys.stdout):
            return self
        try:
            return replace(self, columns=os.get_terminal_size(sys.stdout.fileno()).columns or self.columns)
        except OSError:
            return self

    def paint(self, text: str, style: str, *, err: bool = True) -> str:
        """Return `text` in a style (bold, dim, red, green, yellow, cyan) where colour is on."""
        if not (self.color_err if err else self.color):
            return text
        code = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}[style]
        return f"\x1b[{code}m{text}\x1b[0m"


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
        for record in records:
            if not isinstance(record, Exit):
                stream.write(plain_line(record) + "\n")


def show_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], look: Look, *, data: list[dict[str, Any]]) -> None:
    """Write rows that are no records to stdout: `data` as JSON lines, a table on a terminal, or tab-separated lines."""
    if look.json:
        import json

        for item in data:
            sys.stdout.write(json.dumps(item) + "\n")
    elif look.table:
        for line in _grid([tuple(escape(cell) for cell in row) for row in rows], look, heads=heads):
            sys.stdout.write(line + "\n")
    else:
        for row in rows:
            sys.stdout.write("\t".join(escape_on_pipe(cell) for cell in row) + "\n")


def plain_line(record: Record) -> str:
    """Return a record's line for a pipe. One record is one line: control characters in names are escaped, a file's own text is not."""
    return "\t".join(_raw(c, getattr(record, c), of_a_file=not isinstance(record, LogEntry)) for c in record.columns)


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
        yield from _grid([(escape(r.name), escape(r.value)) for r in records], look, heads=None)  # type: ignore[attr-defined]
    elif kind is Row:
        for (names, _), rows in groupby(records, lambda r: (r.names, len(r.cells))):  # type: ignore[attr-defined]
            yield from _grid([tuple(escape(c) for c in r.cells) for r in rows], look, heads=tuple(escape(n) for n in names) or None)  # type: ignore[attr-defined]
    elif kind.__name__ == "Course":  # its module is not imported for every other result
        from nlsh.shell.plot import plot

        for r in records:
            yield from plot(r, look.columns, 10 if len(records) == 1 else 4)  # type: ignore[arg-type]
    elif kind in (FileInfo, ProcessInfo):
        for r in records:
            yield from _grid([(_head(k), cell) for k, v in r.as_data().items() if k != "record" and (cell := _cell(k, v, cwd))], look, heads=None)
    else:
        columns = _SHOWN.get(kind, kind.columns)
        lines = [tuple(_cell(c, getattr(r, c), cwd) for c in columns) for r in records]
        yield from _grid(lines, look, heads=tuple(_head(c) for c in columns) if kind.heads else None, columns=columns)


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
    if field in ("path", "mount"):
        return place(str(value), cwd=cwd if field == "path" else None)
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


def _grid(rows: Sequence[tuple[str, ...]], look: Look, *, heads: tuple[str, ...] | None, columns: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield aligned lines: numbers to the right, text to the left, columns that may be cut to what is left of the terminal."""
    if not rows:
        return
    every = [heads, *rows] if heads else rows
    widths = [max(width(r[i]) for r in every) for i in range(len(rows[0]))]
    numeric = [heads is not None and all(r[i] == "" or r[i][0].isdigit() or r[i][0] == "-" for r in rows) for i in range(len(widths))]
    pads = [_right if n else _left for n in numeric]
    if columns and columns[-1] in _CUT:
        widths[-1] = max(10, min(widths[-1], look.columns - sum(widths[:-1]) - 2 * (len(widths) - 1)))
    if heads:
        yield look.paint(_join(heads, widths, pads), "dim", err=False)
    for row in rows:
        yield _join(row, widths, pads)


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
