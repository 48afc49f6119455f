"""history.undo: take back a run of the journal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Whole
from nlsh.plan.errors import NotPossible
from nlsh.plan.steps import Step
from nlsh.world import World

# What steps that have an inverse may need; the preview lists what it is in each case.
REVERSIBLE = (
    "fs.read", "fs.write", "fs.delete", "fs.meta", "proc.read", "proc.signal", "proc.tune", "sys.read", "sys.control", "dev.read", "dev.control",
    "tool.read", "tool.run", "bus.read", "bus.call", "priv.root",
)  # fmt: skip


class Undo(Action):
    """Take back what was done last, or a run by its number; taking back an undo does it again."""

    name: ClassVar = "history.undo"
    effects: ClassVar = REVERSIBLE

    class Args(BaseArgs):
        run: int | None = arg(Whole(1, 2**62, "run"), "The number of the run to take back; the last one that changed something if not given.")

    def look(self, args: Any, world: World) -> Any:
        if world.history is None:
            raise NotPossible("There is no journal here.", hint="Nothing was changed.")
        return world.history(args.run)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen.steps

    examples: ClassVar = (
        Example(
            say=("undo", "undo that", "take that back", "undo the last change", "revert what you just did", "撤销", "撤销刚才的操作", "恢复原样"),
            plan="history.undo()",
            given={"a.txt": "a"},
            after={"a.txt": "a"},
            refused="world.not-found",
        ),
        Example(say=("undo run 12", "take back run number 12", "撤销第12次操作"), plan='history.undo(run="12")', refused="world.not-found"),
    )
