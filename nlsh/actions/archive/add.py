"""archive.add: put more into an archive; its old version goes to the trash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.archive._one import one_archive
from nlsh.actions.file import _chosen
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Path, Paths
from nlsh.steps.archives import AddToArchive
from nlsh.steps.content import kept
from nlsh.world import World
from nlsh.world.archives import SINGLE_ENDINGS, format_of, open_regular, opened
from nlsh.world.files import identify, real_place


class Add(Action):
    """Add files to an archive that is there."""

    name = "archive.add"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "What to add.", required=True)
        to = arg(Path(), "The archive.", required=True)

    def look(self, args: Any, world: World) -> Any:
        sources = _chosen.outermost(real_place(p) for p in world.matches(args.paths))
        archive = one_archive(args.to, world, "added to")
        if archive in sources:
            raise Refused(f"{archive} cannot be added to itself.", hint="Nothing was changed. Name what to add.")
        if format_of(archive) is None and os.path.splitext(archive)[1].lower() in SINGLE_ENDINGS:
            raise Refused(f"{archive} is one compressed file: nothing can be added to it.", hint="Nothing was changed. Make an archive with archive.create.")
        base = os.path.commonpath([os.path.dirname(s) for s in sources])
        members = tuple((s, os.path.relpath(s, base), identify(s)) for s in sources)
        _refuse_known(archive, {name for _, name, known in members if len(known) > 2})
        return AddToArchive(**kept(archive, world, set()), members=members)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("add notes.txt to stuff.zip", "put notes.txt into the archive stuff.zip", "stuff.zip should hold notes.txt, too", "把notes.txt加进stuff.zip"),
            plan='archive.add("notes.txt", to="stuff.zip")',
            given={"stuff.zip": {"members": {"a.txt": "a"}}, "notes.txt": "buy milk"},
            after={"stuff.zip": {}, "notes.txt": "buy milk"},
        ),
        Example(
            say=("add the new folder to code.tar.gz", "append new to code.tar.gz", "把new文件夹加到code.tar.gz里"),
            plan='archive.add("new", to="code.tar.gz")',
            given={"code.tar.gz": {"members": {"a.py": "a"}}, "new/b.py": "b"},
            after={"code.tar.gz": {}},
        ),
        Example(
            say=("add a.txt to stuff.zip again", "put a.txt into stuff.zip once more", "再把a.txt加进stuff.zip"),
            plan='archive.add("a.txt", to="stuff.zip")',
            given={"stuff.zip": {"members": {"a.txt": "the old one"}}, "a.txt": "the new one"},
            refused="action.refused",
        ),
    )


def _refuse_known(archive: str, names: set[str]) -> None:
    """Raise Refused where a zip holds one of these files already. Of other kinds, only reading all of it says that: the step does."""
    try:
        with open_regular(archive) as file:
            start = file.read(2)
            file.seek(0)
            if not start:
                raise NotPossible(f"{archive} is empty: it is no archive.", hint="Nothing was changed.")
            if start == b"PK":
                with opened(file, archive) as zipped:
                    for name in zipped.namelist():
                        if name in names:
                            raise Refused(f"{archive} holds {name} already.", hint="Nothing was changed. Rename one of them, or pack the archive anew.")
    except OSError as error:
        raise NotPossible(f"{archive} cannot be read: {error.strerror}.", hint="Nothing was changed.") from error
