"""file.read: what a text file says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.counted import Lines
from nlsh.plan.effects import Effect
from nlsh.plan.errors import BadArgument, NotPossible, Refused
from nlsh.plan.records import Line, Note, Record
from nlsh.plan.values import Files, Rows
from nlsh.world import World

_LOG = "".join(f"line {n}\n" for n in range(1, 31))


class Read(Action):
    """Show the text of a file: all of it, its first or its last lines, or those of some numbers."""

    name = "file.read"
    effects = ("fs.read",)

    class Args(BaseArgs):
        paths = arg(Files("file.list", or_lines=True), "The text files.", required=True)
        first = arg(Count(), "Only this many lines from the start.")
        last = arg(Count(), "Only this many lines from the end.", common=("10",))
        lines = arg(Lines(), "Only these, by number, counted from 1: one, a range, or several of them.")

    def look(self, args: Any, world: World) -> Any:
        if args.lines and (args.first or args.last):
            raise BadArgument("file.read takes the numbers of lines, or how many from the start or the end, not both.", hint='For example lines="10-20".')
        if isinstance(args.paths, Rows):
            return {"paths": [_text.lines_of(args.paths)]}
        found = [os.path.realpath(p) for p in world.matches(args.paths)]
        for path in found:
            if os.path.isdir(path):
                raise NotPossible(f"{path} is a folder: there is no text in it.", hint="Nothing was changed. file.list shows what is in it.")
        return {"paths": list(dict.fromkeys(found))}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen["paths"])

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        for path in seen["paths"]:
            name = _text.name_of(path) if len(seen["paths"]) > 1 else ""
            if args.lines:
                yield from _numbered(path, args.lines, name)
                continue
            for number, text in _lines(path, args.first, args.last):
                yield Line(text, number, name)

    examples = (
        Example(
            say=("show me todo.txt", "what does todo.txt say", "print the contents of todo.txt", "cat todo.txt for me", "看看todo.txt的内容"),
            plan='file.read("todo.txt")',
            given={"todo.txt": "milk\nbread\n"},
            result=("milk", "bread"),
        ),
        Example(
            say=("show the first 2 lines of app.log", "the top two lines of app.log please", "显示app.log的前2行"),
            plan='file.read("app.log", first="2")',
            given={"app.log": _LOG},
            result=("line 1", "line 2"),
        ),
        Example(
            say=("the last three lines of app.log", "tail app.log, 3 lines", "app.log的最后3行"),
            plan='file.read("app.log", last="3")',
            given={"app.log": _LOG},
            result=("line 28", "line 29", "line 30"),
        ),
        Example(
            say=("show lines 10 to 12 of app.log", "what's on lines 10-12 in app.log", "app.log第10到12行"),
            plan='file.read("app.log", lines="10 to 12")',
            given={"app.log": _LOG},
            result=("line 10", "line 11", "line 12"),
        ),
        Example(
            say=("what does line 28 of app.log say", "print line 28 of app.log", "看一下app.log的第28行"),
            plan='file.read("app.log", lines="28")',
            given={"app.log": _LOG},
            result=("line 28",),
        ),
        Example(
            say=("app.log from line 29 to the end", "show app.log, lines 29 to the end", "从第29行到最后显示app.log"),
            plan='file.read("app.log", lines="29 to the end")',
            given={"app.log": _LOG},
            result=("line 29", "line 30"),
        ),
        Example(
            say=("show me the contents of photo.jpg", "print photo.jpg", "显示photo.jpg的内容"),
            plan='file.read("photo.jpg")',
            given={"photo.jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF"},
            refused="action.refused",
        ),
    )


def _numbered(path: _text.Source, wanted: tuple[tuple[int, int | None], ...], name: str) -> Iterator[Record]:
    """Yield the lines of these numbers, in the order of the file, and say where it ends before the last of them."""
    ends = [last for _, last in wanted if last is not None]
    until = max(ends) if len(ends) == len(wanted) else None
    number = 0
    for number, text in _lines(path, until, None):
        if any(first <= number and (last is None or number <= last) for first, last in wanted):
            yield Line(text, number, name)
    if number < max(until or 0, *(first for first, _ in wanted)):
        yield Note(f"{_text.name_of(path)} ends with line {number:,}.")


def _lines(path: _text.Source, first: int | None, last: int | None) -> Iterator[tuple[int, str]]:
    """Yield number and text of lines; a number from the end of a long file is 0, because what is before was not read."""
    if not isinstance(path, str):
        numbered = list(islice(enumerate(path, 1), first))
        yield from numbered[-last:] if last is not None else numbered
        return
    from nlsh.world.contents import first_lines, last_lines, looks_binary, open_text

    try:
        descriptor = open_text(path)
    except OSError as error:
        raise NotPossible(f"{path} cannot be read: {error.strerror}.", hint="Nothing was changed. See who may read it with file.info.") from error
    try:
        start = os.read(descriptor, 8192)
        if looks_binary(start):
            raise Refused(f"{path} is not a text file.", hint="Nothing was changed. file.info says what it is.")
        if last is not None and first is None:
            lines, number = last_lines(descriptor, last)
            yield from ((number and number + n, text) for n, text in enumerate(lines))
            return
        from collections import deque

        shown: Any = enumerate(first_lines(descriptor, first, start), 1)
        yield from deque(shown, maxlen=last) if last is not None else shown
    finally:
        os.close(descriptor)
