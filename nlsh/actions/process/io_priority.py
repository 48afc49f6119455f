"""process.io_priority: how soon processes get the disk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._chosen import Pids, choose, identity, noted, root_needed
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Processes
from nlsh.plan.steps import Step
from nlsh.plan.values import Choice, Name
from nlsh.steps.io_priority import SetIoPriority
from nlsh.world import World, io_priority, processes


class IoPriority(Action):
    """Set how soon processes get the disk when others want it too."""

    name = "process.io_priority"
    effects = ("proc.tune", "priv.root")

    class Args(BaseArgs):
        what = arg(Processes(), "processes found by an earlier call")
        name = arg(Name(), "the exact name of a program: all its processes")
        pid = arg(Pids(), "process ids")
        level = arg(Choice("idle", "low", "normal", "high"), "only when the disk is idle, low, normal or high", required=True)
        need_one_of = ("what", "name", "pid")

    def look(self, args: Any, world: World) -> list[dict[str, Any]]:
        new = io_priority.LEVELS[args.level]
        found = []
        for process in choose(args, "tune"):
            old = list(_threads(process.pid))
            if old and any(value != new for _, value in old):
                found.append(noted(process, old=old, new=new, root=root_needed(process, "tune")))
        return found

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        for process in seen:
            old = tuple((t, value) for t, value in process["old"])
            yield SetIoPriority(*identity(process), old, tuple((t, process["new"]) for t, _ in old), process["root"])

    examples = (
        Example(
            say=("let nlsh-idle use the disk only when nobody else does", "nlsh-idle only when the disk is idle", "nlsh-idle只在磁盘空闲时读写"),
            plan='process.io_priority(name="nlsh-idle", level="idle")',
            processes=("nlsh-idle",),
        ),
        Example(
            say=("give nlsh-idle low disk priority", "lower the io priority of nlsh-idle", "降低nlsh-idle的磁盘优先级"),
            plan='process.io_priority(name="nlsh-idle", level="low")',
            processes=("nlsh-idle",),
        ),
        Example(
            say=("process {pid:nlsh-idle} gets the disk first",),
            plan='process.io_priority(pid="{pid:nlsh-idle}", level="high")',
            processes=("nlsh-idle",),
        ),
        Example(say=("low disk priority for process 1",), plan='process.io_priority(pid="1", level="low")', refused="action.refused"),
    )


def _threads(pid: int) -> Iterator[tuple[int, int]]:
    for thread in processes.threads(pid):
        try:
            yield thread, io_priority.get(thread)
        except ProcessLookupError:
            continue
