"""process.limits: the limits that a process runs under."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._chosen import Pids
from nlsh.actions.process._seen import meant, noted, shown_to_owner, still
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.values import Name, Processes
from nlsh.world import World, process_facts


class Limits(Action):
    """Show the limits that a process runs under."""

    name = "process.limits"
    effects = ("proc.read",)

    class Args(BaseArgs):
        what = arg(Processes(), "processes found by an earlier call")
        name = arg(Name(), "the name of a program")
        pid = arg(Pids(), "process ids")
        need_one_of = ("what", "name", "pid")

    def look(self, args: Any, world: World) -> list[dict[str, Any]]:
        return noted(meant(args))

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("proc.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        for process in still(seen):
            with shown_to_owner(process, "The limits"):
                yield from process_facts.limits(process)
                yield from process_facts.group_limits(process)

    examples = (
        Example(
            say=("which limits does nlsh-idle have", "limits of nlsh-idle", "nlsh-idle有哪些限制"),
            plan='process.limits(name="nlsh-idle")',
            processes=("nlsh-idle",),
            result=("open files", ...),
        ),
        Example(
            say=("how many files may process {pid:nlsh-idle} open", "进程{pid:nlsh-idle}的资源限制"),
            plan='process.limits(pid="{pid:nlsh-idle}")',
            processes=("nlsh-idle",),
            result=("open files", ...),
        ),
        Example(say=("limits of nlsh-absent",), plan='process.limits(name="nlsh-absent")', refused="world.not-found"),
    )
