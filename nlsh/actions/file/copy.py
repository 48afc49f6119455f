"""file.copy: the same thing a second time."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import ABSENT, Action, BaseArgs, Example, Looked, arg
from nlsh.plan.errors import NotPossible
from nlsh.plan.steps import Step
from nlsh.plan.values import Flag, Path, Paths
from nlsh.steps.files import CopyPath, MakeFolder, SetTimes
from nlsh.steps.links import AddName
from nlsh.world import World
from nlsh.world.files import identity, loosened, status_of, tree_size, walk


class Copy(Action):
    """Copy files and folders to another place or name, never over something that is there."""

    name = "file.copy"
    effects = ("fs.read", "fs.write", "fs.meta")

    class Args(BaseArgs):
        paths = arg(Paths(), "What to copy.", required=True)
        to = arg(
            Path(),
            "A folder to copy it into (made if it is missing), or the name of the copy of a single thing: of a file with an ending, one with an ending.",
            required=True,
        )
        number = arg(Flag(), "Where a name is taken, put a number behind it: cat-2.jpg.", default=False)

    def look(self, args: Any, world: World) -> Any:
        sources = _chosen.outermost(_chosen.places_of(world.matches(args.paths)))
        goal = _chosen.goal(sources, args.to, world, plural=len(sources) > 1 or _chosen.is_plural(args), verb="copy", by_ending=True, number=args.number)
        found: list[Step] = list(goal.make())
        for source, target in zip(goal.sources, goal.targets, strict=True):
            found += _copies(source, target)
        _chosen.refuse_without_room(sum(tree_size(s)[0] for s in goal.sources), goal.targets[0])
        return Looked(tuple(found), goal.notes)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen.steps

    examples = (
        Example(
            say=("copy notes.txt to backup", "make a copy of notes.txt in backup", "put a copy of notes.txt in the backup folder", "把notes.txt复制到backup"),
            plan='file.copy("notes.txt", to="backup")',
            given={"notes.txt": "n", "backup": None},
            after={"notes.txt": "n", "backup/notes.txt": "n"},
        ),
        Example(
            say=("copy thesis.tex into keep", "a copy of thesis.tex goes into the folder keep", "把thesis.tex复制进keep里"),
            plan='file.copy("thesis.tex", to="keep")',
            given={"thesis.tex": "t"},
            after={"keep/thesis.tex": "t", "thesis.tex": "t"},
        ),
        Example(
            say=("duplicate config.ini as config.ini.bak", "copy config.ini to config.ini.bak", "把config.ini备份成config.ini.bak"),
            plan='file.copy("config.ini", to="config.ini.bak")',
            given={"config.ini": {"text": "c", "mode": "600"}},
            after={"config.ini": "c", "config.ini.bak": {"text": "c", "mode": "600"}},
        ),
        Example(
            say=("copy the project folder to project-old", "make a copy of project called project-old", "把project文件夹复制一份叫project-old"),
            plan='file.copy("project", to="project-old")',
            given={"project/a.py": {"text": "a", "age": "9d"}, "project/sub/b.py": "b", "project/link": {"link": "a.py"}},
            after={"project-old/a.py": "a", "project-old/sub/b.py": "b", "project-old/link": {"link": "a.py"}, "project/a.py": "a"},
        ),
        Example(
            say=("copy all pdfs to the usb folder", "put a copy of every pdf in usb", "把所有pdf复制到usb文件夹"),
            plan='a = file.find(kind="pdfs"); file.copy(a, to="usb/")',
            given={"a.pdf": "a", "sub/b.pdf": "b", "c.txt": "c"},
            after={"usb/a.pdf": "a", "usb/b.pdf": "b", "usb/c.txt": ABSENT},
        ),
        Example(
            say=("copy a.txt over b.txt", "copy a.txt to b.txt", "把a.txt复制到b.txt"),
            plan='file.copy("a.txt", to="b.txt")',
            given={"a.txt": "a", "b.txt": "b"},
            refused="action.refused",
        ),
    )


def _copies(source: str, target: str) -> Iterator[Step]:
    """Yield the steps that copy one thing: for a folder, each entry its own, then the folders' modes and times, innermost first."""
    status = status_of(source)
    _chosen.refuse_special(source, status.st_mode)
    if not stat.S_ISDIR(status.st_mode):
        yield CopyPath(source, target, identity(status), stat.S_ISLNK(status.st_mode))
        return
    skipped: list[str] = []
    finished: list[Step] = []
    names: dict[tuple[int, int], str] = {}  # of a file with several names, the first copy
    yield _folder(source, target, status, finished)
    for entry in walk(source, skipped=skipped):
        status = status_of(entry.path)
        place = target + entry.path[len(source) :]
        _chosen.refuse_special(entry.path, status.st_mode)
        if stat.S_ISDIR(status.st_mode):
            yield _folder(entry.path, place, status, finished)
        elif status.st_nlink > 1 and (first := names.setdefault((status.st_dev, status.st_ino), place)) != place:
            yield AddName(first, place, loosened(identity(status)))
        else:
            yield CopyPath(entry.path, place, identity(status), stat.S_ISLNK(status.st_mode))
    if skipped:
        raise NotPossible(f"{skipped[0]} cannot be read.", hint="Nothing was changed. Copy the rest without it.")
    yield from reversed(finished)


def _folder(source: str, target: str, status: os.stat_result, finished: list[Step]) -> Step:
    mode = stat.S_IMODE(status.st_mode) & 0o1777
    finished.append(SetTimes(target, status.st_atime_ns, status.st_mtime_ns, mode, mode | 0o700))
    return MakeFolder(target, mode | 0o700, source)
