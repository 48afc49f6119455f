"""resource.history: how CPU, memory and load went over the last minutes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Age
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Note, Record
from nlsh.plan.values import Choice
from nlsh.world import World, pressure, samples
from nlsh.world.machine import span

_USUAL_S = 600.0
# What the kernel keeps of each.
_PRESSURE = {"cpu": ("cpu",), "memory": ("memory",), "load": ()}


class History(Action):
    """Show how CPU, memory and load went over the last minutes, as far as nlsh was running to note it."""

    name = "resource.history"
    effects = ("sys.read", "fs.read")

    class Args(BaseArgs):
        what = arg(Choice(*samples.KINDS), "only this")
        time = arg(Age(), "how far back; ten minutes where nothing is said")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return {"file": samples.path()}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"), Effect("fs.read", seen["file"]))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        wanted = max(float(samples.STEP_S), args.time or _USUAL_S)
        seconds, now = min(wanted, samples.KEPT_S), world.now()
        if wanted > seconds:
            yield Note(f"Only the last {span(seconds)} are kept.")
        found = samples.read(seen["file"], now, seconds)
        if found:
            for kind in (args.what,) if args.what else samples.KINDS:
                yield samples.course(kind, found, now, seconds)
            missing = now - seconds + 6 * samples.STEP_S < found[0].at
            if missing:
                yield Note(f"Nothing was noted before {span(now - found[0].at)} ago: nlsh notes this only while it runs.")
            return
        yield Note(
            f"Nothing was noted over the last {span(seconds)}, because no nlsh session ran: it notes this every {samples.STEP_S} seconds while it runs. "
            "This is what the kernel itself keeps."
        )
        if args.what in (None, "load"):
            yield pressure.load()
        kept = _PRESSURE[args.what] if args.what else ("cpu", "memory")
        try:
            yield from (p for p in pressure.pressure() if p.resource in kept)
        except NotPossible:
            if args.what not in (None, "load"):
                yield pressure.load()

    examples = (
        Example(
            say=("how busy was this machine over the last minutes", "cpu and memory history", "最近几分钟系统的负载情况"),
            plan="resource.history()",
            result=(...,),
        ),
        Example(
            say=("how was the cpu over the last hour", "cpu usage in the past hour", "过去一小时CPU的使用情况"),
            plan='resource.history(what="cpu", time="1 hour")',
            result=(...,),
        ),
    )
