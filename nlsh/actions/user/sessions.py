"""user.sessions: who is logged in now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Record
from nlsh.steps._bus import asked
from nlsh.world import World, users


class Sessions(Action):
    """Show who is logged in."""

    name = "user.sessions"
    effects = ("sys.read", "fs.read", "bus.read")

    def look(self, args: Any, world: World) -> str:

        try:
            with asked("system", users.LOGIND, "logind"):
                return "logind"
        except NotPossible:
            if not os.path.exists(users.UTMP):
                raise NotPossible(
                    "Not available here, because nobody keeps count: there is neither logind nor /run/utmp.", hint="Nothing was changed."
                ) from None
            return users.UTMP

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("bus.read", "system") if seen == "logind" else Effect("fs.read", seen), Effect("sys.read", "*"))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        if seen == "logind":
            with asked("system", users.LOGIND, "logind") as bus:
                yield from users.sessions(bus)
        else:
            yield from users.logged_in(seen)

    examples = (Example(say=("who is logged in", "who else is on this machine", "现在谁登录着"), plan="user.sessions()", may_lack=True),)
