"""history.list: the runs of the journal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import HistoryEntry, Record
from nlsh.world import World


class List(Action):
    """Show the last runs that changed something, newest first, and whether each can be taken back."""

    name: ClassVar = "history.list"
    effects: ClassVar = ("sys.read",)

    class Args(BaseArgs):
        limit: int = arg(Count(), "At most this many.", default=20)

    def look(self, args: Any, world: World) -> Any:
        # Read here: no worker may look into nlsh's own state.
        return [] if world.history is None else world.history.recent(args.limit)  # type: ignore[attr-defined]

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        for row in seen:
            yield HistoryEntry(**row)

    examples: ClassVar = (
        Example(
            say=("what did you do", "show the history", "what was changed recently", "list the last runs", "最近做了哪些操作", "操作历史"),
            plan="history.list()",
            result=(),
        ),
        Example(say=("the last 5 changes", "show the last 5 runs", "最近5次操作"), plan='history.list(limit="5")', result=()),
    )
