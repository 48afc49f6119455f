"""file.watch: what changes in files or folders, as it happens."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _search
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Duration
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Note, Record
from nlsh.plan.records.files import FileEvent
from nlsh.plan.values import Paths
from nlsh.steps import handles
from nlsh.world import World

# What happens within this time is told together: one thing is several events for the kernel.
_TOGETHER_S = 0.1


class Watch(Action):
    """Report what changes in files or folders, as it happens."""

    name = "file.watch"
    effects = ("fs.read",)
    live = True

    class Args(BaseArgs):
        paths = arg(Paths(), "The files or folders.", default=(".",))
        time = arg(Duration(), "For how long; left out: until Ctrl-C.")

    def look(self, args: Any, world: World) -> Any:
        return {"paths": list(dict.fromkeys(os.path.realpath(p) for p in world.matches(args.paths)))}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return tuple(Effect("fs.read", p) for p in seen["paths"])

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.watching import Watched

        end = None if args.time is None else time.monotonic() + args.time
        try:
            watched = Watched(tuple(seen["paths"]))
        except OSError as error:
            raise NotPossible(f"Not available here, because the kernel gives no inotify: {error.strerror}.", hint="Nothing was changed.") from error
        with watched:
            yield from _search.left_out(watched.unreadable)
            if watched.left_out:
                yield Note(f"{watched.left_out:,} folders are not watched: there are too many for this user (fs.inotify.max_user_watches). Name a smaller one.")
            again = None
            while not handles.stopping() and (end is None or time.monotonic() < end):
                until = min((t for t in (end, again) if t is not None), default=None)
                if handles.wait([watched.descriptor], until):
                    yield from _told(watched, end)
                late, again = watched.late()
                yield from (FileEvent("changed", path, time.time()) for path in late)
            yield from (FileEvent("changed", path, time.time()) for path in watched.held_back())

    examples = (
        Example(
            say=("watch this folder for a second", "tell me what changes here for 1 second", "监视这个文件夹一秒钟"),
            plan='file.watch(time="1s")',
            given={"a.txt": "a", "sub/b.txt": "b"},
            result=(),
        ),
        Example(
            say=("watch the attic folder", "report changes in attic", "监视attic文件夹"),
            plan='file.watch("attic", time="1s")',
            given={"a.txt": "a"},
            refused="world.not-found",
        ),
    )


def _told(watched: Any, end: float | None) -> Iterator[Record]:
    at, events = time.time(), watched.take()
    until = time.monotonic() + _TOGETHER_S
    while handles.wait([watched.descriptor], until if end is None else min(until, end)):
        events += watched.take()
    found, overflow = watched.meaning(events)
    yield from (FileEvent(what, path, at, before) for what, path, before in found)
    if overflow:
        yield Note("More happened at once than the kernel could tell: something is missing here.")
