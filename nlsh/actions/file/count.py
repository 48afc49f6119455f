"""file.count: how many files are below a folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _search
from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record, Tally
from nlsh.world import World


class Count(Action):
    """Count files, everywhere below a folder."""

    name = "file.count"
    effects = ("fs.read",)

    class Args(_search.SearchArgs):
        pass

    def look(self, args: Any, world: World) -> Any:
        return _search.look(args, world)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _search.reads(seen)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        wanted = _search.wanted(args, seen)
        number = sum(wanted.count(root) for root in seen["roots"])
        yield Tally(number, f"{args.type or 'file'}s {_where(args, wanted.hidden)}")
        yield from _search.notes(seen, wanted)

    examples = (
        Example(
            say=("how many files are in here", "count the files in this folder and below", "这里一共有多少个文件"),
            plan="file.count()",
            given={"a.txt": "a", "sub/b.txt": "b", "sub/deep/c.jpg": "c", "empty": None, ".hidden": "h"},
            result=(3,),
        ),
        Example(
            say=("how many photos do I have in Pictures", "count the images under Pictures", "Pictures里有几张照片"),
            plan='file.count(under="Pictures", kind="photos")',
            given={"Pictures/a.jpg": "a", "Pictures/2023/b.PNG": "b", "Pictures/list.txt": "c"},
            result=(2,),
        ),
        Example(
            say=("how many subfolders does src have", "number of directories under src", "src下面有多少个文件夹"),
            plan='file.count(under="src", type="folder")',
            given={"src/a/x": "1", "src/b/c/y": "2"},
            result=(3,),
        ),
        Example(
            say=("how many files are in the attic folder", "count what is in attic", "attic文件夹里有多少文件"),
            plan='file.count(under="attic")',
            given={"a.txt": "a"},
            refused="world.not-found",
        ),
    )


def _where(args: Any, hidden: bool) -> str:
    """Return where was looked: what a file manager shows of a folder is another number."""
    where = "in all folders below" if args.depth is None else "directly there" if args.depth == 1 else f"down to {args.depth} folders below"
    return where if hidden else f"{where}, hidden ones left out"
