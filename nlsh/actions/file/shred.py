"""file.shred: files overwritten before they are deleted."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import ABSENT, Action, BaseArgs, Example, Never, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Paths
from nlsh.steps.shred import ShredFile
from nlsh.world import World
from nlsh.world.files import identity, status_of


class Shred(Action):
    """Overwrite files and delete them for good."""

    name = "file.shred"
    effects = ("fs.read", "fs.write", "fs.delete")
    undo = Never(
        "what is overwritten is gone; yet nothing guarantees that no copy is left: SSDs, copy-on-write file systems (btrfs, ZFS), journals, "
        "snapshots and backups keep old blocks where overwriting does not reach them"
    )

    class Args(BaseArgs):
        paths = arg(Paths(), "The files.", required=True)

    def look(self, args: Any, world: World) -> Any:
        found = []
        for path in _chosen.chosen(args.paths, world, "shred"):
            status = status_of(path)
            if stat.S_ISDIR(status.st_mode):
                raise Refused(f"{path} is a folder.", hint="Nothing was changed. Name the files in it; file.find lists them.")
            if not stat.S_ISREG(status.st_mode):
                raise Refused(f"{path} is no regular file: there is nothing in it to overwrite.", hint="Nothing was changed. Name what it leads to.")
            if status.st_nlink > 1:
                raise Refused(
                    f"{path} has {status.st_nlink} names (hard links): what the others show would be overwritten, too.",
                    hint="Nothing was changed. Delete the other names first.",
                )
            if not os.access(path, os.R_OK | os.W_OK) or not os.access(os.path.dirname(path), os.W_OK | os.X_OK):
                raise NotPossible(f"You may not overwrite and delete {path}.", hint="Nothing was changed. See who may with file.info.")
            found.append(ShredFile(path, identity(status)))
        return tuple(found)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("shred secret.key", "overwrite secret.key and delete it", "destroy secret.key so that nobody can read it again", "粉碎secret.key"),
            plan='file.shred("secret.key")',
            given={"secret.key": "k", "other.key": "o"},
            after={"secret.key": ABSENT, "other.key": "o", ".local/share/Trash/files/secret.key": ABSENT},
        ),
        Example(
            say=("shred the folder papers", "overwrite everything in papers and delete it", "粉碎papers文件夹"),
            plan='file.shred("papers")',
            given={"papers/a": "a"},
            refused="action.refused",
        ),
    )
