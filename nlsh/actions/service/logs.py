"""service.logs: what a service has written to the journal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Age, Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.values import Name
from nlsh.world import World, logs, services


class Logs(Action):
    """Show what a service has logged."""

    name = "service.logs"
    effects = ("sys.read", "tool.read", "fs.read")

    class Args(BaseArgs):
        name = arg(Name(), "The service.", required=True)
        last = arg(Count(), "The last so many lines.", default=50)
        since = arg(Age(), "Only what is newer than this.")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return {"unit": services.unit_name(args.name), **logs.find(journal_only=True)}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (*logs.effects(seen), Effect("sys.read", "*"))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        last = None if args.since is not None and "last" not in args.written else args.last
        yield from logs.entries(seen, unit=seen["unit"], last=last, since=world.now() - args.since if args.since is not None else None)

    examples = (
        Example(say=("logs of nginx", "what has nginx logged", "看看nginx的日志"), plan='service.logs(name="nginx")', may_lack=True),
        Example(say=("last 100 log lines of sshd", "sshd最近100行日志"), plan='service.logs(name="sshd", last="100")', may_lack=True),
        Example(say=("nginx logs since an hour ago",), plan='service.logs(name="nginx", since="an hour ago")', may_lack=True),
    )
