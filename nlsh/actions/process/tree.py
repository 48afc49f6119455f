"""process.tree: which process started which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._chosen import Pids, others
from nlsh.actions.process._seen import meant
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.records.process import Branch
from nlsh.plan.values import Name
from nlsh.world import World, process_facts, processes


class Tree(Action):
    """Show which process started which; the kernel's own threads are left out."""

    name = "process.tree"
    effects = ("proc.read",)

    class Args(BaseArgs):
        name = arg(Name(), "only this program and what it started")
        pid = arg(Pids(), "only these processes and what they started")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return {"of": [p.pid for p in meant(args)] if args.name or args.pid else None}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("proc.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        found = [p for p in others() if not p.kernel_thread]
        if seen["of"] is not None:
            found = process_facts.below(seen["of"], found)
        for process, depth, before in process_facts.ordered(found):
            user = processes.user_name(processes.user_ids(process.pid)[1])
            yield Branch(process.pid, before + process.called, process.called, depth, process.parent, user, process.command)

    examples = (
        Example(say=("show the process tree", "which process started which", "显示进程树"), plan="process.tree()", processes=("nlsh-idle",), result=(...,)),
        Example(
            say=("what did nlsh-idle start", "the tree below nlsh-idle", "nlsh-idle启动了哪些子进程"),
            plan='process.tree(name="nlsh-idle")',
            processes=("nlsh-idle", "nlsh-other"),
            result=("{pid:nlsh-idle}",),
        ),
        Example(
            say=("the children of process {pid:nlsh-idle}",),
            plan='process.tree(pid="{pid:nlsh-idle}")',
            processes=("nlsh-idle",),
            result=("{pid:nlsh-idle}",),
        ),
        Example(say=("the process tree of nlsh-absent",), plan='process.tree(name="nlsh-absent")', refused="world.not-found"),
    )
