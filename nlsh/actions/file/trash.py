"""file.trash: the everyday delete, which can be taken back."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import ABSENT, Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Paths
from nlsh.steps.trash import TrashPath, info_text
from nlsh.world import World
from nlsh.world.files import identify
from nlsh.world.trash import bin_for, free_name, is_in_trash


class Trash(Action):
    """Move files and folders to the trash, from where they can come back."""

    name = "file.trash"
    effects = ("fs.read", "fs.write", "fs.delete")

    class Args(BaseArgs):
        paths = arg(Paths(), "What to throw away.", required=True)

    def look(self, args: Any, world: World) -> Any:
        taken = set(world.planned)
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(world.now()))
        found = []
        for path in _chosen.chosen(args.paths, world, "throw away"):
            if is_in_trash(path):
                raise Refused(f"{path} is in the trash already.", hint="Nothing was changed. file.delete removes it for good.")
            bin = bin_for(path)
            if bin.folder.startswith(path + "/"):
                raise Refused(f"The trash itself is in {path}.", hint="Nothing was changed. Name what in it is meant.")
            name = free_name(bin.folder, os.path.basename(path), taken)
            taken.add(os.path.join(bin.folder, "files", name))
            info = info_text(bin.written, when)
            found.append(TrashPath(path, bin.folder, name, info, identify(path), bin.missing, bin.same_device, os.path.islink(path)))
        return tuple(found)

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
