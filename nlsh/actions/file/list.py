"""file.list: what is directly in a folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _search
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.plan.values import Choice, Flag, Kind, Paths
from nlsh.world import World
from nlsh.world.files import record, status_of

_TREE = {
    "b.txt": {"text": "bb", "age": "2d"},
    "A.txt": {"text": "a", "age": "3d"},
    "photo.jpg": {"text": "12345", "age": "1d"},
    "sub/inside.txt": "x",
    ".secret": "s",
}


class List(Action):
    """List what is directly in a folder."""

    name = "file.list"
    effects = ("fs.read",)

    class Args(BaseArgs):
        paths = arg(Paths(), "The folders to list.", default=(".",))
        kind = arg(Kind(), "Only files of this kind.")
        hidden = arg(Flag(), "Also names that start with a dot.", default=False)
        sort = arg(Choice("name", "largest", "smallest", "newest", "oldest"), "In which order.", default="name")
        limit = arg(Count(), "At most this many.", common=("1",))

    def look(self, args: Any, world: World) -> Any:
        return {"paths": list(dict.fromkeys(os.path.realpath(p) if os.path.isdir(p) else p for p in world.matches(args.paths)))}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return tuple(Effect("fs.read", p) for p in seen["paths"])

    def is_ordered(self, args: Any) -> bool:
        return "sort" in args.written

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.actions.file._order import ordered

        skipped: list[str] = []
        endings = _search.endings(args.kind)
        found = ((p, s) for p, s in _entries(seen["paths"], args.hidden, skipped) if not endings or (p.lower().endswith(endings) and not os.path.isdir(p)))
        folders = 0

        def counted() -> Iterator[tuple[str, os.stat_result]]:
            nonlocal folders
            for path, status in found:
                folders += stat.S_ISDIR(status.st_mode)
                yield path, status

        for path, status in ordered(counted(), args.sort, args.limit):
            yield record(path, status)
        if folders and args.sort in ("largest", "smallest"):
            yield Note("By size, folders count here without what is in them; folder.size(each=true) measures that.")
        yield from _search.left_out(skipped)

    examples = (
        Example(
            say=("what's in here", "list the files in this folder", "show me what is in this directory", "这里有什么文件"),
            plan="file.list()",
            given=_TREE,
            result=("A.txt", "b.txt", "photo.jpg", "sub"),
        ),
        Example(
            say=("show hidden files too", "list everything here, dotfiles included", "连隐藏文件一起列出来"),
            plan="file.list(hidden=true)",
            given=_TREE,
            result=(".secret", "A.txt", "b.txt", "photo.jpg", "sub", ...),
        ),
        Example(
            say=("what's in sub", "list the sub folder", "看看sub里有什么"),
            plan='file.list("sub")',
            given=_TREE,
            result=("sub/inside.txt",),
        ),
        Example(
            say=("list only the text files here", "which txt files are directly in this folder", "只列出这里的txt文件"),
            plan='file.list(kind="txt", sort="oldest")',
            given=_TREE,
            result=("A.txt", "b.txt"),
        ),
        Example(
            say=("list the two newest things here", "what are the 2 most recent items in this folder", "列出这里最新的两个"),
            plan='file.list("box", sort="newest", limit="2")',
            given={"box/a": {"text": "a", "age": "3d"}, "box/b": {"text": "b", "age": "1d"}, "box/c": {"text": "c", "age": "2d"}},
            result=("box/b", "box/c"),
        ),
        Example(
            say=("what's in the attic folder", "list attic", "列出attic目录"),
            plan='file.list("attic")',
            given=_TREE,
            refused="world.not-found",
        ),
    )


def _entries(paths: Any, hidden: bool, skipped: list[str]) -> Iterator[tuple[str, os.stat_result]]:
    for path in paths:
        if not os.path.isdir(path):
            yield path, status_of(path)
            continue
        try:
            with os.scandir(path) as scan:
                for entry in scan:
                    if entry.name[0] == "." and not hidden:
                        continue
                    try:
                        yield entry.path, entry.stat(follow_symlinks=False)
                    except OSError:
                        continue  # vanished meanwhile
        except OSError:
            skipped.append(path)
