"""result.group: a result counted by kind, folder, owner, name or day."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from nlsh.actions.result import _rows
from nlsh.actions.result._rows import OnResult
from nlsh.plan.action import BaseArgs, Example, arg
from nlsh.plan.kinds import KINDS
from nlsh.plan.records import Record
from nlsh.plan.records.result import Grouped
from nlsh.plan.values import Choice, Result
from nlsh.world import World

_FILES = {"a.txt": "aaa", "b.txt": "b", "pics/c.jpg": "cc", "pics/d.png": "d", "pics/e.PNG": "e"}


class Group(OnResult):
    """Count a result by kind, folder, owner or name."""

    name = "result.group"

    class Args(BaseArgs):
        what = arg(Result(), "the result of an earlier call", required=True)
        by = arg(Choice("kind", "folder", "owner", "name", "day"), "By what.", required=True)

    def pick(self, args: Any, rows: Sequence[Record], world: World) -> Iterator[Record]:
        groups: dict[str, list[Record]] = {}
        for row in rows:
            groups.setdefault(_key(row, args.by, rows), []).append(row)
        for name, members in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0])):
            sizes = [s for m in members if (s := _rows.size(m)) is not None]
            yield Grouped(name, len(members), sum(sizes) if sizes else None)

    examples = (
        Example(
            say=("group them by type", "how many of each kind are there", "按类型分组"),
            plan='a = file.find(); result.group(a, by="kind")',
            given=_FILES,
            result=("image", "text"),
        ),
        Example(
            say=("how many are in each folder", "count them per folder", "按文件夹统计数量"),
            plan='a = file.find(); result.group(a, by="folder")',
            given=_FILES,
            result=("pics", None),
        ),
        Example(
            say=("group the text matches by day", "count the lines of a.txt per day", "把这些行按天分组"),
            plan='a = text.search("aaa"); result.group(a, by="day")',
            given=_FILES,
            refused="world.not-possible",
        ),
    )


def _key(row: Record, by: str, rows: Sequence[Record]) -> str:
    if by == "folder":
        return os.path.dirname(_rows.label(row)) or "."
    if by == "owner":
        return _rows.owner(row) or "?"
    if by == "day":
        moment = _rows.moment(row)
        if moment is None:
            raise _rows.without("times", rows)
        return time.strftime("%Y-%m-%d", time.localtime(moment))
    if by == "name":
        return os.path.basename(_rows.label(row))
    if getattr(row, "type", "file") in ("folder", "link"):
        return str(row.type)  # type: ignore[attr-defined]
    ending = os.path.splitext(_rows.label(row))[1].lstrip(".").lower()
    return next((k for k, (endings, _) in KINDS.items() if ending in endings and k not in ("document", "code", "data")), ending or "no ending")
