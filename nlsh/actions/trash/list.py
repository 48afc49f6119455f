"""trash.list: what is in the trash, of the home folder and of other file systems."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from itertools import islice
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.records.trash import TrashedFile
from nlsh.world import World
from nlsh.world.files import tree_size, type_of
from nlsh.world.trash import bins, in_bins

_INFO = "[Trash Info]\nPath={}\nDeletionDate={}\n"


class List(Action):
    """List what is in the trash, what was thrown away last first."""

    name = "trash.list"
    effects = ("fs.read",)

    class Args(BaseArgs):
        limit = arg(Count(), "At most this many.", common=("1",))

    def look(self, args: Any, world: World) -> Any:
        return [list(pair) for pair in bins()]

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return tuple(Effect("fs.read", folder) for folder, _ in seen)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        there = (t for t in in_bins(tuple((folder, top) for folder, top in seen)) if t.identity)
        for item in islice(there, args.limit):
            size = tree_size(item.kept)[0] if stat.S_ISDIR(item.mode) else item.identity[3]
            yield TrashedFile(item.path or item.kept, item.deleted_at or None, size, type_of(item.mode), item.kept)

    examples = (
        Example(
            say=("what is in the trash", "show the trash", "list the things I threw away", "回收站里有什么"),
            plan="trash.list()",
            given={
                ".local/share/Trash/files/a.txt": "a", ".local/share/Trash/info/a.txt.trashinfo": _INFO.format("notes/a.txt", "2024-01-02T10:00:00"),
                ".local/share/Trash/files/b.2.txt": "b", ".local/share/Trash/info/b.2.txt.trashinfo": _INFO.format("b%20c.txt", "2024-05-06T10:00:00"),
            },
            result=(".local/share/b c.txt", ".local/share/notes/a.txt"),
        ),
        Example(
            say=("what did I throw away last", "the newest thing in the trash", "我最后删的是什么"),
            plan='trash.list(limit="1")',
            given={
                ".local/share/Trash/files/a.txt": "a", ".local/share/Trash/info/a.txt.trashinfo": _INFO.format("a.txt", "2024-01-02T10:00:00"),
                ".local/share/Trash/files/b.txt": "b", ".local/share/Trash/info/b.txt.trashinfo": _INFO.format("b.txt", "2024-05-06T10:00:00"),
            },
            result=(".local/share/b.txt",),
        ),
        Example(say=("is anything in the trash", "回收站是空的吗"), plan="trash.list()", given={"a": "a"}, result=()),
    )  # fmt: skip
