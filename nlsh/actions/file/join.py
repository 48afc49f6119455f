"""file.join: several files, one after the other, in a new one."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Path, Paths
from nlsh.steps.making import JoinFiles
from nlsh.world import World
from nlsh.world.files import identity, status_of


class Join(Action):
    """Join files into one, in the order given."""

    name = "file.join"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "The files, in their order; those of a pattern by name, 2 before 10.", required=True)
        to = arg(Path(), "The new file.", required=True)

    def look(self, args: Any, world: World) -> Any:
        target = _chosen.free_place(args.to, world)
        pieces = []
        for written in args.paths:
            for path in sorted(world.matches((written,)), key=natural):
                path = os.path.realpath(path)
                status = status_of(path)
                if not stat.S_ISREG(status.st_mode):
                    raise Refused(f"{path} is not a regular file.", hint="Nothing was changed. Name files only.")
                if not os.access(path, os.R_OK):
                    raise NotPossible(f"You may not read {path}.", hint="Nothing was changed. See who may with file.info.")
                pieces.append((path, identity(status)))
        if len(pieces) < 2:
            raise Refused("One file alone cannot be joined to anything.", hint="Nothing was changed. Name at least two.")
        folders = _chosen.missing_folders(os.path.dirname(target), world)
        made = _chosen.Goal((target,), folders).make()
        if not folders and not os.access(os.path.dirname(target), os.W_OK | os.X_OK) and os.path.dirname(target) not in world.planned:
            raise NotPossible(f"You may not create anything in {os.path.dirname(target)}.", hint="Nothing was changed. Say another place.")
        return (*made, JoinFiles(tuple(pieces), target, int(world.now() * 1e9)))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=(
                "join a.txt and b.txt into all.txt",
                "put a.txt and b.txt together as all.txt",
                "concatenate a.txt and b.txt to all.txt",
                "把a.txt和b.txt合并成all.txt",
            ),
            plan='file.join(["a.txt", "b.txt"], to="all.txt")',
            given={"a.txt": "a\n", "b.txt": "b\n"},
            after={"all.txt": "a\nb\n", "a.txt": "a\n"},
        ),
        Example(
            say=("put the parts of film.mkv together again as film.mkv", "join film.mkv.* into film.mkv", "把film.mkv.*合并成film.mkv"),
            plan='file.join("film.mkv.*", to="film.mkv")',
            given={f"film.mkv.{n}": str(n) for n in (1, 2, 10)},
            after={"film.mkv": "1210"},
        ),
        Example(
            say=("join a.txt and b.txt into a.txt", "把a.txt和b.txt合并到a.txt"),
            plan='file.join(["a.txt", "b.txt"], to="a.txt")',
            given={"a.txt": "a", "b.txt": "b"},
            refused="action.refused",
        ),
    )


def natural(path: str) -> list[tuple[int, str]]:
    """Return what to sort names by so that numbers in them count as numbers: part2 before part10."""
    return [(int(text), "") if text.isdecimal() else (-1, text) for text in re.split(r"([0-9]+)", path)]
