"""file.create: new files, empty or with a text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import ABSENT, Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Paths, Text
from nlsh.steps.files import MakeFolder
from nlsh.steps.making import MakeFile
from nlsh.world import World


class Create(Action):
    """Create files, empty or with a text."""

    name = "file.create"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "The files.", required=True)
        text = arg(Text(), "What to write in it, closed with a line end; left out: nothing.")

    def look(self, args: Any, world: World) -> Any:
        text = args.text or ""
        text += "\n" if text and not text.endswith("\n") else ""
        stamp_ns = int(world.now() * 1e9)
        found: list[Step] = []
        for written in args.paths:
            path = _chosen.free_place(written, world)
            if any(c in os.path.basename(path) for c in "*?"):
                raise Refused(f"“{written}” is a pattern; a new file needs a name.", hint="Nothing was changed. Say its name.")
            folders = [MakeFolder(f) for f in _chosen.missing_folders(os.path.dirname(path), world)]
            steps: list[Step] = [*folders, MakeFile(path, text, stamp_ns)]
            found += steps
            world = world.expecting(steps)
        return tuple(found)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("create an empty file called todo.txt", "make a new file todo.txt", "I need a file todo.txt here", "新建一个文件todo.txt"),
            plan='file.create("todo.txt")',
            given={"a": "a"},
            after={"todo.txt": "", "a": "a"},
        ),
        Example(
            say=("create the files a.txt and b.txt", "make two new files, a.txt and b.txt", "新建a.txt和b.txt两个文件"),
            plan='file.create(["a.txt", "b.txt"])',
            after={"a.txt": "", "b.txt": ""},
        ),
        Example(
            say=("create hello.txt with the text hello world", "make a file hello.txt that says hello world", "新建hello.txt，内容是hello world"),
            plan='file.create("hello.txt", text="hello world")',
            after={"hello.txt": "hello world\n"},
        ),
        Example(
            say=("create notes/2024/jan.txt with the folders it needs", "make the file notes/2024/jan.txt", "新建文件notes/2024/jan.txt"),
            plan='file.create("notes/2024/jan.txt")',
            given={"notes": None},
            after={"notes/2024/jan.txt": ""},
        ),
        Example(
            say=("create a file called report.txt", "make report.txt", "新建report.txt"),
            plan='file.create("report.txt")',
            given={"report.txt": "old"},
            after={"report.txt": "old", "report.txt.1": ABSENT},
            refused="action.refused",
        ),
    )
