"""file.diff: the lines in which two text files differ."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.records import Line, Note, Record
from nlsh.plan.values import Path
from nlsh.world import World

_LARGEST = 64 << 20


class Diff(Action):
    """Show the lines in which two text files differ."""

    name = "file.diff"
    effects = ("fs.read",)

    class Args(BaseArgs):
        path = arg(Path(), "The old one.", required=True)
        to = arg(Path(), "The new one.", required=True)

    def look(self, args: Any, world: World) -> Any:
        paths = [os.path.realpath(world.resolve(p)) for p in (args.path, args.to)]
        for path in paths:
            if os.path.isdir(path):
                raise NotPossible(f"{path} is a folder: it has no lines.", hint="Nothing was changed. file.compare says in what two folders differ.")
            if os.path.getsize(path) > _LARGEST:
                raise Refused(
                    f"{path} is larger than {_LARGEST >> 20} MB: its lines are not compared.",
                    hint="Nothing was changed. file.compare says where two files first differ.",
                )
        return {"paths": paths, "names": [args.path, args.to]}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return tuple(Effect("fs.read", p) for p in dict.fromkeys(seen["paths"]))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.contents import decoded, looks_binary
        from nlsh.world.differences import unified

        old, new = (_content(p) for p in seen["paths"])
        if old == new:
            yield Note("There is no difference.")
            return
        if looks_binary(old[:8192]) or looks_binary(new[:8192]):
            yield Line(f"Binary files {seen['names'][0]} and {seen['names'][1]} differ.")
            return
        for line in unified(_lines(old), _lines(new), *seen["names"]):
            yield Line(decoded(line))

    examples = (
        Example(
            say=("diff old.txt and new.txt", "show me what changed between old.txt and new.txt", "old.txt和new.txt有哪些行不同"),
            plan='file.diff("old.txt", to="new.txt")',
            given={"old.txt": "milk\nbread\neggs\n", "new.txt": "milk\nbutter\neggs\n"},
            result=("--- old.txt", "+++ new.txt", "@@ -1,3 +1,3 @@", " milk", "-bread", "+butter", " eggs"),
        ),
        Example(
            say=("line differences of a.conf and b.conf", "what is the difference between a.conf and b.conf, line by line", "逐行比较a.conf和b.conf"),
            plan='file.diff("a.conf", to="b.conf")',
            given={"a.conf": "x=1\n", "b.conf": "x=1\n"},
            result=(),
        ),
        Example(
            say=("diff the two pictures a.png and b.png", "对比a.png和b.png的内容"),
            plan='file.diff("a.png", to="b.png")',
            given={"a.png": b"\x89PNG\0a", "b.png": b"\x89PNG\0b"},
            result=("Binary files a.png and b.png differ.",),
        ),
        Example(
            say=("diff old.txt and the folder stuff", "比较old.txt和stuff文件夹的行"),
            plan='file.diff("old.txt", to="stuff")',
            given={"old.txt": "o", "stuff/x": "x"},
            refused="world.not-possible",
        ),
    )


def _content(path: str) -> bytes:
    from nlsh.world.contents import blocks, open_text

    try:
        descriptor = open_text(path)
        try:
            return b"".join(blocks(descriptor))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise NotPossible(f"{path} cannot be read: {error.strerror}.", hint="Nothing was changed. See who may read it with file.info.") from error


def _lines(content: bytes) -> list[bytes]:
    """Return the lines with their ends; only a line feed ends one."""
    lines = [line + b"\n" for line in content.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines
