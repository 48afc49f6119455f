"""history.finish: do what is left of a run that was cut short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Whole
from nlsh.plan.errors import NotPossible
from nlsh.plan.steps import Step
from nlsh.world import World


class Finish(Action):
    """Do what is left of a run that was cut short, by a crash, by Ctrl-C or by a step that failed."""

    name: ClassVar = "history.finish"
    # Whatever the run was made of: it was approved once, and is decided on again by what its remaining steps need.
    effects: ClassVar = (
        "fs.read", "fs.write", "fs.delete", "fs.meta", "proc.read", "proc.signal", "proc.tune", "exec", "net.read", "net.connect", "net.listen",
        "dev.read", "dev.control", "dev.format", "sys.read", "sys.control", "tool.read", "tool.run", "bus.read", "bus.call", "priv.root",
    )  # fmt: skip

    class Args(BaseArgs):
        run: int | None = arg(Whole(1, 2**62, "run"), "The number of the run to finish; the last one that was cut short if not given.")

    def look(self, args: Any, world: World) -> Any:
        if world.history is None:
            raise NotPossible("There is no journal here.", hint="Nothing was changed.")
        return world.history.remaining(args.run)  # type: ignore[attr-defined]

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen.steps

    examples: ClassVar = (
        Example(
            say=("finish what was interrupted", "carry on with the run that was cut short", "complete the interrupted job", "继续完成上次中断的操作"),
            plan="history.finish()",
            given={"a.txt": "a"},
            after={"a.txt": "a"},
            refused="world.not-found",
        ),
        Example(say=("finish run 12", "完成第12次操作"), plan='history.finish(run="12")', refused="world.not-found"),
    )
