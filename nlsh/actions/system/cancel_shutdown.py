"""system.cancel_shutdown: calls off a planned shutdown or restart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.errors import NotFound
from nlsh.plan.steps import Step
from nlsh.steps.system import PlanStop, scheduled
from nlsh.world import World


class CancelShutdown(Action):
    """Call off a planned shutdown or restart."""

    name = "system.cancel_shutdown"
    effects = ("bus.call", "sys.control")

    def look(self, args: Any, world: World) -> tuple[str, float]:
        planned = scheduled()
        if planned is None:
            raise NotFound("No shutdown or restart is planned.", hint="Nothing was changed.")
        return planned

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield PlanStop(seen[0], seen[1], True)

    examples = (
        Example(say=("cancel the shutdown", "don't shut down after all", "取消关机"), plan="system.cancel_shutdown()", may_lack=True),
        # No scene has a logind.
        Example(say=("cancel the shutdown of a machine that plans none",), plan="system.cancel_shutdown()", refused="world.not-possible"),
    )
