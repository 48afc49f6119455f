"""From an entry of a pack to one plan: parameters put in their places, parts that find nothing left out. What runs it is the one gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.plan import Call, Plan, Preview, Value
from nlsh.plan.values import Flag
from nlsh.skills.load import Entry

NOTHING_FOUND = "plan.nothing-found"


class Previews(Protocol):
    """What `plan_entry` needs of a session: a kernel's preview, and the planner for sentences."""

    def preview(self, plan: Plan, request: str) -> Preview: ...

    def plan_of(self, text: str) -> Plan: ...


def plan_entry(entry: Entry, given: Mapping[str, str], session: Previews) -> Plan | None:
    """Return the plan of an entry for these parameters, or None if there is nothing to do. Raises NotPossible and what previewing raises."""
    missing = [name for name in entry.requires if name not in registry.names()]
    if missing:
        raise NotPossible(f"{entry.full_name} needs {', '.join(missing)}, which this nlsh does not have.", hint="Nothing was run.")
    if entry.sentence:
        return session.plan_of(_in_text(entry.sentence, given))
    plans = [fill_in(registry.parse(text), entry, given) for text in entry.parts]
    if len(plans) > 1:
        plans = [plan for plan in plans if _finds_something(plan, session, entry)]
    return Plan(tuple(call for plan in plans for call in plan.calls)) if plans else None


def fill_in(plan: Plan, entry: Entry, given: Mapping[str, str]) -> Plan:
    """Return the plan with `{name}` in its values replaced. A value cannot add calls or arguments: the plan is parsed before."""

    def filled(value: Value) -> Value:
        if isinstance(value, tuple):
            return tuple(_in_text(v, given) for v in value)
        if not isinstance(value, str):
            return value
        name = value[1:-1]
        if value == f"{{{name}}}" and name in entry.parameters and isinstance(entry.parameters[name].type, Flag):
            return bool(Flag().parse(given[name]))
        return _in_text(value, given)

    return Plan(tuple(replace(c, args={k: filled(v) for k, v in c.args.items()}) if isinstance(c, Call) else c for c in plan.calls))


def _in_text(text: str, given: Mapping[str, str]) -> str:
    import re

    # In one pass: a value that itself holds {name} is not filled again.
    return re.sub(r"\{([a-z_][a-z0-9_]*)\}", lambda m: given.get(m[1], m[0]), text)


def _finds_something(plan: Plan, session: Previews, entry: Entry) -> bool:
    try:
        session.preview(plan, f"run {entry.full_name}")
    except NlshError as error:
        if error.code == NOTHING_FOUND:
            return False
        raise
    return True
