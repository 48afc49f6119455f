"""user.me: who you are to this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Fact, Record
from nlsh.world import World, users


class Me(Action):
    """Show who you are to this machine."""

    name = "user.me"
    effects = ("sys.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        me = users.user(None)
        yield Fact("user", me.name)
        yield Fact("id", str(me.id))
        if me.full_name:
            yield Fact("full name", me.full_name)
        yield Fact("groups", " ".join(g.name for g in users.groups(None)))
        yield Fact("home", me.home)
        if me.login_shell:
            yield Fact("login shell", me.login_shell)

    examples = (Example(say=("who am I", "whoami", "what user am I", "我是谁"), plan="user.me()", result=("user", "id", "groups", "home", ...)),)
