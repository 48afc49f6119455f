"""result.filter: only a part of what was found before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from nlsh.actions.result import _rows
from nlsh.actions.result._rows import OnResult
from nlsh.plan.action import ABSENT, BaseArgs, Example, arg
from nlsh.plan.amounts import Age, Bytes
from nlsh.plan.records import Record
from nlsh.plan.values import Kind, Result, Text
from nlsh.world import World

_FILES = {"a.txt": {"text": "aaa", "age": "1d"}, "b.log": {"size": "2MB", "age": "20d"}, "c.txt": {"text": "cc", "age": "30d"}}


class Filter(OnResult):
    """Keep only a part of a result."""

    name = "result.filter"

    class Args(BaseArgs):
        what = arg(Result(), "the result of an earlier call", required=True)
        containing = arg(Text(), "Rows that hold this text.")
        without = arg(Text(), "Rows that do not hold this text.")
        kind = arg(Kind(), "Files of this kind.")
        larger = arg(Bytes(), "Larger than this.")
        smaller = arg(Bytes(), "Smaller than this.")
        newer = arg(Age(), "Changed within this time.")
        older = arg(Age(), "Not changed for this time.")
        need_one_of = ("containing", "without", "kind", "larger", "smaller", "newer", "older")

    def pick(self, args: Any, rows: Sequence[Record], world: World) -> Sequence[Record]:
        left = list(rows)
        if args.containing:
            left = [r for r in left if _holds(r, args.containing, world)]
        if args.without:
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
            say=("delete those that are older than ten years", "trash whatever of it is more than ten years old", "删掉其中十年以前的"),
            plan='a = file.list(); b = result.filter(a, older="10 years"); file.trash(b)',
            given=_FILES,
            refused="plan.nothing-found",
        ),
    )


def _holds(record: Record, text: str, world: World) -> bool:
    wanted = text.casefold()
    shown = (_seen(record, c, world) for c in dict.fromkeys(("path", "name", "command", *record.columns)) if hasattr(record, c))
    return any(wanted in value.casefold() for value in shown)


def _seen(record: Record, column: str, world: World) -> str:
    """Return what a row shows: of a path, nothing that lies above the folder somebody is in, or above their home."""
    value = str(getattr(record, column))
    for folder in (world.cwd, world.home) if column == "path" else ():
        above = folder.rstrip("/") + "/"
        if len(above) > 1 and value.startswith(above):
            return value[len(above) :]
    return value
