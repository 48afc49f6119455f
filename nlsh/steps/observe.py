"""Observe: run what an action reads, confined, and yield its records. It changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.steps import Step


@dataclass(frozen=True)
class Observe(Step):
    """Run `observe` of an action that only reads, for the arguments and the findings that were previewed."""

    reads_only: ClassVar[bool] = True

    action: str
    args: dict[str, Any]
    seen: Any
    needed: tuple[Effect, ...]

    def __post_init__(self) -> None:
        # From JSON the effects come as tuples of dictionaries.
        object.__setattr__(self, "needed", tuple(e if isinstance(e, Effect) else Effect(**e) for e in self.needed))

    def as_data(self) -> dict[str, Any]:
        return {**super().as_data(), "needed": [e.as_data() for e in self.needed]}

    def effects(self) -> tuple[Effect, ...]:
        return self.needed

    def describe(self) -> str:
        from nlsh.plan.registry import get

        return get(self.action).summary()

    def apply(self) -> Iterator[Record]:
        from nlsh.plan.registry import get
        from nlsh.world import World

        action = get(self.action)
        return action.observe(action.Args.bind(self.action, self.args), self.seen, World())
