"""file.trash: the everyday delete, which can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.actions.file._bins import Bins
from nlsh.plan.action import ABSENT, Action, BaseArgs, Example, arg
from nlsh.plan.steps import Step
from nlsh.plan.values import Paths
from nlsh.world import World


class Trash(Action):
    """Move files and folders to the trash, from where they can come back."""

    name = "file.trash"
    effects = ("fs.read", "fs.write", "fs.delete")

    class Args(BaseArgs):
        paths = arg(Paths(), "What to throw away.", required=True)

    def look(self, args: Any, world: World) -> Any:
        bins = Bins(world)
        return tuple(bins.throw(path) for path in _chosen.chosen(args.paths, world, "throw away"))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("delete old.txt", "get rid of old.txt", "throw old.txt away", "remove old.txt please", "删除old.txt", "把old.txt扔掉"),
            plan='file.trash("old.txt")',
            given={"old.txt": "old", "new.txt": "new"},
            after={"old.txt": ABSENT, "new.txt": "new", ".local/share/Trash/files/old.txt": "old"},
        ),
        Example(
            say=("delete the tmp folder", "remove the folder tmp with everything in it", "删掉tmp文件夹"),
            plan='file.trash("tmp")',
            given={"tmp/a": "a", "tmp/b/c": "c", "keep": "k"},
            after={"tmp": ABSENT, "keep": "k", ".local/share/Trash/files/tmp/b/c": "c"},
        ),
        Example(
            say=(
                "delete files in Downloads that are older than a month",
                "clear everything from Downloads that I haven't changed for a month",
                "把Downloads里一个月前的文件删了",
            ),
            plan='a = file.find(under="Downloads", older="a month"); file.trash(a)',
            given={"Downloads/a.zip": {"text": "a", "age": "40d"}, "Downloads/b.zip": {"text": "b", "age": "3d"}},
            after={"Downloads/a.zip": ABSENT, "Downloads/b.zip": "b"},
        ),
        Example(
            say=("remove a.bak and sub/a.bak", "delete both a.bak and sub/a.bak", "删除a.bak和sub/a.bak"),
            plan='file.trash(["a.bak", "sub/a.bak"])',
            given={"a.bak": "1", "sub/a.bak": "2"},
            after={"a.bak": ABSENT, "sub/a.bak": ABSENT, ".local/share/Trash/files/a.bak": "1", ".local/share/Trash/files/a.2.bak": "2"},
        ),
        Example(
            say=("delete my home folder", "throw my whole home directory away", "删除我的主目录"),
            plan='file.trash("~")',
            given={"a": "a"},
            refused="action.refused",
        ),
        Example(
            say=("delete report.doc", "remove report.doc", "删除report.doc"),
            plan='file.trash("report.doc")',
            given={"a": "a"},
            refused="world.not-found",
        ),
    )
