"""text.line_endings: end the lines of text files as Unix or as Windows does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Choice, Paths
from nlsh.steps.content import kept
from nlsh.steps.texts import ConvertLineEnds
from nlsh.world import World, texts

# What a preview reads to count the lines that change.
_MOST_BYTES = 16 << 20


class LineEndings(Action):
    """Convert the line endings of text files."""

    name = "text.line_endings"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "The text files.", required=True)
        to = arg(Choice("unix", "windows"), "LF or CR LF.", required=True)

    def look(self, args: Any, world: World) -> Any:
        """Leave out what has these line endings already; a lone CR, as in a progress bar, is no line end."""
        found: list[ConvertLineEnds] = []
        taken: set[str] = set()
        paths = _text.several(args.paths, world)
        left = _MOST_BYTES
        for path in paths:
            encoding = texts.encoding_of(texts.sample(path)) or ""
            if encoding.startswith(("utf-16", "utf-32")):
                raise NotPossible(f"{path} is written in {encoding}.", hint="Nothing was changed. Convert it to UTF-8 with text.encoding first.")
            left -= os.stat(path).st_size
            count = texts.line_endings(path)["windows" if args.to == "unix" else "unix"] if left >= 0 else -1
            if count:
                found.append(ConvertLineEnds(to=args.to, lines=count, **kept(path, world, taken)))
        if not found:
            what = f"{paths[0]} has" if len(paths) == 1 else "They all have"
            raise Refused(f"{what} {args.to.capitalize()} line endings already.", hint="Nothing was changed.")
        return tuple(found)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("convert run.sh to unix line endings", "fix the windows line endings of run.sh", "dos2unix run.sh", "把run.sh转成unix换行符"),
            plan='text.line_endings("run.sh", to="unix")',
            given={"run.sh": {"text": "#!/bin/sh\r\necho hi\r\nend\n", "mode": "755"}},
            after={"run.sh": {"text": "#!/bin/sh\necho hi\nend\n", "mode": "755"}},
        ),
        Example(
            say=("give readme.txt and todo.txt windows line endings", "unix2dos readme.txt todo.txt", "把readme.txt和todo.txt改成windows换行符"),
            plan='text.line_endings(["readme.txt", "todo.txt"], to="windows")',
            given={"readme.txt": "a\nb\r\n\nc", "todo.txt": "x\r\n"},
            after={"readme.txt": "a\r\nb\r\n\r\nc", "todo.txt": "x\r\n"},
        ),
        Example(
            say=("make notes.txt use unix line endings", "notes.txt用unix换行符"),
            plan='text.line_endings("notes.txt", to="unix")',
            given={"notes.txt": "a\nb\n"},
            refused="action.refused",
        ),
        Example(
            say=("unix line endings for photo.png", "photo.png的换行符改成unix"),
            plan='text.line_endings("photo.png", to="unix")',
            given={"photo.png": b"\x89PNG\r\n\x1a\n\x00"},
            refused="world.not-possible",
        ),
    )
