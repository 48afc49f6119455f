"""process.environment: the environment variables with which a process was started."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._seen import Shows, shown_to_owner, still
from nlsh.plan.action import Example
from nlsh.plan.records import Note, Record
from nlsh.world import World, process_facts


class Environment(Shows):
    """Show the environment variables with which a process was started; what looks like a secret is kept back."""

    name = "process.environment"

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        masked = 0
        for process in still(seen):
            with shown_to_owner(process, "The environment"):
                for variable in process_facts.variables(process.pid):
                    masked += variable.masked
                    yield variable
        if masked:
            yield Note(f"{masked} value{' looks' if masked == 1 else 's look'} like a secret and {'is' if masked == 1 else 'are'} not shown.")

    examples = (
        Example(
            say=("show the environment of nlsh-idle", "environment variables of nlsh-idle", "nlsh-idle的环境变量"),
            plan='process.environment(name="nlsh-idle")',
            processes=("nlsh-idle",),
            result=("HOME", ...),
        ),
        Example(
            say=("with which environment does process {pid:nlsh-idle} run", "查看进程{pid:nlsh-idle}的环境变量"),
            plan='process.environment(pid="{pid:nlsh-idle}")',
            processes=("nlsh-idle",),
            result=("HOME", ...),
        ),
        Example(say=("environment of nlsh-absent",), plan='process.environment(name="nlsh-absent")', refused="world.not-found"),
    )
