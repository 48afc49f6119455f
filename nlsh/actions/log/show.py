"""log.show: the last entries of the system's log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.log import _read
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Age, Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, logs


class Show(Action):
    """Show the system's log."""

    name = "log.show"
    effects = _read.EFFECTS

    class Args(BaseArgs):
        last = arg(Count(), "The last so many lines.", default=50)
        since = arg(Age(), "Only what is newer than this.")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return logs.find()

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _read.needs(seen)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from _read.notes(seen)
        # Who asks for a time and no number wants all of that time.
        last = None if args.since is not None and "last" not in args.written else args.last
        yield from logs.entries(seen, last=last, since=world.now() - args.since if args.since is not None else None)

    examples = (
        Example(say=("show the system log", "what does syslog say", "看看系统日志"), plan="log.show()", may_lack=True),
        Example(say=("last 20 lines of the system log", "系统日志最后20行"), plan='log.show(last="20")', may_lack=True),
        Example(say=("system log of the last hour", "最近一小时的系统日志"), plan='log.show(since="1 hour")', may_lack=True),
    )
