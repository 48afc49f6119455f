"""file.sync: one folder brought up to date with another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.actions.file._bins import Bins
from nlsh.actions.file._syncing import Comparison
from nlsh.plan.action import ABSENT, Action, BaseArgs, Example, Looked, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Flag, Path
from nlsh.steps.files import MakeFolder
from nlsh.world import World
from nlsh.world.files import real_place


class Sync(Action):
    """Make one folder have what another has."""

    name = "file.sync"
    effects = ("fs.read", "fs.write", "fs.delete", "fs.meta")

    class Args(BaseArgs):
        path = arg(Path(), "The folder to take from.", required=True)
        to = arg(Path(), "The folder to bring up to date; made if it is missing. What changes in it is kept in the trash.", required=True)
        mirror = arg(Flag(), "Also move to the trash what only the second has, and replace what is newer there.", default=False)
        force = arg(Flag(), "Also replace what is newer in the second: it goes to the trash.", default=False)

    def look(self, args: Any, world: World) -> Any:
        source = os.path.realpath(world.resolve(args.path))
        if not os.path.isdir(source):
            raise Refused(f"{source} is not a folder.", hint="Nothing was changed. file.copy copies a file.")
        target = _target(args.to, world)
        if target == source or target.startswith(source.rstrip("/") + "/") or source.startswith(target.rstrip("/") + "/"):
            raise Refused(f"{source} and {target} lie in each other.", hint="Nothing was changed. Say a folder outside it.")
        if args.mirror:
            _chosen.refuse_precious((target,), world, "change the files of")
        folders = _chosen.missing_folders(os.path.dirname(target), world)
        if args.mirror and not os.listdir(source) and os.path.isdir(target) and os.listdir(target):
            # What has to be mounted and is not looks like this.
            raise Refused(
                f"{source} is empty: to mirror it would throw away all that is in {target}.",
                hint=f"Nothing was changed. If that is meant, throw away what is in {target}.",
            )
        compared = Comparison(source, target, Bins(world), force=args.force or args.mirror)
        found = (*(MakeFolder(f) for f in folders), *compared.steps(args.mirror))
        _chosen.refuse_without_room(compared.bytes_needed, target)
        return Looked(found, compared.notes())

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen.steps

    examples = (
        Example(
            say=("sync photos to backup", "bring backup up to date with photos", "copy what is new in photos to backup", "把photos同步到backup"),
            plan='file.sync("photos", to="backup")',
            given={
                "photos/a.jpg": {"text": "new a", "age": "1d"}, "photos/sub/b.jpg": "b", "photos/same.jpg": {"text": "same", "age": "9d"},
                "backup/a.jpg": {"text": "old a", "age": "5d"}, "backup/mine.txt": "mine",
            },
            after={
                "backup/a.jpg": "new a", "backup/sub/b.jpg": "b", "backup/same.jpg": "same", "backup/mine.txt": "mine",
                ".local/share/Trash/files/a.jpg": "old a",
            },
        ),
        Example(
            say=("update backup with the newer files from photos", "copy what was changed later in photos to backup", "把photos里改过的更新到backup"),
            plan='file.sync("photos", to="backup")',
            given={
                "photos/a.jpg": {"text": "edited here", "age": "1d"}, "photos/b.jpg": {"text": "as it was", "age": "9d"},
                "backup/a.jpg": {"text": "as it was", "age": "5d"}, "backup/b.jpg": {"text": "edited there", "age": "2d"},
            },
            after={"backup/a.jpg": "edited here", "backup/b.jpg": "edited there", ".local/share/Trash/files/b.jpg": ABSENT},
        ),
        Example(
            say=("sync photos to backup, replace what is newer there too", "force photos onto backup", "把photos强制同步到backup，那边更新的也覆盖"),
            plan='file.sync("photos", to="backup", force=true)',
            given={"photos/b.jpg": {"text": "as it was", "age": "9d"}, "backup/b.jpg": {"text": "edited there", "age": "2d"}},
            after={"backup/b.jpg": "as it was", ".local/share/Trash/files/b.jpg": "edited there"},
        ),
        Example(
            say=("mirror docs to usb, and throw away what is only in usb", "make usb an exact mirror of docs", "让usb和docs完全一样，多余的扔掉"),
            plan='file.sync("docs", to="usb", mirror=true)',
            given={"docs/a.txt": "a", "usb/old/b.txt": "b", "usb/c.txt": "c"},
            after={"usb/a.txt": "a", "usb/old": ABSENT, "usb/c.txt": ABSENT, ".local/share/Trash/files/old/b.txt": "b"},
        ),
        Example(
            say=("sync project to a new folder project-copy", "把project同步到project-copy"),
            plan='file.sync("project", to="project-copy")',
            given={"project/run.sh": {"text": "x", "mode": "755"}, "project/link": {"link": "run.sh"}},
            after={"project-copy/run.sh": {"text": "x", "mode": "755"}, "project-copy/link": {"link": "run.sh"}},
        ),
        Example(
            say=("sync docs into docs/backup", "把docs同步到docs/backup"),
            plan='file.sync("docs", to="docs/backup")',
            given={"docs/a": "a"},
            refused="action.refused",
        ),
    )  # fmt: skip


def _target(written: str, world: World) -> str:
    path = world.resolve(written, must_exist=False)
    if os.path.isdir(path):
        return os.path.realpath(path)
    if world.exists(path):
        raise Refused(f"{path} is not a folder.", hint="Nothing was changed. Say a folder.")
    return real_place(path)
