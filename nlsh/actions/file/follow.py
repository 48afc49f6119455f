"""file.follow: what is added to a file, as it happens."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Duration
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Line, Note, Record
from nlsh.plan.values import Path
from nlsh.steps import handles
from nlsh.world import World

# The kernel's word is not all: on network file systems it knows nothing of what others write.
_LOOK_AGAIN_S = 1.0
_SAID = {
    "cut": "The file was cut off; going on from its start.",
    "new": "There is a new file of this name; going on with it.",
    # In a folder that holds secrets, home itself above all, a file that was not there before cannot be told from them by the kernel.
    "shut": "There is a new file of this name, which may not be read from here: ask again to follow it.",
}


class Follow(Action):
    """Show what is added to a file, as it happens."""

    name = "file.follow"
    effects = ("fs.read",)
    live = True

    class Args(BaseArgs):
        path = arg(Path(), "The file.", required=True)
        time = arg(Duration(), "For how long; left out: until Ctrl-C.")

    def look(self, args: Any, world: World) -> Any:
        path = os.path.realpath(world.resolve(args.path))
        if not os.path.isfile(path):
            what = "a folder" if os.path.isdir(path) else "no regular file"
            raise NotPossible(f"{path} is {what}: there are no lines to follow.", hint="Nothing was changed. file.watch reports what changes in a folder.")
        return {"path": path}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        # A log that is rotated is another file of the same name: for the kernel, only a folder can stand for files that are not there yet.
        return (Effect("fs.read", os.path.dirname(seen["path"])),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.following import Followed

        end = None if args.time is None else time.monotonic() + args.time
        try:
            followed = Followed(seen["path"])
        except OSError as error:
            raise NotPossible(f"{seen['path']} cannot be read: {error.strerror}.", hint="Nothing was changed. See who may read it with file.info.") from error
        with followed:
            while True:
                yield from map(_record, followed.news())
                if handles.stopping() or (end is not None and time.monotonic() >= end):
                    break
                again = time.monotonic() + _LOOK_AGAIN_S
                handles.wait(followed.descriptors, again if end is None else min(again, end))
            yield from map(_record, followed.rest())

    examples = (
        Example(
            say=("follow app.log for a second", "show what is added to app.log for 1 second", "实时查看app.log一秒钟"),
            plan='file.follow("app.log", time="1s")',
            given={"app.log": "".join(f"line {n}\n" for n in range(1, 31))},
            result=tuple(f"line {n}" for n in range(21, 31)),
        ),
        Example(
            say=("follow the folder logs", "tail -f logs", "实时查看logs文件夹"),
            plan='file.follow("logs", time="1s")',
            given={"logs/a": "a"},
            refused="world.not-possible",
        ),
    )


def _record(news: tuple[str, str]) -> Record:
    kind, text = news
    return Line(text) if kind == "line" else Note(_SAID[kind])
