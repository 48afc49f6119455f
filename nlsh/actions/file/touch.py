"""file.touch: the time of change of files, set to now."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Paths
from nlsh.steps.making import MakeFile
from nlsh.steps.marks import TouchFile
from nlsh.world import World, places
from nlsh.world.files import identity, owner_name, real_place, status_of


class Touch(Action):
    """Set the time of change of files to now, creating those that are missing."""

    name = "file.touch"
    effects = ("fs.read", "fs.write", "fs.meta")

    class Args(BaseArgs):
        paths = arg(Paths(), "The files.", required=True)

    def look(self, args: Any, world: World) -> Any:
        now_ns = int(world.now() * 1e9)
        found: dict[str, Step] = {}
        known: set[tuple[int, int]] = set()
        for written in args.paths:
            for path in _meant(written, world):
                if path in found:
                    continue
                if not os.path.lexists(path):
                    found[path] = _made(written, path, now_ns, world)
                    continue
                status = status_of(path)
                # Two names of one file are one thing: touched under the first, it would not be what the second was seen to be.
                if (status.st_dev, status.st_ino) not in known:
                    known.add((status.st_dev, status.st_ino))
                    found[path] = _touched(path, status, now_ns)
        return tuple(found.values())

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("touch notes.txt", "set the time of notes.txt to now", "update the modification time of notes.txt", "把notes.txt的修改时间更新为现在"),
            plan='file.touch("notes.txt")',
            given={"notes.txt": {"text": "n", "age": "30d"}},
            after={"notes.txt": "n"},
        ),
        Example(
            say=("touch a.flag, whether it is there or not", "make sure a.flag exists and is new", "touch一下a.flag"),
            plan='file.touch("a.flag")',
            given={"b": "b"},
            after={"a.flag": "", "b": "b"},
        ),
        Example(
            say=("touch all the c files", "set the time of every *.c to now", "把所有c文件的时间改成现在"),
            plan='file.touch("*.c")',
            given={"a.c": {"text": "a", "age": "2d"}, "b.c": {"text": "b", "age": "3d"}},
            after={"a.c": "a", "b.c": "b"},
        ),
        Example(
            say=("touch missing/notes.txt", "set the time of missing/notes.txt to now", "更新missing/notes.txt的时间"),
            plan='file.touch("missing/notes.txt")',
            given={"a": "a"},
            refused="action.refused",
        ),
    )


def _meant(written: str, world: World) -> tuple[str, ...]:
    """Return what is there under that name or pattern, or the place where it is to be; of a link, what it leads to."""
    new = places.new(written, cwd=world.cwd, home=world.home)
    if not os.path.lexists(new) and any(c in written for c in "*?["):
        return tuple(dict.fromkeys(os.path.realpath(p) for p in world.matches((written,))))
    if not os.path.islink(new):
        return (real_place(new),)
    if not os.path.exists(new):
        raise Refused(f"{new} is a link that leads nowhere.", hint="Nothing was changed. Name what is to be touched.")
    return (os.path.realpath(new),)


def _touched(path: str, status: os.stat_result, now_ns: int) -> Step:
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise Refused(f"{path} is neither a file nor a folder.", hint="Nothing was changed.")
    if os.geteuid() not in (0, status.st_uid):
        raise NotPossible(f"{path} belongs to {owner_name(status.st_uid)}: only its owner may set its time.", hint="Nothing was changed.")
    return TouchFile(path, (now_ns, now_ns), (status.st_atime_ns, status.st_mtime_ns), identity(status))


def _made(written: str, path: str, now_ns: int, world: World) -> Step:
    _chosen.free_place(written, world)
    folder = os.path.dirname(path)
    if not world.is_folder(folder):
        raise Refused(f"There is no folder {folder}.", hint="Nothing was changed. folder.create makes it.")
    if _chosen.missing_folders(folder, world) or (folder not in world.planned and not os.access(folder, os.W_OK | os.X_OK)):
        raise NotPossible(f"You may not create anything in {folder}.", hint="Nothing was changed. Say another place.")
    return MakeFile(path, "", now_ns)
