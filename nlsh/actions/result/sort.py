"""result.sort: what was found before in another order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nlsh.actions.result import _rows
from nlsh.actions.result._rows import OnResult
from nlsh.plan.action import BaseArgs, Example, arg
from nlsh.plan.records import Record
from nlsh.plan.values import Choice, Result
from nlsh.world import World

_FILES = {"a.txt": {"text": "aaa", "age": "1d"}, "b.txt": {"text": "b", "age": "2d"}, "c.txt": {"text": "cc", "age": "3d"}}
# order: (what of a row, its name in a message, whether the largest comes first)
_ORDERS: dict[str, tuple[Callable[[Record], Any], str, bool]] = {
    "name": (lambda r: _rows.label(r).casefold(), "a name", False),
    "largest": (_rows.size, "sizes", True),
    "smallest": (_rows.size, "sizes", False),
    "newest": (_rows.moment, "times", True),
    "oldest": (_rows.moment, "times", False),
    "memory": (lambda r: getattr(r, "memory_bytes", None), "memory", True),
    "cpu": (lambda r: getattr(r, "cpu_percent", None), "CPU use", True),
}


class Sort(OnResult):
    """Put a result in another order."""

    name = "result.sort"

    class Args(BaseArgs):
        what = arg(Result(), "the result of an earlier call", required=True)
        by = arg(Choice("name", "largest", "smallest", "newest", "oldest", "memory", "cpu"), "In which order.", required=True)

    def is_ordered(self, args: Any) -> bool:
        return True

    def pick(self, args: Any, rows: Sequence[Record], world: World) -> Sequence[Record]:
        key, what, largest_first = _ORDERS[args.by]
        known = [r for r in rows if key(r) is not None]
        if not known:
            raise _rows.without(what, rows)
        return sorted(known, key=key, reverse=largest_first) + [r for r in rows if key(r) is None]

    examples = (
        Example(
            say=("sort them by size", "biggest first please", "the largest at the top", "按大小排"),
            plan='a = file.list(); result.sort(a, by="largest")',
            given=_FILES,
            result=("a.txt", "c.txt", "b.txt"),
        ),
        Example(
            say=("oldest first", "order those from old to new", "按时间从旧到新排"),
            plan='a = file.list(); result.sort(a, by="oldest")',
            given=_FILES,
            result=("c.txt", "b.txt", "a.txt"),
        ),
        Example(
            say=("sort these files by cpu use", "order them by processor load", "把这些按CPU排序"),
            plan='a = file.list(); result.sort(a, by="cpu")',
            given=_FILES,
            refused="world.not-possible",
        ),
    )
