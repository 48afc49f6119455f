"""The registry: finds actions by walking the package. `noun.verb` lives in `actions/noun/verb.py`; there is no list to edit.

Names are found without importing anything, and an action is imported when it is asked for: a one-shot pays for what it uses.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from functools import cache

from nlsh.plan.action import Action
from nlsh.plan.errors import BadPlan, UnknownAction
from nlsh.plan.plan import Plan
from nlsh.plan.syntax import format_plan, parse_plan

_ROOT = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "actions")
_ADDED: dict[str, Action] = {}
_PROVIDERS: dict[str, Callable[[], None]] = {}


@cache
def names() -> tuple[str, ...]:
    """Return every action's name, sorted."""
    found = []
    with os.scandir(_ROOT) as rooms:
        for room in rooms:
            if room.is_dir():
                found += [f"{room.name}.{name.removesuffix('.py')}" for name in os.listdir(room) if name.endswith(".py") and not name.startswith("_")]
    return tuple(sorted(found))


def get(name: str) -> Action:
    """Return the action `noun.verb`, of the catalogue or added. Raises UnknownAction with the nearest names."""
    if name not in _ADDED and name not in names():
        for prefix, bring in _PROVIDERS.items():
            if name.startswith(prefix):
                bring()
    return _ADDED.get(name) or _of_catalogue(name)


def provide(prefix: str, bring: Callable[[], None]) -> None:
    """Have `bring` called, which adds actions, when one is asked for that begins with `prefix` and is not known."""
    _PROVIDERS[prefix] = bring


def add(action: Action) -> None:
    """Make known, in this process, an action that is none of the catalogue: a pack's own, or a tool of an MCP server. Raises BadPlan.

    Nothing of the catalogue can be replaced, nor a noun of it be joined: what such an action is called says whose it is.
    """
    noun = action.name.partition(".")[0]
    if any(name.partition(".")[0] == noun for name in names()):
        raise BadPlan(f"{action.name} cannot be added: {noun} is a noun of the catalogue.", hint="Nothing was run. Give it another name.")
    _ADDED[action.name] = action


def drop(prefix: str) -> None:
    """Forget what was added under names that begin with `prefix`."""
    for name in [n for n in _ADDED if n.startswith(prefix)]:
        del _ADDED[name]


def known(name: str) -> bool:
    """Return whether there is such an action, of the catalogue or added."""
    return name in _ADDED or name in names()


def added() -> tuple[Action, ...]:
    """Return the actions that were added, sorted by name."""
    return tuple(_ADDED[name] for name in sorted(_ADDED))


@cache
def _of_catalogue(name: str) -> Action:
    if name not in names():
        import difflib

        close = difflib.get_close_matches(name, names(), 3)
        raise UnknownAction(f"There is no action “{name}”.", hint=f"Nearest: {', '.join(close)}." if close else "See `nlsh actions`.")
    module = importlib.import_module(f"nlsh.actions.{name}")
    found = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, Action) and vars(v).get("name") == name]
    if len(found) != 1:
        raise BadPlan(f"nlsh.actions.{name} must define exactly one action called {name}.")
    return found[0]()


def all_actions() -> tuple[Action, ...]:
    """Import and return every action of the catalogue."""
    return tuple(get(n) for n in names())


def positional(name: str) -> str | None:
    """Return the argument of an action that may stand without its name."""
    return get(name).first_argument()


def parse(text: str) -> Plan:
    """Return the plan that `text` writes, over this catalogue, with every argument's name checked. Raises BadPlan."""
    plan = parse_plan(text, positional)
    for call in plan.calls:
        fields = get(call.action).Args.fields
        for key in call.args:
            if key not in fields:
                get(call.action).Args.bind(call.action, {key: ""})
    return plan


def format(plan: Plan) -> str:
    """Return the plan's text."""
    return format_plan(plan, positional)
