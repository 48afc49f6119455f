"""resource.spare: let programs have only what nobody else wants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._chosen import Pids
from nlsh.actions.resource import _held
from nlsh.actions.resource._jobs import Names, jobs
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Processes
from nlsh.plan.steps import Step
from nlsh.resources import inventory
from nlsh.world import World


class Spare(Action):
    """Let running programs go as fast as they can on what nobody else wants: every idle core and disk, and nothing while others are busy."""

    name = "resource.spare"
    effects = ("proc.tune", "fs.write", "bus.call", "sys.control", "priv.root")

    class Args(BaseArgs):
        name = arg(Names(), "the exact names of programs, each with all its processes")
        what = arg(Processes(), "processes found or started by an earlier call")
        pid = arg(Pids(), "process ids")
        need_one_of = ("name", "what", "pid")

    def look(self, args: Any, world: World) -> list[dict[str, Any]]:
        found = jobs(args.name or (), (*(args.what or ()), *(args.pid or ())), "tune")
        parts = [_held.Part(j, weight=1, last=True) for j in found]
        return [*_held.held(parts, inventory.read()), *(item for j in found for item in _held.at_the_disk(j, "idle"))]

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from _held.steps(seen)

    examples = (
        Example(
            say=(
                "let nlsh-idle run as fast as possible without slowing me down",
                "nlsh-idle may use only what nobody else wants",
                "nlsh-idle should not get in my way",
                "run nlsh-idle in the gaps, on idle time only",
                "让nlsh-idle只用别人不用的资源",
                "nlsh-idle尽快跑，但别拖慢我",
            ),
            plan='resource.spare("nlsh-idle")',
            processes=("nlsh-idle",),
        ),
        Example(
            say=("process {pid:nlsh-idle} gets only spare resources", "让进程{pid:nlsh-idle}只用空闲资源"),
            plan='resource.spare(pid="{pid:nlsh-idle}")',
            processes=("nlsh-idle",),
        ),
        Example(say=("process 1 may use idle time only",), plan='resource.spare(pid="1")', refused="action.refused"),
    )
