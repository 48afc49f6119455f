"""What a pack's entry may do at most, and whether it is always asked about: rules beside the user's own, for as long as the entry runs.

They only tighten: what policy denies stays denied, and no answer, flag or edited plan lifts them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from nlsh.guard.rules import Rule
from nlsh.plan import registry
from nlsh.plan.effects import KINDS
from nlsh.plan.errors import BadArgument
from nlsh.settings import trash_dir
from nlsh.skills.load import Entry, in_text

if TYPE_CHECKING:
    from nlsh.guard.policy import Policy
    from nlsh.plan.plan import Preview

_CHANGES = tuple(kind for kind, (_, changes, _) in KINDS.items() if changes)
_SHOWN = 5
_PATTERN = "*?{"  # what a rule reads as more than itself
_READS = tuple(kind for kind, (_, changes, _) in KINDS.items() if not changes)


class HasPolicy(Protocol):
    """What decides by a policy: a kernel, or a session that shows what it would say."""

    policy: Policy


@contextmanager
def held(entry: Entry, given: Mapping[str, str], *holders: HasPolicy) -> Iterator[None]:
    """Within: what these run stays below the entry's ceiling. Raises UnknownAction and BadPlan for plans that are none, BadArgument as `rules` does."""
    added = rules(entry, given)
    for holder in holders:
        holder.policy = holder.policy.with_rules(added)
    try:
        yield
    finally:
        # What was allowed for the session meanwhile stays.
        for holder in holders:
            holder.policy = replace(holder.policy, rules=tuple(r for r in holder.policy.rules if r not in added))


def rules(entry: Entry, given: Mapping[str, str]) -> tuple[Rule, ...]:
    """Return the rules that hold an entry to what it says that it does. Raises BadArgument for a value that would widen them."""
    places: dict[str, list[str]] = {}
    free: set[str] = set()
    for written in ceiling(entry):
        kind, colon, target = written.partition(":")
        if colon:
            places.setdefault(kind, []).extend(_trash() if target == "{trash}" else _targets(kind, _with_values(entry, target, given)))
        else:
            free.add(kind)
    name, reason = _name(entry), f"the pack {entry.pack} does not say that {entry.name} does this: see nlsh skills show {entry.full_name}"
    found = [Rule(name, "deny", tuple(k for k in KINDS if k not in free and k not in places), reason, scope="session")]
    found += [Rule(name, "deny", (kind,), reason, but=tuple(targets), scope="session") for kind, targets in places.items() if kind not in free]
    if entry.ask:
        found.append(Rule(f"{entry.full_name}: ask", "ask", _CHANGES, "the pack says that it is to be asked about", each_time=True, scope="session"))
    return tuple(found)


def ceiling(entry: Entry) -> tuple[str, ...]:
    """Return the effects an entry may have: those it names; else what its actions declare; reading, where it is a sentence and names neither."""
    if entry.effects:
        return entry.effects
    actions = {*entry.requires, *(c.action for text in entry.parts for c in registry.parse(text).calls)}
    return tuple(sorted({kind for name in actions for kind in registry.get(name).effects})) if actions else _READS


def beyond(policy: Policy, preview: Preview, entry: Entry) -> tuple[str, ...]:
    """Return what of a preview is denied because it is above the entry's ceiling, some of it where that is much."""
    decision = policy.decide(preview)
    return tuple(f"{e.kind}:{e.target}" for e in decision.asked[:_SHOWN]) if decision.rule == _name(entry) else ()


def _name(entry: Entry) -> str:
    return f"{entry.full_name}: effects"


def _trash() -> Iterable[str]:
    """Return what the trash may be: the home folder's, and those at the top of other disks."""
    from nlsh.world.trash import tops

    user, place = os.getuid(), trash_dir()
    # Folders around it that have to be made first are meant themselves, not what is below them.
    missing = [f"={folder}" for folder in place.parents if not folder.exists()]
    disks = [os.path.join(top, name) for top in dict.fromkeys(tops()) for name in (f".Trash-{user}", f".Trash/{user}")]
    return (str(place), os.path.realpath(place), *missing, *(d for d in disks if not any(c in d for c in _PATTERN)))


def _with_values(entry: Entry, target: str, given: Mapping[str, str]) -> str:
    """Return a target with the parameters' values in it, which are names and never patterns."""
    for name, value in given.items():
        if f"{{{name}}}" in target and any(c in value for c in _PATTERN):
            raise BadArgument(
                f"{entry.full_name}: {name} says what may be touched, so it cannot have {' '.join(_PATTERN)} in it: “{value}”.",
                hint="Nothing was run. Give the folder that holds what you mean.",
            )
    return in_text(target, given)


def _targets(kind: str, target: str) -> Iterable[str]:
    if not kind.startswith(("fs.", "dev.")) or target.startswith("="):
        return (target,)
    path = os.path.normpath(os.path.join(os.getcwd(), os.path.expanduser(target)))
    # Where the folder is reached through a link, what is changed lies at its other end.
    return dict.fromkeys((path, path if any(c in path for c in "*?") else os.path.realpath(path)))
