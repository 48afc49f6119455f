"""user.groups: the groups that a user is in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.values import Name
from nlsh.world import World, users


class Groups(Action):
    """Show which groups a user is in."""

    name = "user.groups"
    effects = ("sys.read",)

    class Args(BaseArgs):
        user = arg(Name(), "The user; left out: you.")

    def look(self, args: Any, world: World) -> str | None:
        return users.user(args.user).name if args.user is not None else None

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from users.groups(seen)

    examples = (
        Example(say=("which groups am I in", "my groups", "我属于哪些组"), plan="user.groups()"),
        Example(say=("groups of root", "root在哪些组里"), plan='user.groups(user="root")', result=("root", ...)),
        Example(say=("groups of nlsh-nobody",), plan='user.groups(user="nlsh-nobody")', refused="world.not-found"),
    )
