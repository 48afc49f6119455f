"""process.wait: wait until processes have ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._chosen import Pids
from nlsh.actions.process._seen import meant, noted
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Duration, Processes
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError
from nlsh.plan.records import Note, Record
from nlsh.plan.records.process import Ended
from nlsh.plan.values import Name
from nlsh.steps.waiting import ends
from nlsh.world import World
from nlsh.world.machine import span


class Wait(Action):
    """Wait until processes have ended."""

    name = "process.wait"
    effects = ("proc.read",)

    class Args(BaseArgs):
        what = arg(Processes(), "processes found by an earlier call")
        name = arg(Name(), "the name of a program")
        pid = arg(Pids(), "process ids")
        time = arg(Duration(), "at most this long")
        need_one_of = ("what", "name", "pid")

    def look(self, args: Any, world: World) -> list[dict[str, Any]]:
        return noted(meant(args, ours=False))

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        # Each by its number: the worker is handed what tells of its end.
        return (Effect("proc.read", "*"), *(Effect("proc.read", str(item["pid"])) for item in seen))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        left = {item["pid"]: item for item in seen}
        for pid, waited in ends([(item["pid"], item["started"]) for item in seen], args.time):
            if pid is None:
                # A record, so that a wait that was cancelled is left here.
                yield Note("Stopped waiting.")
                return
            yield Ended(pid, left.pop(pid)["name"], round(waited, 1))
        if left:
            who = ", ".join(f"{item['name']} (process {pid})" for pid, item in left.items())
            raise NlshError(f"{who} is still running after {span(args.time)}.", hint="Nothing was changed.", code="process.still-running")

    examples = (
        Example(
            say=("wait half a second for nlsh-idle to end", "wait until nlsh-idle is done, 0.5s at most", "等nlsh-idle结束"),
            plan='process.wait(name="nlsh-idle", time="0.5s")',
            processes=("nlsh-idle",),
            refused="process.still-running",
        ),
        Example(
            say=("end nlsh-idle and wait until it is gone", "kill nlsh-idle and wait for it", "关掉nlsh-idle并等它结束"),
            plan='process.kill(name="nlsh-idle"); process.wait(name="nlsh-idle", time="1 minute")',
            processes=("nlsh-idle",),
        ),
        Example(say=("wait for nlsh-absent to finish", "等nlsh-absent跑完"), plan='process.wait(name="nlsh-absent")', refused="world.not-found"),
    )
