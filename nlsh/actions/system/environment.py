"""system.environment: environment variables, those that hold secrets without their values."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotFound
from nlsh.plan.records import Fact, Record
from nlsh.plan.values import Name
from nlsh.world import World, identity


class Environment(Action):
    """Show environment variables."""

    name = "system.environment"
    effects = ("sys.read",)

    class Args(BaseArgs):
        variable = arg(Name(), "Only this one.")

    def look(self, args: Any, world: World) -> dict[str, str]:
        # Looked at here: a worker knows only a few of them.
        found = identity.masked(os.environ)
        if args.variable is None:
            return found
        name = args.variable.strip().lstrip("$").strip("{}")
        for candidate in (name, name.upper()):
            if candidate in found:
                return {candidate: found[candidate]}
        import difflib

        near = difflib.get_close_matches(name.upper(), found, 3)
        raise NotFound(f"There is no variable {name} in the environment.", hint=f"Nothing was changed.{' There is ' + ', '.join(near) + '.' if near else ''}")

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        for name, value in seen.items():
            yield Fact(name, value)

    examples = (
        Example(say=("show my environment variables", "env", "看看环境变量"), plan="system.environment()", result=("HOME", ...)),
        Example(say=("what is HOME set to", "value of $HOME", "HOME环境变量是什么"), plan='system.environment(variable="HOME")', result=("HOME",)),
        Example(say=("what is NLSH_NO_SUCH set to",), plan='system.environment(variable="NLSH_NO_SUCH")', refused="world.not-found"),
    )
