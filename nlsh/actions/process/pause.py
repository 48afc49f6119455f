"""process.pause: stop processes for a while."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._chosen import Pids, choose, identity, noted, root_needed
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Processes
from nlsh.plan.steps import Step
from nlsh.plan.values import Name
from nlsh.steps.processes import Signal
from nlsh.world import World


class Pause(Action):
    """Pause processes: they keep their memory and files and do nothing until resumed."""

    name = "process.pause"
    effects = ("proc.signal", "priv.root")

    class Args(BaseArgs):
        what = arg(Processes(), "processes found by an earlier call")
        name = arg(Name(), "the exact name of a program: all its processes")
        pid = arg(Pids(), "process ids")
        need_one_of = ("what", "name", "pid")

    def look(self, args: Any, world: World) -> list[dict[str, Any]]:
        # Parents first: a parent that runs might start a child anew.
        return [noted(p, command=p.summary, root=root_needed(p, "pause")) for p in reversed(choose(args, "pause")) if p.state != "T"]

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        for process in seen:
            yield Signal(*identity(process), "STOP", command=process["command"], root=process["root"])

    examples = (
        Example(
            say=("pause nlsh-idle", "freeze nlsh-idle for a bit, don't close it", "暂停nlsh-idle"),
            plan='process.pause(name="nlsh-idle")',
            processes=("nlsh-idle",),
        ),
        Example(
            say=("suspend process {pid:nlsh-idle}", "put process {pid:nlsh-idle} on hold", "先把进程{pid:nlsh-idle}停一下"),
            plan='process.pause(pid="{pid:nlsh-idle}")',
            processes=("nlsh-idle",),
        ),
        Example(say=("pause process 1", "freeze pid 1"), plan='process.pause(pid="1")', refused="action.refused"),
    )
