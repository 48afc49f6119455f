"""file.move: put things elsewhere, or give one thing a new place and name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import ABSENT, Action, BaseArgs, Example, Looked, arg
from nlsh.plan.steps import Step
from nlsh.plan.values import Flag, Path, Paths
from nlsh.steps.files import MovePath
from nlsh.world import World
from nlsh.world.files import identify, tree_size


class Move(Action):
    """Move files and folders to another place, never over something that is there."""

    name = "file.move"
    effects = ("fs.read", "fs.write", "fs.delete")

    class Args(BaseArgs):
        paths = arg(Paths(), "What to move.", required=True)
        to = arg(
            Path(),
            "A folder to move it into (made if it is missing), or the new name of a single thing: of a file with an ending, one with an ending.",
            required=True,
        )
        number = arg(Flag(), "Where a name is taken, put a number behind it: cat-2.jpg.", default=False)

    def look(self, args: Any, world: World) -> Any:
        sources = _chosen.chosen(args.paths, world, "move")
        goal = _chosen.goal(sources, args.to, world, plural=len(sources) > 1 or _chosen.is_plural(args), verb="move", by_ending=True, number=args.number)
        found = tuple(
            MovePath(s, t, identify(s), _chosen.device_of(s) == _chosen.device_of(t), os.path.islink(s))
            for s, t in zip(goal.sources, goal.targets, strict=True)
        )
        if far := [m.source for m in found if not m.same_device]:
            _chosen.refuse_without_room(sum(tree_size(s)[0] for s in far), goal.targets[0])
        return Looked((*goal.make(), *found), goal.notes)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen.steps

    examples = (
        Example(
            say=(
                "move report.pdf to the archive folder",
                "put report.pdf into archive",
                "report.pdf belongs in archive, move it there",
                "把report.pdf移到archive文件夹",
            ),
            plan='file.move("report.pdf", to="archive")',
            given={"report.pdf": "pdf", "archive": None},
            after={"report.pdf": ABSENT, "archive/report.pdf": "pdf"},
        ),
        Example(
            say=("move all the photos from Downloads to Pictures", "take every picture in downloads and put it in Pictures", "把下载里的照片都移到Pictures"),
            plan='a = file.find(under="Downloads", kind="photos"); file.move(a, to="Pictures")',
            given={"Downloads/a.jpg": "a", "Downloads/trip/b.png": "b", "Downloads/c.txt": "c", "Pictures": None},
            after={"Pictures/a.jpg": "a", "Pictures/b.png": "b", "Downloads/a.jpg": ABSENT, "Downloads/c.txt": "c"},
        ),
        Example(
            say=("move the log files into a logs folder", "put *.log into logs/", "把日志文件移到logs文件夹"),
            plan='file.move("*.log", to="logs/")',
            given={"a.log": "a", "b.log": "b", "c.txt": "c"},
            after={"logs/a.log": "a", "logs/b.log": "b", "a.log": ABSENT, "c.txt": "c"},
        ),
        Example(
            say=(
                "make a folder called papers and move thesis.tex there",
                "create papers, then move thesis.tex into it",
                "新建papers文件夹并把thesis.tex移进去",
            ),
            plan='folder.create("papers"); file.move("thesis.tex", to="papers")',
            given={"thesis.tex": "t"},
            after={"papers/thesis.tex": "t", "thesis.tex": ABSENT},
        ),
        Example(
            say=("put thesis.tex into done", "thesis.tex goes into the folder done", "把thesis.tex放进done里"),
            plan='file.move("thesis.tex", to="done")',
            given={"thesis.tex": "t"},
            after={"done/thesis.tex": "t", "thesis.tex": ABSENT},
        ),
        Example(
            say=("move draft.txt to final.txt", "draft.txt should become final.txt, move it", "把draft.txt移到final.txt"),
            plan='file.move("draft.txt", to="final.txt")',
            given={"draft.txt": "new", "final.txt": "old"},
            refused="action.refused",
        ),
        Example(
            say=("move src into src/backup", "put the src folder inside its own backup folder", "把src移到src/backup里"),
            plan='file.move("src", to="src/backup")',
            given={"src/a.c": "a", "src/backup": None},
            refused="action.refused",
        ),
    )
