"""user.logins: who logged in last, and until when."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Record
from nlsh.world import World, users


class Logins(Action):
    """Show who logged in last."""

    name = "user.logins"
    effects = ("sys.read", "fs.read")

    class Args(BaseArgs):
        limit = arg(Count(), "At most this many.", default=20)

    def look(self, args: Any, world: World) -> str:

        found = next((p for p in (users.WTMPDB, users.WTMP) if os.path.exists(p)), None)
        if found is None:
            raise NotPossible("Not available here, because this machine keeps no record of logins.", hint="Nothing was changed.")
        return found

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"), Effect("fs.read", seen))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from users.logins(args.limit)

    examples = (
        Example(say=("who logged in last", "recent logins", "最近谁登录过"), plan="user.logins()", may_lack=True),
        Example(say=("last 5 logins", "最近5次登录"), plan='user.logins(limit="5")', may_lack=True),
    )
