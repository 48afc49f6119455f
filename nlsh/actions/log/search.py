"""log.search: the entries of the system's log that hold a text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.log import _read
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Age
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.values import Text
from nlsh.world import World, logs


class Search(Action):
    """Search the system's log for a text."""

    name = "log.search"
    effects = _read.EFFECTS

    class Args(BaseArgs):
        text = arg(Text(), "The text, in capitals or not.", required=True)
        since = arg(Age(), "Only what is newer than this.")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return logs.find()

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _read.needs(seen)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from _read.notes(seen)
        yield from logs.entries(seen, text=args.text, since=world.now() - args.since if args.since is not None else None)

    examples = (
        Example(say=("search the system log for usb", "grep usb in the system log", "在系统日志里找usb"), plan='log.search(text="usb")', may_lack=True),
        Example(say=("did the log mention oom in the last day", "最近一天日志里有没有oom"), plan='log.search(text="oom", since="1 day")', may_lack=True),
    )
