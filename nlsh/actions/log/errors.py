"""log.errors: the entries of the system's log that are errors or worse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.log import _read
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Age, Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.plan.values import Flag
from nlsh.world import World, logs, processes

_USUAL = 50


class Errors(Action):
    """Show errors from the system's log."""

    name = "log.errors"
    effects = _read.EFFECTS

    class Args(BaseArgs):
        since = arg(Age(), "Only what is newer than this.")
        boot = arg(Flag(), "Only since the machine started.", default=False)
        last = arg(Count(), "The last so many; left out: all of the time that is said, or the last 50.")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return logs.find()

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _read.needs(seen)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        starts = [world.now() - args.since] if args.since is not None else []
        starts += [processes.boot_time()] if args.boot else []
        yield from _read.notes(seen, errors=True)
        # Who says no time and no number asks what is wrong now: a journal holds the errors of months.
        if starts or args.last is not None:
            yield from logs.entries(seen, errors=True, since=max(starts, default=None), last=args.last)
            return
        found = list(logs.entries(seen, errors=True, last=_USUAL + 1))
        yield from found[-_USUAL:]
        if len(found) > _USUAL:
            yield Note(f"These are the last {_USUAL} errors, and there are older ones: say how many, or since when.")

    examples = (
        Example(say=("any errors in the system log", "show me what went wrong on this machine", "系统日志里有什么错误"), plan="log.errors()", may_lack=True),
        Example(say=("errors of the last two hours", "最近两小时的错误"), plan='log.errors(since="two hours")', may_lack=True),
        Example(say=("the last 10 errors in the system log", "系统日志里最后10个错误"), plan='log.errors(last="10")', may_lack=True),
        Example(say=("errors since boot", "开机以来的错误"), plan="log.errors(boot=true)", may_lack=True),
    )
