"""user.list: the users of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, users


class List(Action):
    """List the users of this machine."""

    name = "user.list"
    effects = ("sys.read", "fs.read")

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"), Effect("fs.read", "/etc/login.defs"))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from users.users()

    examples = (Example(say=("list users", "who has an account on this machine", "这台机器有哪些用户"), plan="user.list()", result=("root", ...)),)
