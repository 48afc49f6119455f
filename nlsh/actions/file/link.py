"""file.link: a pointer to a file or folder, or a second name for a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Flag, Path
from nlsh.steps.links import AddName, MakeLink
from nlsh.world import World
from nlsh.world.files import identity, real_place, status_of


class Link(Action):
    """Make a link to a file or folder."""

    name = "file.link"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        path = arg(Path(), "What the link leads to.", required=True)
        to = arg(Path(), "The link, or the folder to make it in.", required=True)
        hard = arg(Flag(), "A second name for the same file, not a pointer to its name.", default=False)

    def look(self, args: Any, world: World) -> Any:
        source = real_place(world.resolve(args.path))
        goal = _chosen.goal((source,), args.to, world, plural=False, verb="link")
        (target,) = goal.targets
        _chosen.refuse_name(os.path.basename(target))
        if not args.hard:
            return (*goal.make(), MakeLink(target, _written(source, target)))
        status = status_of(source)
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "no file"
            raise Refused(f"{source} is {what}: only a file can have a second name.", hint="Nothing was changed. Leave out hard for a link to it.")
        if _chosen.device_of(os.path.dirname(target)) != status.st_dev:
            raise Refused(f"{target} would be on another file system than {source}.", hint="Nothing was changed. Leave out hard for a link to it.")
        return (*goal.make(), AddName(source, target, identity(status)))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=(
                "make a link called current to releases/v2",
                "symlink releases/v2 as current",
                "let current point to releases/v2",
                "建一个链接current指向releases/v2",
            ),
            plan='file.link("releases/v2", to="current")',
            given={"releases/v2/a": "a"},
            after={"current": {"link": "releases/v2"}, "current/a": "a"},
        ),
        Example(
            say=("put a link to notes.txt into the Desktop folder", "link notes.txt on the desktop folder", "在Desktop里建一个notes.txt的链接"),
            plan='file.link("notes.txt", to="Desktop/")',
            given={"notes.txt": "n", "Desktop": None},
            after={"Desktop/notes.txt": "n", "notes.txt": "n"},
        ),
        Example(
            say=("make a hard link from data.bin to data2.bin", "hard link data.bin as data2.bin", "给data.bin建一个硬链接data2.bin"),
            plan='file.link("data.bin", to="data2.bin", hard=true)',
            given={"data.bin": "d"},
            after={"data2.bin": "d"},
        ),
        Example(
            say=("hard link the folder src as src2", "给src文件夹建硬链接src2"),
            plan='file.link("src", to="src2", hard=true)',
            given={"src/a": "a"},
            refused="action.refused",
        ),
        Example(
            say=("link a.txt as b.txt", "make b.txt a link to a.txt", "让b.txt链接到a.txt"),
            plan='file.link("a.txt", to="b.txt")',
            given={"a.txt": "a", "b.txt": "b"},
            refused="action.refused",
        ),
    )


def _written(source: str, target: str) -> str:
    """Return what stands in the link: the way from its folder where what it leads to is in there (both may then be moved together), else the whole path."""
    folder = os.path.dirname(target).rstrip("/") + "/"
    return source[len(folder) :] if source.startswith(folder) and source != folder else source
