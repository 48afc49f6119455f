"""result.take: the first or last few of what was found before, or one of them by its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nlsh.actions.result._rows import OnResult
from nlsh.plan.action import ABSENT, BaseArgs, Example, arg
from nlsh.plan.amounts import Count, Nth
from nlsh.plan.errors import NotFound
from nlsh.plan.records import Record
from nlsh.plan.values import Result
from nlsh.world import World

_FILES = {"a.txt": {"text": "aaa", "age": "1d"}, "b.txt": {"text": "b", "age": "2d"}, "c.txt": {"text": "cc", "age": "3d"}}


class Take(OnResult):
    """Take the first or last few of a result."""

    name = "result.take"

    class Args(BaseArgs):
        what = arg(Result(), "the result of an earlier call", required=True)
        first = arg(Count(), "The first so many.", common=("1",))
        last = arg(Count(), "The last so many.", common=("1",))
        nth = arg(Nth(), "Only the one at this place.")
        need_one_of = ("first", "last", "nth")

    def pick(self, args: Any, rows: Sequence[Record], world: World) -> Sequence[Record]:
        if args.nth is not None:
            if args.nth > len(rows):
                raise NotFound(f"There is no number {args.nth}: the result has {len(rows)}.", hint="Nothing was changed.")
            return rows[args.nth - 1 : args.nth]
        return rows[: args.first] if args.first is not None else rows[-args.last :]

    examples = (
        Example(
            say=("only the first two", "just show the top two of them", "只要前两个"),
            plan='a = file.list(); result.take(a, first="2")',
            given=_FILES,
            result=("a.txt", "b.txt"),
        ),
        Example(
            say=("list the files here and delete the last one", "show what's here, then bin the last", "列出这里的文件，然后删掉最后一个"),
            plan='a = file.list(); b = result.take(a, last="1"); file.trash(b)',
            given=_FILES,
            after={"c.txt": ABSENT, "a.txt": "aaa"},
        ),
        Example(
            say=("the second one", "number two of those", "第二个"),
            plan='a = file.list(sort="newest"); result.take(a, nth="2")',
            given=_FILES,
            result=("b.txt",),
        ),
        Example(
            say=("show me number nine of these", "the ninth of them", "第九个"),
            plan='a = file.list(); result.take(a, nth="9")',
            given=_FILES,
            refused="world.not-found",
        ),
    )
