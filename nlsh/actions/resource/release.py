"""resource.release: take limits, cores and priorities off programs again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._chosen import Pids
from nlsh.actions.resource import _held
from nlsh.actions.resource._jobs import Names, jobs
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Processes, Whole
from nlsh.plan.errors import NotPossible
from nlsh.plan.steps import Step
from nlsh.world import World


class Release(Action):
    """Take off limits, cores and priorities that programs were given: they use the machine as any other program does."""

    name = "resource.release"
    effects = ("proc.tune", "fs.write", "fs.delete", "bus.call", "sys.control", "priv.root")

    class Args(BaseArgs):
        name = arg(Names(), "the exact names of programs, each with all its processes")
        what = arg(Processes(), "processes found by an earlier call")
        pid = arg(Pids(), "process ids")
        run = arg(Whole(1, 2**62, "run"), "only what this run of the journal did to them, each as it was before")
        need_one_of = ("name", "what", "pid")

    def look(self, args: Any, world: World) -> Any:
        if args.run is not None:
            if world.history is None:
                raise NotPossible("There is no journal here.", hint="Nothing was changed.")
            named = (pid for job in jobs(args.name or (), (), "tune") for pid in job.pids)
            # Those that have ended meanwhile are left out there.
            return world.history.on_processes(args.run, {*named, *(args.what or ()), *(args.pid or ())})  # type: ignore[attr-defined]
        found = jobs(args.name or (), (*(args.what or ()), *(args.pid or ())), "tune")
        items = [item for job in found for item in _held.freed(job)]
        if os.geteuid() != 0 and (kept := [i for i in items if i["by"] in ("nice", "session") and i["root"]]):
            raise NotPossible(
                f"Only root may raise the priority of process {kept[0]['pid']} ({kept[0]['name']}) again.",
                hint='Nothing was changed. To take off only its cores: resource.limit with all of them, as in cores="0-3".',
            )
        return items

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen.steps if args.run is not None else _held.steps(seen)

    examples = (
        Example(
            say=(
                "give nlsh-idle back the whole machine",
                "take all limits off nlsh-idle",
                "nlsh-idle does not need limits any more",
                "release nlsh-idle from its share",
                "解除对nlsh-idle的资源限制",
                "不再限制nlsh-idle",
            ),
            plan='resource.release("nlsh-idle")',
            processes=("nlsh-idle",),
        ),
        Example(
            say=("remove the resource limits of process {pid:nlsh-idle}", "取消进程{pid:nlsh-idle}的资源限制"),
            plan='resource.release(pid="{pid:nlsh-idle}")',
            processes=("nlsh-idle",),
        ),
        Example(say=("take the limits off process 1",), plan='resource.release(pid="1")', refused="action.refused"),
    )
