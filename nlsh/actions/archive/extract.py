"""archive.extract: unpack an archive, and nothing beside where it is unpacked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.archive._members import chosen
from nlsh.actions.file import _chosen
from nlsh.plan.action import ABSENT, Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import Names
from nlsh.plan.values import Path
from nlsh.steps.archives import ExtractArchive
from nlsh.world import World
from nlsh.world.archives import checked, stem_of
from nlsh.world.files import identify


class Extract(Action):
    """Unpack an archive into a folder, never over something that is there."""

    name = "archive.extract"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        archive = arg(Path(), "A zip, 7z, tar, tar.gz, tar.bz2, tar.xz or tar.zst file, or a file compressed as gz, bz2, xz or zst.", required=True)
        to = arg(Path(), "The folder to unpack into (made if it is missing); left out: beside the archive, in a folder of its name if it holds several things.")
        only = arg(Names(), "Only these: names or patterns of what is in it, a folder with all below it, or a kind of file; left out: all of it.")

    def look(self, args: Any, world: World) -> Any:
        found = world.matches((args.archive,))
        if len(found) != 1:
            raise Refused(f"“{args.archive}” means {len(found)} things; one is unpacked at a time.", hint="Nothing was unpacked. Name one.")
        archive = os.path.realpath(found[0])
        if os.path.isdir(archive):
            raise NotPossible(f"{archive} is a folder, not an archive.", hint="Nothing was unpacked.")
        known = identify(archive)
        beside = os.path.dirname(archive)
        try:
            entries = checked(archive, _free(beside if args.to is None else world.resolve(args.to, must_exist=False)))
        except OSError as error:
            raise NotPossible(f"{archive} cannot be read: {error.strerror}.", hint="Nothing was unpacked.") from error
        if not entries:
            raise NotPossible(f"There is nothing in {archive}.", hint="Nothing was unpacked.")
        if args.only:
            entries = chosen(entries, args.only, archive)
        tops = dict.fromkeys(e.path.partition("/")[0] for e in entries)
        if args.to is not None:
            root = os.path.realpath(world.resolve(args.to, must_exist=False))
        else:
            root = beside if len(tops) == 1 else os.path.join(beside, stem_of(os.path.basename(archive)))
            if root == archive:
                root += ".unpacked"
        folders = _chosen.missing_folders(root, world)
        for path in (root,) if root != beside and args.to is None and not folders else (os.path.join(root, top) for top in tops):
            if world.exists(path):
                raise Refused(f"There is already something at {path}.", hint="Nothing was unpacked. nlsh does not overwrite: say another folder in to=.")
        members = tuple((e.path, e.type, e.size, e.mtime_ns, e.mode, e.target, e.number) for e in entries)
        return ExtractArchive(archive, root, members, known), folders

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        step, folders = seen
        yield from _chosen.Goal((), folders).make()
        yield step

    examples = (
        Example(
            say=("unzip stuff.zip", "extract stuff.zip", "unpack the archive stuff.zip", "解压stuff.zip"),
            plan='archive.extract("stuff.zip")',
            given={"stuff.zip": {"members": {"a.txt": "a", "sub/b.txt": "b"}}},
            after={"stuff/a.txt": "a", "stuff/sub/b.txt": "b", "a.txt": ABSENT},
        ),
        Example(
            say=("extract code.tar.gz", "untar code.tar.gz", "解开code.tar.gz"),
            plan='archive.extract("code.tar.gz")',
            given={"code.tar.gz": {"members": {"code/a.py": "a", "code/b.py": "b"}}},
            after={"code/a.py": "a", "code/b.py": "b"},
        ),
        Example(
            say=("extract stuff.zip into the old folder", "unzip stuff.zip to old", "把stuff.zip解压到old文件夹"),
            plan='archive.extract("stuff.zip", to="old")',
            given={"stuff.zip": {"members": {"a.txt": "a", "b.txt": "b"}}, "old/c.txt": "c"},
            after={"old/a.txt": "a", "old/b.txt": "b", "old/c.txt": "c"},
        ),
        Example(
            say=("unpack loads/stuff.zip here", "extract loads/stuff.zip right here"),
            plan='archive.extract("loads/stuff.zip", to="here")',
            given={"loads/stuff.zip": {"members": {"a.txt": "a", "sub/b.txt": "b"}}},
            after={"a.txt": "a", "sub/b.txt": "b", "loads/a.txt": ABSENT, "loads/stuff": ABSENT, "here": ABSENT},
        ),
        Example(
            say=("把loads/stuff.zip解压到当前目录",),
            plan='archive.extract("loads/stuff.zip", to="当前目录")',
            given={"loads/stuff.zip": {"members": {"a.txt": "a", "sub/b.txt": "b"}}},
            after={"a.txt": "a", "sub/b.txt": "b", "loads/a.txt": ABSENT, "当前目录": ABSENT},
        ),
        Example(
            say=("get b.txt out of stuff.zip", "extract only b.txt from stuff.zip", "I just need b.txt from stuff.zip", "只从stuff.zip里解压b.txt"),
            plan='archive.extract("stuff.zip", only="b.txt")',
            given={"stuff.zip": {"members": {"a.txt": "a", "sub/b.txt": "b"}}},
            after={"b.txt": "b", "a.txt": ABSENT, "stuff": ABSENT},
        ),
        Example(
            say=(
                "unpack only the pngs of stuff.zip into pics",
                "extract just the png files from stuff.zip to pics",
                "把stuff.zip里的png解压到pics，其他的不要",
            ),
            plan='archive.extract("stuff.zip", to="pics", only="pngs")',
            given={"stuff.zip": {"members": {"a.txt": "a", "one.png": "1", "sub/two.PNG": "2"}}},
            after={"pics/one.png": "1", "pics/sub/two.PNG": "2", "pics/a.txt": ABSENT},
        ),
        Example(
            say=("extract only c.txt from stuff.zip", "take c.txt out of stuff.zip", "从stuff.zip里取出c.txt"),
            plan='archive.extract("stuff.zip", only="c.txt")',
            given={"stuff.zip": {"members": {"a.txt": "a", "sub/b.txt": "b"}}},
            refused="world.not-found",
        ),
        Example(
            say=("unpack evil.zip", "extract evil.zip", "解压evil.zip"),
            plan='archive.extract("evil.zip")',
            given={"evil.zip": {"members": {"../outside.txt": "gotcha"}}},
            refused="action.refused",
        ),
        Example(
            say=("unzip notes.zip into notes", "extract notes.zip to the notes folder", "把notes.zip解压到notes"),
            plan='archive.extract("notes.zip", to="notes")',
            given={"notes.zip": {"members": {"a.txt": "new"}}, "notes/a.txt": "mine"},
            refused="action.refused",
        ),
    )


def _free(place: str) -> int:
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize
