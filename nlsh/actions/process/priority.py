"""process.priority: how early processes are served when the processor is busy."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._chosen import Pids, choose, identity, noted, root_needed
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Nice, Processes
from nlsh.plan.errors import BadArgument, NotPossible
from nlsh.plan.steps import Step
from nlsh.plan.values import Choice, Name
from nlsh.steps.processes import SetNice
from nlsh.world import World, privilege, processes

LEVELS = {"lowest": 19, "low": 10, "normal": 0, "high": -5, "highest": -15}


class Priority(Action):
    """Set how early processes are served when the processor is busy."""

    name = "process.priority"
    effects = ("proc.tune", "priv.root")

    class Args(BaseArgs):
        what = arg(Processes(), "processes found by an earlier call")
        name = arg(Name(), "the exact name of a program: all its processes")
        pid = arg(Pids(), "process ids")
        level = arg(Choice(*LEVELS), "lowest (nice 19), low (10), normal (0), high (-5) or highest (-15)", common=tuple(LEVELS))
        nice = arg(Nice(), "the nice value itself, -20 (first served) to 19 (last served)")
        need_one_of = ("what", "name", "pid")

    def look(self, args: Any, world: World) -> list[dict[str, Any]]:
        if (args.level is None) == (args.nice is None):
            raise BadArgument("process.priority needs a level or a nice value, one of them.", hint='For example level="low".')
        new = LEVELS[args.level] if args.nice is None else args.nice
        found = []
        for process in choose(args, "tune"):
            old = [(t, seen.nice) for t in processes.threads(process.pid) if (seen := processes.read(t)) is not None]
            if not old or all(n == new for _, n in old):
                continue
            root = root_needed(process, "tune")
            lowest, highest = min(n for _, n in old), max(n for _, n in old)
            if new < highest and not _may_set(new):
                if not privilege.can_be_root():
                    raise NotPossible(
                        f"Only root may raise the priority of process {process.pid} ({process.called}) from nice {highest} to {new}.",
                        hint="Nothing was changed. Lowering the priority of what competes with it works without root.",
                    )
                root = root or f"raise the priority of process {process.pid} to nice {new}"
            back = "" if lowest >= new or _may_set(lowest) else f"raise the priority of process {process.pid} to nice {lowest}"
            found.append(noted(process, old=old, nice=new, root=root, root_back=back, undoable=not back or os.geteuid() == 0))
        return found

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        for process in seen:
            old = tuple((t, n) for t, n in process["old"])
            new = tuple((t, process["nice"]) for t, _ in old)
            yield SetNice(*identity(process), old, new, process["undoable"], process["root"], process["root_back"])

    examples = (
        Example(
            say=("make nlsh-idle low priority", "give nlsh-idle less priority", "nlsh-idle should wait for the others", "降低nlsh-idle的优先级"),
            plan='process.priority(name="nlsh-idle", level="low")',
            processes=("nlsh-idle",),
        ),
        Example(
            say=("put nlsh-idle at the very lowest priority", "把nlsh-idle的优先级调到最低"),
            plan='process.priority(name="nlsh-idle", level="lowest")',
            processes=("nlsh-idle",),
        ),
        Example(
            say=("renice {pid:nlsh-idle} to 15", "set process {pid:nlsh-idle} to nice 15", "把进程{pid:nlsh-idle}的nice值设为15"),
            plan='process.priority(pid="{pid:nlsh-idle}", nice="15")',
            processes=("nlsh-idle",),
        ),
        Example(say=("give process 1 low priority",), plan='process.priority(pid="1", level="low")', refused="action.refused"),
    )


def _may_set(nice: int) -> bool:
    """Return whether this user may set a nice value below a process's own without root: RLIMIT_NICE allows it, as 20 - value."""
    if os.geteuid() == 0:
        return False
    soft = resource.getrlimit(resource.RLIMIT_NICE)[0]
    return soft == resource.RLIM_INFINITY or nice >= 20 - soft
