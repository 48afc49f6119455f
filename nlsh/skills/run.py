"""From an entry of a pack to one plan: parameters put in their places, parts that find nothing left out. What runs it is the one gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from nlsh.plan import registry
from nlsh.plan.errors import BadPlan, NlshError, NotPossible
from nlsh.plan.plan import Plan, Preview
from nlsh.skills import pins
from nlsh.skills.load import Entry, filled, in_text

NOTHING_FOUND = "plan.nothing-found"


class Previews(Protocol):
    """What `plan_entry` needs of a session: a kernel's preview, and the planner for sentences."""

    def preview(self, plan: Plan, request: str) -> Preview: ...

    def plan_of(self, text: str) -> Plan: ...


def plan_entry(entry: Entry, given: Mapping[str, str], session: Previews) -> Plan | None:
    """Return the plan of an entry for these parameters, or None if there is nothing to do. Raises NotPossible and what previewing raises.

    A sentence that is pinned needs no planner.
    """
    check_requires(entry)
    if not entry.parts:
        plans = [pins.pinned(entry, given) or sentence_plan(entry, given, session)]
    else:
        plans = [filled(registry.parse(text), entry, given) for text in entry.parts]
    if any(plan.schedule is not None for plan in plans):
        # The later runs of a job are held to what the user approved then, not to the pack's ceiling.
        raise BadPlan(f"{entry.full_name} would make a job, and a pack's plans run at once.", hint="Nothing was run. Make the job yourself: see nlsh jobs.")
    if len(plans) > 1:
        plans = [plan for plan in plans if _finds_something(plan, session, entry)]
    return Plan(tuple(call for plan in plans for call in plan.calls)) if plans else None


def sentence_plan(entry: Entry, given: Mapping[str, str], session: Previews) -> Plan:
    """Return the plan of an entry's sentence. Raises what planning raises.

    One with values in it is a command only where the pack says so with `!`; whatever a value makes of another, it is language.
    """
    if (said := in_text(entry.sentence, given)) == entry.sentence:
        return session.plan_of(said)
    if entry.sentence.startswith("!"):
        return filled(session.plan_of(entry.sentence), entry, given)
    return session.plan_of(f"?{said.removeprefix('?')}")


def check_requires(entry: Entry) -> None:
    """Raise NotPossible where this nlsh lacks an action that the entry needs."""
    missing = [name for name in entry.requires if not registry.known(name)]
    if missing:
        raise NotPossible(f"{entry.full_name} needs {', '.join(missing)}, which this nlsh does not have.", hint="Nothing was run.")


def _finds_something(plan: Plan, session: Previews, entry: Entry) -> bool:
    try:
        session.preview(plan, f"run {entry.full_name}")
    except NlshError as error:
        if error.code == NOTHING_FOUND:
            return False
        raise
    return True
