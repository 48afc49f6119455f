"""trash.restore: things back from the trash, where they were."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import ABSENT, Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.errors import NotFound, Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import Names
from nlsh.steps.files import MakeFolder
from nlsh.steps.trash import RestoreTrashed
from nlsh.world import World
from nlsh.world.files import real_place
from nlsh.world.places import absolute
from nlsh.world.trash import Trashed, all_trashed

_INFO = "[Trash Info]\nPath={}\nDeletionDate={}\n"
_TRASH = {
    ".local/share/Trash/files/a.txt": "first", ".local/share/Trash/info/a.txt.trashinfo": _INFO.format("notes/a.txt", "2024-01-02T10:00:00"),
    ".local/share/Trash/files/b.txt": "second", ".local/share/Trash/info/b.txt.trashinfo": _INFO.format("b.txt", "2024-05-06T10:00:00"),
}  # fmt: skip


class Restore(Action):
    """Put things back from the trash where they were."""

    name = "trash.restore"
    effects = ("fs.read", "fs.write", "fs.delete")

    class Args(BaseArgs):
        names = arg(Names(), "What they were called, or where they were; of several that were in one place, the last.")
        latest = arg(Count(), "The last so many things thrown away.", common=("1",))
        need_one_of = ("names", "latest")

    def look(self, args: Any, world: World) -> Any:
        there = [t for t in all_trashed() if t.identity]
        if not there:
            raise NotFound("The trash is empty.", hint="Nothing was changed.")
        found = there if args.names is None else list(dict.fromkeys(t for name in args.names for t in _called(name, there, world)))
        steps: list[Step] = []
        for item in found[: args.latest]:
            steps += _back(item, world)
            world = world.expecting(steps[-2:])
        return tuple(steps)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("restore a.txt from the trash", "get a.txt back out of the trash", "undelete a.txt", "把a.txt从回收站还原"),
            plan='trash.restore("a.txt")',
            given=_TRASH,
            after={".local/share/notes/a.txt": "first", ".local/share/Trash/files/a.txt": ABSENT, ".local/share/Trash/files/b.txt": "second"},
        ),
        Example(
            say=("bring back what I deleted last", "restore the last thing I threw away", "恢复我刚删掉的文件"),
            plan='trash.restore(latest="1")',
            given=_TRASH,
            after={".local/share/b.txt": "second", ".local/share/Trash/info/b.txt.trashinfo": ABSENT, ".local/share/Trash/files/a.txt": "first"},
        ),
        Example(
            say=("restore nothing.txt from the trash", "从回收站恢复nothing.txt"),
            plan='trash.restore("nothing.txt")',
            given=_TRASH,
            refused="world.not-found",
        ),
        Example(
            say=("put b.txt back", "get b.txt back from the trash although there is a new one", "还原b.txt"),
            plan='trash.restore("b.txt")',
            given={**_TRASH, ".local/share/b.txt": "new"},
            refused="action.refused",
        ),
    )


def _called(name: str, there: list[Trashed], world: World) -> list[Trashed]:
    """Return what a person means by a name: the newest at one place. Raises NotFound, and Refused where things from several places are called so."""
    if any(c in name for c in "*?[") and (found := [t for t in there if fnmatch.fnmatchcase(os.path.basename(t.path), name)]):
        return list({t.path: t for t in reversed(found)}.values())[::-1]
    place = real_place(absolute(name, cwd=world.cwd, home=world.home))
    if "/" in name:
        found = [t for t in there if t.path == place or t.kept == place]
    else:
        lower = name.lower()
        # What it is called wins over another case, and that over its name without its ending.
        found = next(
            (
                hits
                for hits in (
                    [t for t in there if t.path == place],
                    [t for t in there if os.path.basename(t.path) == name],
                    [t for t in there if os.path.basename(t.path).lower() == lower],
                    [t for t in there if os.path.splitext(os.path.basename(t.path))[0].lower() == lower],
                )
                if hits
            ),
            [],
        )
    if not found:
        raise NotFound(f"There is no “{name}” in the trash.", hint="Nothing was changed. trash.list shows what there is.")
    if len({t.path for t in found}) > 1:
        places = ", ".join(sorted({t.path for t in found})[:4])
        raise Refused(f"“{name}” could be any of {places}.", hint="Nothing was changed. Say where it was.")
    return found[:1]


def _back(item: Trashed, world: World) -> Iterator[Step]:
    if not item.path:
        raise Refused(f"Nobody knows where {item.kept} was.", hint="Nothing was changed. Move it where you want it with file.move.")
    path = real_place(item.path)
    if world.exists(path):
        raise Refused(f"There is already something at {path}.", hint="Nothing was changed. nlsh does not overwrite: move it away first.")
    yield from (MakeFolder(f) for f in _chosen.missing_folders(os.path.dirname(path), world))
    same = item.identity[0] == _chosen.device_of(os.path.dirname(path))
    yield RestoreTrashed(path, item.folder, item.name, item.info, item.identity, (), same, stat.S_ISLNK(item.mode), item.dated)
