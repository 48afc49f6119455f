"""archive.list: what is in an archive, without unpacking it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.records import Member, Record
from nlsh.plan.values import Path
from nlsh.world import World
from nlsh.world.archives import Single, members, open_regular, opened


class ListMembers(Action):
    """List what is in an archive, without unpacking it."""

    name = "archive.list"
    effects = ("fs.read",)

    class Args(BaseArgs):
        archive = arg(Path(), "A zip, 7z, tar, tar.gz, tar.bz2, tar.xz or tar.zst file, or a file compressed as gz, bz2, xz or zst.", required=True)

    def look(self, args: Any, world: World) -> Any:
        found = world.matches((args.archive,))
        if len(found) != 1:
            raise Refused(f"“{args.archive}” means {len(found)} things; one is listed at a time.", hint="Nothing was changed. Name one.")
        if os.path.isdir(found[0]):
            raise NotPossible(f"{found[0]} is a folder, not an archive.", hint="Nothing was changed. file.list shows what is in it.")
        return {"archive": os.path.realpath(found[0])}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("fs.read", seen["archive"]),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        try:
            with open_regular(seen["archive"]) as file, opened(file, seen["archive"]) as archive:
                for entry in members(archive):
                    size = archive.size(seen["archive"]) if isinstance(archive, Single) else entry.size
                    yield Member(entry.path.rstrip("/") if entry.type == "folder" else entry.path, size, entry.type)
        except OSError as error:
            raise NotPossible(f"{seen['archive']} cannot be read: {error.strerror}.", hint="Nothing was changed.") from error

    examples = (
        Example(
            say=("what's in stuff.zip", "list the contents of stuff.zip", "show the files inside stuff.zip", "stuff.zip里有什么"),
            plan='archive.list("stuff.zip")',
            given={"stuff.zip": {"members": {"a.txt": "a", "sub/b.txt": "bb"}}},
            result=("a.txt", "sub/b.txt"),
        ),
        Example(
            say=("look into backup.tar.xz without unpacking it", "which files does backup.tar.xz hold", "不解压看看backup.tar.xz里有什么"),
            plan='archive.list("backup.tar.xz")',
            given={"backup.tar.xz": {"members": {"x": "x"}}},
            result=("x",),
        ),
        Example(
            say=("list the archive fake.zip", "what is in fake.zip", "查看fake.zip的内容"),
            plan='archive.list("fake.zip")',
            given={"fake.zip": "this is no archive"},
            refused="world.not-possible",
        ),
    )
