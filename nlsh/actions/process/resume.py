"""process.resume: let paused processes run on."""

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


class Resume(Action):
    """Let paused processes run on."""

    name = "process.resume"
    effects = ("proc.signal", "priv.root")

    class Args(BaseArgs):
        what = arg(Processes(), "processes found by an earlier call")
        name = arg(Name(), "the exact name of a program: all its processes")
        pid = arg(Pids(), "process ids")
        need_one_of = ("what", "name", "pid")

    def look(self, args: Any, world: World) -> list[dict[str, Any]]:
        return [noted(p, command=p.summary, root=root_needed(p, "resume")) for p in choose(args, "resume") if p.state == "T"]

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        for process in seen:
            yield Signal(*identity(process), "CONT", command=process["command"], root=process["root"])

    examples = (
        Example(
            say=("resume nlsh-idle", "nlsh-idle can carry on now", "let nlsh-idle continue", "让nlsh-idle继续运行"),
            plan='process.resume(name="nlsh-idle")',
            processes=("nlsh-idle",),
        ),
        Example(say=("resume nlsh-absent",), plan='process.resume(name="nlsh-absent")', refused="world.not-found"),
    )
