"""result.count: how many rows a result has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nlsh.actions.result._rows import OnResult
from nlsh.plan.action import BaseArgs, Example, arg
from nlsh.plan.records import File, Process, Record, Tally
from nlsh.plan.values import Result
from nlsh.world import World


class Count(OnResult):
    """Count the rows of a result."""

    name = "result.count"

    class Args(BaseArgs):
        what = arg(Result(), "the result of an earlier call", required=True)

    def pick(self, args: Any, rows: Sequence[Record], world: World) -> Iterator[Record]:
        kind = type(rows[0])
        of = "files" if kind is File else "processes" if kind is Process else "rows"
        yield Tally(len(rows), of)

    examples = (
        Example(
            say=("how many are those", "count them", "how many did you find?", "一共有多少个"),
            plan='a = file.find(kind="txt"); result.count(a)',
            given={"a.txt": "a", "b.txt": "b", "c.log": "c"},
            result=(2,),
        ),
        Example(
            say=("how many pdfs did you find here", "count the pdfs that turn up", "找到了多少个pdf"),
            plan='a = file.find(kind="pdf"); result.count(a)',
            given={"a.txt": "a"},
            refused="plan.nothing-found",
        ),
    )
