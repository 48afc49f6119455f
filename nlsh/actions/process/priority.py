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
from nlsh.world.processes import Running

LEVELS = {"lowest": 19, "low": 10, "normal": 0, "high": -5, "highest": -15}


class Priority(Action):
    """Set how early processes are served when the processor is busy."""

    name = "process.priority"
    effects = ("proc.tune", "priv.root")

    class Args(BaseArgs):
        what = arg(Processes(), "processes found by an earlier call")
        name = arg(Name(), "the exact name of a program: all its processes")
        pid = arg(Pids(), "process ids")
        level = arg(
            Choice(*LEVELS),
            "lowest (nice 19), low (10), normal (0), high (-5) or highest (-15); what is lower than low already stays there, and what is higher than high",
            common=tuple(LEVELS),
        )
        nice = arg(Nice(), "the nice value itself, -20 (first served) to 19 (last served)")
        need_one_of = ("what", "name", "pid")

    def look(self, args: Any, world: World) -> list[dict[str, Any]]:
        if (args.level is None) == (args.nice is None):
            raise BadArgument("process.priority needs a level or a nice value, one of them.", hint='For example level="low".')
        wanted = LEVELS[args.level] if args.nice is None else args.nice
        # Who asks for a low priority wants no higher one than there is, and the reverse; a nice value is meant as it stands.
        bound = {"low": max, "lowest": max, "high": min, "highest": min}.get(args.level or "")
        found = []
        for process in choose(args, "tune"):
            old = [(t, seen.nice) for t in processes.threads(process.pid) if (seen := processes.read(t)) is not None]
            new = [(t, bound(n, wanted) if bound else wanted) for t, n in old]
            stays = _stays(process, args.level, wanted, [n for _, n in old], [n for _, n in new])
            if old == new:
                if stays:
                    found.append(noted(process, old=[], new=[], note=stays))
                continue
            root = root_needed(process, "tune")
            raised = [(n, m) for (_, n), (_, m) in zip(old, new, strict=True) if m < n]
            if raised and not _may_set(to := min(m for _, m in raised)):
                if not privilege.can_be_root():
                    raise NotPossible(
                        f"Only root may raise the priority of process {process.pid} ({process.called}) from nice {max(n for n, _ in raised)} to {to}.",
                        hint="Nothing was changed. Lowering the priority of what competes with it works without root.",
                    )
                root = root or f"raise the priority of process {process.pid} to nice {to}"
            lowered = [n for (_, n), (_, m) in zip(old, new, strict=True) if m > n]
            back = f"raise the priority of process {process.pid} to nice {min(lowered)}" if lowered and not _may_set(min(lowered)) else ""
            found.append(noted(process, old=old, new=new, root=root, root_back=back, undoable=not back or os.geteuid() == 0, note=stays))
        return found

    def notes(self, args: Any, seen: Any) -> tuple[str, ...]:
        return tuple(process["note"] for process in seen if process["note"])

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        for process in seen:
            if process["new"]:
                old, new = (tuple((t, n) for t, n in process[key]) for key in ("old", "new"))
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


def _stays(process: Running, level: str | None, wanted: int, old: list[int], new: list[int]) -> str:
    """Return what is said of a process that is further than the level already, or nothing."""
    kept = sorted({n for n, m in zip(old, new, strict=True) if n == m != wanted})
    if not kept:
        return ""
    way = "lower" if kept[0] > wanted else "higher"
    there = "" if len(kept) == 1 and len(set(old)) == 1 else "some of its threads "
    values = ", ".join(map(str, kept))
    return f"{process.called} (process {process.pid}) {there}stays at nice {values}: that is {way} than {level} (nice {wanted})."


def _may_set(nice: int) -> bool:
    """Return whether this user may set a nice value below a process's own without root: RLIMIT_NICE allows it, as 20 - value."""
    if os.geteuid() == 0:
        return False
    soft = resource.getrlimit(resource.RLIMIT_NICE)[0]
    return soft == resource.RLIM_INFINITY or nice >= 20 - soft
