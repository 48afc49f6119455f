"""file.compare: whether two files or folders are the same, and where they differ."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _search
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.records import Record
from nlsh.plan.records.files import Comparison
from nlsh.plan.values import Path
from nlsh.steps import handles
from nlsh.world import World

_TOLD = 1 << 24


class Compare(Action):
    """Say whether two files or folders are the same, and where they differ."""

    name = "file.compare"
    effects = ("fs.read",)

    class Args(BaseArgs):
        path = arg(Path(), "The one.", required=True)
        to = arg(Path(), "The other.", required=True)

    def look(self, args: Any, world: World) -> Any:
        one, other = (os.path.realpath(world.resolve(p)) for p in (args.path, args.to))
        if os.path.isdir(one) != os.path.isdir(other):
            folder, file = (one, other) if os.path.isdir(one) else (other, one)
            inside = os.path.join(folder, os.path.basename(file))
            if not os.path.isfile(inside):
                raise Refused(f"{folder} is a folder and {file} is not: they cannot be compared.", hint="Nothing was changed. Name two files or two folders.")
            # As with diff: a file and a folder mean the file of that name in it.
            one, other = (inside, other) if folder == one else (one, inside)
        return {"one": one, "other": other, "folders": os.path.isdir(one)}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return tuple(Effect("fs.read", p) for p in dict.fromkeys((seen["one"], seen["other"])))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        one, other = seen["one"], seen["other"]
        if os.path.samefile(one, other):
            yield Comparison("same", one, "they are one and the same" if one == other else f"the same as {other}: one file with two names")
        elif seen["folders"]:
            yield from _folders(one, other)
        else:
            yield _files(one, other)

    examples = (
        Example(
            say=("are a.txt and b.txt the same?", "compare a.txt with b.txt", "is b.txt identical to a.txt", "比较a.txt和b.txt是否相同"),
            plan='file.compare("a.txt", to="b.txt")',
            given={"a.txt": "one\ntwo\n", "b.txt": "one\ntwo\n"},
            result=("same",),
        ),
        Example(
            say=("where do old.conf and new.conf first differ", "compare old.conf and new.conf", "old.conf和new.conf从哪里开始不同"),
            plan='file.compare("old.conf", to="new.conf")',
            given={"old.conf": "a=1\nb=2\n", "new.conf": "a=1\nb=3\n"},
            result=("different",),
        ),
        Example(
            say=("compare the folders photos and backup", "what is different between photos and backup", "比较photos和backup两个文件夹"),
            plan='file.compare("photos", to="backup")',
            given={
                "photos/a.jpg": "a", "photos/b.jpg": "b", "photos/sub/c.jpg": "c", "backup/a.jpg": "a", "backup/b.jpg": "B", "backup/d.jpg": "d",
                "backup/sub/c.jpg": "c",
            },
            result=("different", "only there"),
        ),
        Example(
            say=("compare a.txt with missing.txt", "is a.txt the same as missing.txt", "比较a.txt和missing.txt"),
            plan='file.compare("a.txt", to="missing.txt")',
            given={"a.txt": "a"},
            refused="world.not-found",
        ),
    )  # fmt: skip


def _files(one: str, other: str) -> Comparison:
    from nlsh.world.sameness import first_difference, said

    told = 0

    def tell(done: int) -> None:
        nonlocal told
        if done - told >= _TOLD:
            told = done
            handles.progress(done, total, "bytes")

    try:
        total = os.path.getsize(one)
        found = first_difference(one, other, tell)
    except OSError as error:
        name = os.fsdecode(error.filename or one)
        raise NotPossible(f"{name} cannot be read: {error.strerror}.", hint="Nothing was changed. See who may read it with file.info.") from error
    if found is None:
        return Comparison("same", one, f"the same as {other}")
    return Comparison("different", one, said(found), found.byte, found.line)


def _folders(one: str, other: str) -> Iterator[Record]:
    from nlsh.world.sameness import differences

    skipped: list[str] = []
    same = True
    for what, path, detail in differences(one, other, skipped, lambda done: handles.progress(done, None, "files") if done % 512 == 0 else None):
        same = False
        yield Comparison(what, path, detail)
    if same and not skipped:
        yield Comparison("same", one, f"the same as {other}")
    yield from _search.left_out(skipped)
