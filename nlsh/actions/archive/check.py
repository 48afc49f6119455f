"""archive.check: whether an archive is whole, by reading all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.archive._one import one_archive
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Record
from nlsh.plan.records.archives import Whole
from nlsh.plan.values import Path
from nlsh.steps import handles
from nlsh.world import World
from nlsh.world.archives import open_regular, opened, verify


class Check(Action):
    """Check that an archive is whole."""

    name = "archive.check"
    effects = ("fs.read",)

    class Args(BaseArgs):
        archive = arg(Path(), "The archive.", required=True)

    def look(self, args: Any, world: World) -> Any:
        return {"archive": one_archive(args.archive, world, "checked")}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("fs.read", seen["archive"]),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        path = seen["archive"]
        files = total = 0
        try:
            with open_regular(path) as file, opened(file, path) as archive:
                size = os.fstat(file.fileno()).st_size
                for so_far in verify(archive, path):
                    files, total = so_far
                    handles.progress(min(file.tell(), size), size, "bytes")
        except OSError as error:
            raise NotPossible(f"{path} cannot be read: {error.strerror or error}.", hint="Nothing was changed.") from error
        yield Whole(path, files, total)

    examples = (
        Example(
            say=("is backup.zip ok", "check that backup.zip is not damaged", "test the archive backup.zip", "检查backup.zip是否完整"),
            plan='archive.check("backup.zip")',
            given={"backup.zip": {"members": {"a.txt": "a", "sub/b.txt": "bb"}}},
            result=("backup.zip",),
        ),
        Example(
            say=("verify code.tar.gz", "is the tarball code.tar.gz whole", "验证code.tar.gz"),
            plan='archive.check("code.tar.gz")',
            given={"code.tar.gz": {"members": {"a.py": "a"}}},
            result=("code.tar.gz",),
        ),
        Example(
            say=("check broken.tar.gz", "is broken.tar.gz intact", "broken.tar.gz坏了吗"),
            plan='archive.check("broken.tar.gz")',
            given={"broken.tar.gz": b"\x1f\x8b\x08\x00 this was cut off"},
            refused="world.not-possible",
        ),
    )
