"""trash.empty: what is in the trash, gone for good."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import ABSENT, Action, BaseArgs, Example, Never, arg
from nlsh.plan.amounts import Age
from nlsh.plan.errors import NotFound
from nlsh.plan.steps import Step
from nlsh.steps.trash import DeleteTrashed
from nlsh.world import World
from nlsh.world.trash import all_trashed

_INFO = "[Trash Info]\nPath={}\nDeletionDate={}\n"


class Empty(Action):
    """Delete what is in the trash for good."""

    name = "trash.empty"
    effects = ("fs.read", "fs.delete", "fs.meta")
    undo = Never("what is deleted from the trash is not kept anywhere, and old versions that undo would bring back lie there, too")

    class Args(BaseArgs):
        older = arg(Age(), "Only what was thrown away longer ago than this.")

    def look(self, args: Any, world: World) -> Any:
        there = all_trashed()
        if not there:
            raise NotFound("The trash is empty.", hint="Nothing was changed.")
        # What nobody knows the age of is not taken for old.
        before = None if args.older is None else world.now() - args.older
        return tuple(DeleteTrashed(t.path, t.folder, t.name, t.identity) for t in there if before is None or 0 < t.deleted_at < before)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("empty the trash", "clear out the trash for good", "delete everything in the trash", "清空回收站"),
            plan="trash.empty()",
            given={
                ".local/share/Trash/files/a.txt": "a", ".local/share/Trash/info/a.txt.trashinfo": _INFO.format("a.txt", "2024-01-02T10:00:00"),
                ".local/share/Trash/files/folder/b.txt": "b", ".local/share/Trash/info/folder.trashinfo": _INFO.format("folder", "2024-01-02T10:00:00"),
                "keep.txt": "k",
            },
            after={
                ".local/share/Trash/files/a.txt": ABSENT, ".local/share/Trash/info/a.txt.trashinfo": ABSENT, ".local/share/Trash/files/folder": ABSENT,
                "keep.txt": "k",
            },
        ),
        Example(
            say=("delete what has been in the trash for more than 30 days", "empty the trash of what is older than 30 days", "清除回收站里超过30天的东西"),
            plan='trash.empty(older="30 days")',
            given={
                ".local/share/Trash/files/a.txt": "a", ".local/share/Trash/info/a.txt.trashinfo": _INFO.format("a.txt", "2024-01-02T10:00:00"),
                ".local/share/Trash/files/b.txt": "b", ".local/share/Trash/info/b.txt.trashinfo": _INFO.format("b.txt", "2999-01-02T10:00:00"),
            },
            after={".local/share/Trash/files/a.txt": ABSENT, ".local/share/Trash/files/b.txt": "b"},
        ),
        Example(say=("empty the trash now, it is empty already", "清空已经空了的回收站"), plan="trash.empty()", given={"a": "a"}, refused="world.not-found"),
    )  # fmt: skip
