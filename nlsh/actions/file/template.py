"""file.template: a file of some sort with the usual beginning in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.actions.file._templates import BEGINNINGS, sort_of
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import TEMPLATES, Among
from nlsh.plan.values import Path
from nlsh.steps.files import MakeFolder
from nlsh.steps.making import MakeFile
from nlsh.world import World, places


class Template(Action):
    """Create a file of some sort with the usual beginning in it."""

    name = "file.template"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        path = arg(Path(), "The file, or the folder to make it in where its sort has one name only.", required=True)
        what = arg(Among(TEMPLATES), "A Python or shell script, a web page, a README, a .gitignore, a Makefile, …; left out: by the file's ending.")

    def look(self, args: Any, world: World) -> Any:
        written = args.path
        sort = args.what or sort_of(os.path.basename(written.rstrip("/")))
        if sort is None:
            raise Refused(
                f"“{args.path}” does not say what sort of file it is to be.", hint=f"Nothing was changed. Say what: one of {', '.join(BEGINNINGS)}."
            )  # fmt: skip
        beginning = BEGINNINGS[sort]
        if beginning.name and world.is_folder(places.new(written, cwd=world.cwd, home=world.home)):
            written = os.path.join(places.new(written, cwd=world.cwd, home=world.home), beginning.name)
        name = os.path.basename(written)
        if beginning.ending and not os.path.splitext(name)[1] and sort_of(name) != sort:
            written += beginning.ending
        path = _chosen.free_place(written, world)
        folders = (MakeFolder(f) for f in _chosen.missing_folders(os.path.dirname(path), world))
        return (*folders, MakeFile(path, beginning.text, int(world.now() * 1e9), beginning.executable))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=(
                "create a python script called backup.py",
                "make a new python file backup.py",
                "start a Python script backup.py",
                "新建一个python脚本backup.py",
            ),
            plan='file.template("backup.py", what="python script")',
            after={"backup.py": {"text": BEGINNINGS["python"].text, "mode": "755"}},
        ),
        Example(
            say=("make a bash script called deploy", "new shell script deploy with the usual header", "新建shell脚本deploy"),
            plan='file.template("deploy", what="bash script")',
            after={"deploy.sh": {"text": BEGINNINGS["shell"].text, "mode": "755"}},
        ),
        Example(
            say=("create a basic web page index.html", "start an html page called index.html", "新建一个网页index.html"),
            plan='file.template("index.html")',
            after={"index.html": BEGINNINGS["html"].text},
        ),
        Example(
            say=("put a .gitignore into the project folder", "make a gitignore file in project", "在project里新建.gitignore"),
            plan='file.template("project", what="gitignore")',
            given={"project/a.c": "a"},
            after={"project/.gitignore": BEGINNINGS["gitignore"].text},
        ),
        Example(
            say=("create a Makefile", "write me a new makefile here", "新建Makefile"),
            plan='file.template("Makefile")',
            given={"Makefile": "all:\n"},
            refused="action.refused",
        ),
        Example(
            say=("make a new file plan.xyz from a template", "用模板新建plan.xyz"),
            plan='file.template("plan.xyz")',
            refused="action.refused",
        ),
    )
