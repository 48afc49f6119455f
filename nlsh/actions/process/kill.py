"""process.kill: end processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._chosen import Pids, choose, identity, noted, root_needed
from nlsh.plan.action import Action, BaseArgs, Example, Never, arg
from nlsh.plan.amounts import Port, Processes
from nlsh.plan.steps import Step
from nlsh.plan.values import Flag, Name
from nlsh.steps.processes import Signal
from nlsh.world import World


class Kill(Action):
    """End processes chosen by name, id or port."""

    name = "process.kill"
    effects = ("proc.signal", "priv.root")
    undo = Never("a process that has ended cannot be started again as it was")

    class Args(BaseArgs):
        what = arg(Processes(), "processes found by an earlier call")
        name = arg(Name(), "the exact name of a program: all its processes")
        pid = arg(Pids(), "process ids")
        port = arg(Port(), "whoever listens on this port")
        user = arg(Name(), "all processes of this user")
        force = arg(Flag(), "end at once, with no time to save", default=False)
        need_one_of = ("what", "name", "pid", "port", "user")

    def look(self, args: Any, world: World) -> list[dict[str, Any]]:
        return [noted(p, command=p.summary, root=root_needed(p, "end")) for p in choose(args, "end")]

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        everyone = tuple((s["pid"], s["started"]) for s in seen)
        for number, process in enumerate(seen):
            yield Signal(
                *identity(process),
                "KILL" if args.force else "TERM",
                command=process["command"],
                begins=everyone if number == 0 else (),
                awaits=everyone if number == len(seen) - 1 else (),
                may_be_gone=number > 0,
                root=process["root"],
            )

    examples = (
        Example(
            say=("kill nlsh-idle", "stop nlsh-idle please", "I'm done with nlsh-idle, close it", "关掉nlsh-idle"),
            plan='process.kill(name="nlsh-idle")',
            processes=("nlsh-idle", "nlsh-other"),
        ),
        Example(
            say=("force quit nlsh-idle", "nlsh-idle is frozen, kill -9 it", "强制结束nlsh-idle"),
            plan='process.kill(name="nlsh-idle", force=true)',
            processes=("nlsh-idle",),
        ),
        Example(
            say=("kill process {pid:nlsh-idle}", "end the process with id {pid:nlsh-idle}", "结束进程{pid:nlsh-idle}"),
            plan='process.kill(pid="{pid:nlsh-idle}")',
            processes=("nlsh-idle",),
        ),
        Example(
            say=("kill whatever is on port {port:nlsh-idle}", "free up port {port:nlsh-idle}", "把占用{port:nlsh-idle}端口的程序关掉"),
            plan='process.kill(port="{port:nlsh-idle}")',
            processes=("nlsh-idle",),
        ),
        Example(
            say=("kill the process that uses the name nlsh-idle",),
            plan='a = process.find(name="nlsh-idle"); process.kill(a)',
            processes=("nlsh-idle",),
        ),
        Example(say=("kill process 1", "end pid 1 by force"), plan='process.kill(pid="1", force=true)', refused="action.refused"),
        Example(say=("kill nlsh-absent", "结束nlsh-absent"), plan='process.kill(name="nlsh-absent")', refused="world.not-found"),
    )
