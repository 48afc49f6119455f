"""log.kernel: what the kernel has logged since the machine started."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.log import _read
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, logs


class Kernel(Action):
    """Show what the kernel has logged."""

    name = "log.kernel"
    effects = _read.EFFECTS

    class Args(BaseArgs):
        last = arg(Count(), "The last so many lines.", default=50)

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return logs.find(kernel=True)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _read.needs(seen)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from logs.entries(seen, kernel=True, last=args.last)

    examples = (
        Example(say=("show kernel messages", "dmesg please", "what did the kernel log", "看内核日志"), plan="log.kernel()", may_lack=True),
        Example(say=("last 10 kernel messages", "内核日志最后10条"), plan='log.kernel(last="10")', may_lack=True),
    )
