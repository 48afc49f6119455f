"""resource.io: how fast disks read and write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Note, Record
from nlsh.plan.values import Flag
from nlsh.world import World, rates

SAMPLE_S = 1.0


class Io(Action):
    """Show how fast disks read and write, measured over a second."""

    name = "resource.io"
    effects = ("sys.read", "proc.read")

    class Args(BaseArgs):
        each = arg(Flag(), "each process by itself, the busiest first", default=False)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"), *((Effect("proc.read", "*"),) if args.each else ()))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        if not args.each:
            found = rates.disks(SAMPLE_S)
            if not found:
                raise NotPossible("Not available here, because this system sees no disk of its own.", hint="Nothing was changed. A container often has none.")
            yield from found
            return
        busy, hidden = rates.disk_use_of_processes(SAMPLE_S)
        if not busy:
            yield Note("No process has read from a disk or written to one in that second.")
        if hidden:
            yield Note(f"{hidden} process{'' if hidden == 1 else 'es'} more cannot be seen into from here: root sees those of other users.")
        yield from busy

    examples = (
        Example(
            say=("how busy are the disks", "disk speed right now", "how fast does the disk read and write", "磁盘读写速度"),
            plan="resource.io()",
            result=(...,),
            may_lack=True,
        ),
        Example(
            say=("which process uses the disk most", "who writes to the disk all the time", "哪个进程读写磁盘最多"),
            plan="resource.io(each=true)",
            result=(...,),
        ),
    )
