"""resource.users: how much CPU and memory each user takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, rates

SAMPLE_S = 0.5


class Users(Action):
    """Show how much CPU and memory each user takes, measured over half a second."""

    name = "resource.users"
    effects = ("proc.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("proc.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from rates.users(SAMPLE_S)

    examples = (
        Example(
            say=("which user takes the most memory", "cpu and memory per user", "who uses this machine how much", "每个用户占用多少资源"),
            plan="resource.users()",
            result=(...,),
        ),
    )
