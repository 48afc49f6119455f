"""cron.list: what cron runs, when, and as whom."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Record
from nlsh.plan.values import Name
from nlsh.world import World, cron, users


class List(Action):
    """List cron entries and what they run."""

    name = "cron.list"
    effects = ("fs.read", "tool.read")

    class Args(BaseArgs):
        user = arg(Name(), "Whose.")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        me = users.user(None).name
        whose = users.user(args.user).name if args.user is not None else None
        spool = cron.spool()
        if whose is not None and whose != me and spool is None and os.geteuid() != 0:
            raise NotPossible(f"Only root may read the cron table of {whose}.", hint="Nothing was changed. Run nlsh with sudo.")
        places = cron.places()
        if not places and spool is None and not cron.tools.present("crontab"):
            raise NotPossible("Not available here, because there is no cron.", hint="service.timers() shows the timers of systemd.")
        # Where only `crontab` itself may read the table it is asked here: in a worker it has no more rights than the user.
        table = cron.own_table() if spool is None and whose in (None, me) else None
        return {"me": me, "whose": whose, "places": places, "spool": spool, "table": table}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        reads = [Effect("fs.read", p) for p in (*seen["places"], *([seen["spool"]] if seen["spool"] else []))]
        return (*reads, *([Effect("tool.read", "crontab -l")] if seen["table"] is not None else []))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        found = list(cron.entries(seen["places"], seen["spool"]))
        found += cron.parse((seen["table"] or "").splitlines(), "", seen["me"])
        yield from (e for e in found if seen["whose"] is None or e.user == seen["whose"])

    examples = (
        Example(say=("list cron jobs", "what does cron run", "有哪些定时任务"), plan="cron.list()", may_lack=True),
        Example(say=("cron jobs of root", "root的定时任务"), plan='cron.list(user="root")', may_lack=True),
        Example(say=("cron jobs of nlsh-nobody",), plan='cron.list(user="nlsh-nobody")', refused="world.not-found"),
    )
