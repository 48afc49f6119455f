"""result.filter: only a part of what was found before."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nlsh.actions.result import _rows
from nlsh.actions.result._rows import OnResult
from nlsh.plan.action import ABSENT, BaseArgs, Example, arg
from nlsh.plan.amounts import Age, Bytes
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Change, Record, record_from_data
from nlsh.plan.values import Choice, Kind, Result, Text
from nlsh.steps import handles
from nlsh.world import World

_FILES = {"a.txt": {"text": "aaa", "age": "1d"}, "b.log": {"size": "2MB", "age": "20d"}, "c.txt": {"text": "cc", "age": "30d"}}
_OF_FILES = frozenset(("path", "entry", "what"))  # a row with one of these columns stands for the file that its path names
_BESIDE_A_PATH = frozenset(("name", "value", "text", "title", "process"))  # what such a row says besides, in words of somebody's choosing
_PORTS = frozenset(("port", "local_port", "remote_port"))  # numbers that are names: only all of one is one


class Filter(OnResult):
    """Keep only a part of a result."""

    name = "result.filter"
    effects = ("fs.read",)  # of the files whose text is asked for; else nothing is read again

    class Args(BaseArgs):
        what = arg(Result(), "the result of an earlier call", required=True)
        containing = arg(Text(), "With this text: files in their name, processes in name or command, other rows in any words of theirs.")
        without = arg(Text(), "Without this text, looked for in the same places.")
        where = arg(Choice("name", "lines"), "Where these two look: in what a row is called, or in the lines of the files themselves.", default="name")
        kind = arg(Kind(), "Files of this kind.")
        larger = arg(Bytes(), "Larger than this.")
        smaller = arg(Bytes(), "Smaller than this.")
        newer = arg(Age(), "Changed within this time.")
        older = arg(Age(), "Not changed for this time.")
        need_one_of = ("containing", "without", "kind", "larger", "smaller", "newer", "older")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        """Return the rows that are left, as data, and of which of their files the text decides still. Raises NotFound and NotPossible."""
        rows = super().look(args, world)
        if not _is_about_lines(args):
            return {"rows": rows, "reads": []}
        of_files = [row for row in rows if _is_file(row)]
        if rows and not of_files:
            raise NotPossible("These are no files whose text could be read.", hint='Nothing was changed. Without where="lines", their names are looked at.')
        for row in of_files:
            row["path"] = os.path.join(world.cwd, row["path"])
        # A folder holds no lines, with the text or without it.
        found = [row for row in of_files if os.path.isfile(row["path"]) and not os.path.islink(row["path"])]
        return {"rows": found, "reads": list(dict.fromkeys(os.path.realpath(row["path"]) for row in found))}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return tuple(Effect("fs.read", path) for path in seen["reads"])

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        rows = (record_from_data(row) for row in seen["rows"])
        return _by_lines(args, rows, len(seen["rows"])) if _is_about_lines(args) else rows

    def pick(self, args: Any, rows: Sequence[Record], world: World) -> Sequence[Record]:
        left = list(rows)
        by_name = not _is_about_lines(args)
        if args.containing and by_name:
            left = [r for r in left if _holds(r, args.containing, world)]
        if args.without and by_name:
            left = [r for r in left if not _holds(r, args.without, world)]
        if args.kind:
            endings = tuple("." + e for e in args.kind)
            left = [r for r in left if _rows.label(r).lower().endswith(endings)]
        for limit, above in ((args.larger, True), (args.smaller, False)):
            if limit is not None:
                if all(_rows.size(r) is None for r in rows):
                    raise _rows.without("sizes", rows)
                left = [r for r in left if (s := _rows.size(r)) is not None and (s > limit if above else s < limit)]
        for span, after in ((args.newer, True), (args.older, False)):
            if span is not None:
                if all(_rows.moment(r) is None for r in rows):
                    raise _rows.without("times", rows)
                border = time.time() - span
                left = [r for r in left if (m := _rows.moment(r)) is not None and (m >= border) == after]
        return left

    examples = (
        Example(
            say=("only the text files", "of those, just the txt files", "只要其中的文本文件"),
            plan='a = file.list(); result.filter(a, kind="txt files")',
            given=_FILES,
            result=("a.txt", "c.txt"),
        ),
        Example(
            say=("which of these are bigger than 1MB", "only those over 1MB", "其中大于1MB的"),
            plan='a = file.list(); result.filter(a, larger="1MB")',
            given=_FILES,
            result=("b.log",),
        ),
        Example(
            say=("throw away the ones older than two weeks", "of the files here, trash what is older than two weeks", "把其中两周前的删掉"),
            plan='a = file.list(); b = result.filter(a, older="two weeks"); file.trash(b)',
            given=_FILES,
            after={"a.txt": "aaa", "b.log": ABSENT, "c.txt": ABSENT},
        ),
        Example(
            say=("only the ones with c. in the name", "those that have c. in them", "名字里有c.的那些"),
            plan='a = file.list(); result.filter(a, containing="c.")',
            given=_FILES,
            result=("c.txt",),
        ),
        Example(
            say=(
                "of the text files here, those whose text says milk",
                "list the txt files and keep the ones with milk in their text",
                "文本文件里正文提到milk的",
            ),
            plan='a = file.find(kind="txt"); result.filter(a, containing="milk", where="lines")',
            given={"milk.txt": "bread", "b.txt": "buy milk", "c.log": "milk"},
            result=("b.txt",),
        ),
        Example(
            say=("delete those that are older than ten years", "trash whatever of it is more than ten years old", "删掉其中十年以前的"),
            plan='a = file.list(); b = result.filter(a, older="10 years"); file.trash(b)',
            given=_FILES,
            refused="plan.nothing-found",
        ),
    )


def _is_about_lines(args: Any) -> bool:
    return args.where == "lines" and bool(args.containing or args.without)


def _is_file(row: dict[str, Any]) -> bool:
    """Return whether a row stands for a file here, rather than for a line of one or for what is in an archive."""
    record = record_from_data(row)
    return record.on_disk and "text" not in record.columns and _path(record) is not None


def _by_lines(args: Any, rows: Iterable[Record], number: int) -> Iterator[Record]:
    """Yield the rows whose files have the texts that are asked for, and none of those that are not; then what could not be read: it is in neither."""
    from nlsh.actions.file import _search
    from nlsh.world.contents import Within

    unread: Counter[str] = Counter()
    skipped: list[str] = []
    wanted = [
        (Within(text, unread, asked=True, opening=handles.checkpoint), is_wanted)
        for text, is_wanted in ((args.containing, True), (args.without, False))
        if text
    ]
    for done, row in enumerate(rows, start=1):
        path = str(row.path)  # type: ignore[attr-defined]
        before = unread.total()
        try:
            fits = all(within.holds(path) == is_wanted for within, is_wanted in wanted)
        except OSError:
            skipped.append(path)
            continue
        # That a text was not found in what cannot be read says nothing.
        if fits and (unread.total() == before or not args.without):
            yield row
        handles.progress(done, number)
    yield from _search.left_out(skipped)
    yield from _search.unopened(unread, asked=True)


def _holds(record: Record, text: str, world: World) -> bool:
    """Return whether a row has a text, in capitals or not, where people look for it: in what it is called, not in its numbers nor in whose it is."""
    wanted = text.casefold()
    path = _path(record)
    if path is not None and "/" in text:
        shown = "/" + _shown(path, world).lstrip("/")
        return wanted in shown.casefold() or path.startswith(os.path.join(os.path.expanduser(text), ""))
    if any(wanted in value.casefold() for value in _words(record, path)):
        return True
    return any(str(getattr(record, c)) == text.strip() for c in record.columns if c in _PORTS)


def _path(record: Record) -> str | None:
    """Return the path of a row that stands for a file, or None."""
    path: str | None = getattr(record, "path", None)
    if not path or _OF_FILES.isdisjoint(record.columns):
        return None
    # What was done to a process has its number there.
    return None if isinstance(record, Change) and not path.startswith("/") else path


def _words(record: Record, path: str | None) -> Iterator[str]:
    """Yield the texts by which a row is known."""
    columns: Iterable[str] = record.columns
    if path is not None:
        # Not the folders that it lies in: each file in invoices would be called so.
        yield os.path.basename(path.rstrip("/"))
        columns = (c for c in columns if c in _BESIDE_A_PATH)
    elif columns and record.columns[0] == "pid":
        columns = ("name", "command")
    else:
        columns = (c for n, c in enumerate(columns) if n == 0 or c not in ("user", "owner"))
    for column in columns:
        value = getattr(record, column, None)
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            yield from (v for v in value if isinstance(v, str))


def _shown(path: str, world: World) -> str:
    """Return what is shown of a path: nothing that lies above the folder somebody is in, or above their home."""
    for folder in (world.cwd, world.home):
        above = folder.rstrip("/") + "/"
        if len(above) > 1 and path.startswith(above):
            return path[len(above) :]
    return path
