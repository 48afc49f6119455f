"""process.limits: the limits that a process runs under."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._seen import Shows, shown_to_owner, still
from nlsh.plan.action import Example
from nlsh.plan.records import Record
from nlsh.world import World, process_facts


class Limits(Shows):
    """Show the limits that a process runs under."""

    name = "process.limits"

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
