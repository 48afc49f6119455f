"""From a call to its steps: references filled in, arguments bound, the world looked at, the steps' effects held to the action's ceiling."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nlsh.guard.paths import places_of
from nlsh.journal.undo import Reversal
from nlsh.plan.amounts import Processes
from nlsh.plan.effects import Effect
from nlsh.plan.errors import BadPlan, Denied, NotFound
from nlsh.plan.frozen import frozen
from nlsh.plan.plan import LAST, STDIN, Call, Plan, PreviewedCall, Ref
from nlsh.plan.records import Change, Line, Note, Record
from nlsh.plan.steps import Step
from nlsh.plan.values import Result as ResultType
from nlsh.plan.values import Rows, Unordered

if TYPE_CHECKING:
    from nlsh.plan.action import Action
    from nlsh.world import World


@frozen()
class BoundCall(PreviewedCall):
    """A previewed call, with what the kernel knows of it besides.

    `read` is what it found, where a later call needed it during the preview: it is not read again. `reversal` is set where the call
    takes back or finishes a journalled run. `elevated`: it is done by a process of root's, which nlsh is not. `heard` is what a person must
    know of what it works on, and of what it found if it was read: the notes that came with that. `said` is what the
    action itself notes. `unordered`: the order of what it finds is nobody's.
    """

    read: tuple[Record, ...] | None = None
    reversal: Reversal | None = None
    elevated: bool = False
    heard: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    unordered: bool = False


@frozen()
class Result:
    """What a call found or left behind, by whom, and where relative paths of it start. `heard`: the notes on what it was made from.

    `unordered`: its records come as they happened to be found.
    """

    action: str
    records: tuple[Record, ...]
    cwd: str
    heard: tuple[str, ...] = ()
    unordered: bool = False

    @property
    def things(self) -> tuple[Record, ...]:
        """The records without notes on how they were found."""
        return tuple(r for r in self.records if not isinstance(r, Note))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must know of it, each once: the notes on what it was made from, then those on how it was found."""
        return tuple(dict.fromkeys((*self.heard, *(r.text for r in self.records if isinstance(r, Note)))))


def referred(plan: Plan) -> set[str]:
    """Return the names of results that calls of the plan refer to, `_` left out."""
    return {v.name for c in plan.calls for v in c.args.values() if isinstance(v, Ref) and v.name != LAST}


def heard(call: Call, results: Mapping[str, Result]) -> tuple[str, ...]:
    """Return the notes on all that a call refers to, each once."""
    about = (results[v.name] for v in call.args.values() if isinstance(v, Ref) and v.name in results)
    return tuple(dict.fromkeys(note for result in about for note in result.notes))


def fill(call: Call, action: Action, results: Mapping[str, Result]) -> dict[str, Any]:
    """Return the call's arguments with every reference replaced by paths, by process ids where the argument takes processes, or by lines.

    Raises NotFound where the result that is referred to is empty or there is none, BadPlan where it holds no such things.
    """
    written: dict[str, Any] = {}
    for key, value in call.args.items():
        if not isinstance(value, Ref):
            written[key] = value
            continue
        result = results.get(value.name)
        if result is None:
            raise NotFound(f"There is no earlier result that “{value.name}” could mean.", hint=f"Nothing was changed. Say what {call.action} is to work on.")
        if not result.things:
            raise NotFound(f"{result.action} found nothing, so {call.action} has nothing to do.", hint="Nothing was changed.", code="plan.nothing-found")
        declared = action.Args.fields.get(key)
        if declared is not None and isinstance(declared.type, ResultType):
            written[key] = Rows(result.things, result.action, result.cwd, result.unordered)
            continue
        processes = declared is not None and isinstance(declared.type, Processes)
        items = _pids(result) if processes else _paths(result)
        if not items and getattr(declared and declared.type, "or_lines", False) and all(isinstance(r, Line) for r in result.things):
            written[key] = Rows(result.things, result.action, result.cwd, result.unordered)
            continue
        if not items:
            what = "processes" if processes else "files"
            found = "came on stdin" if result.action == STDIN else f"{result.action} found"
            raise BadPlan(f"What {found} is not {what}, so {call.action} cannot use it as {key}.", hint="Nothing was changed.")
        written[key] = Unordered(items) if result.unordered else tuple(items)
    return written


def _paths(result: Result) -> dict[str, None]:
    # What an archive says it holds is whatever its maker wrote there: to take it for files here would let him choose them.
    found = (r.path if not isinstance(r, Change) or r.path.startswith("/") else "" for r in result.things if hasattr(r, "path") and r.on_disk)
    return dict.fromkeys(os.path.join(result.cwd, p) for p in found if p)


def _pids(result: Result) -> dict[str, None]:
    found = (r.path if isinstance(r, Change) and r.path.isdigit() else getattr(r, "pid", None) for r in result.things)
    return dict.fromkeys(str(p) for p in found if p)


def bind(call: Call, action: Action, written: Mapping[str, Any], world: World) -> BoundCall:
    """Return the call with its steps. Raises what `look` raises, and Denied where a step needs more than the action declares."""
    args = action.Args.bind(call.action, written)
    seen = action.look(args, world)
    steps = tuple(action.steps(args, seen))
    reversal = seen if isinstance(seen, Reversal) else None
    outside = dict.fromkeys(said for s in steps if not s.quick and (said := s.outside()))
    own = action.notes(args, seen)
    notes = (*((reversal.note,) if reversal is not None else ()), *own, *outside)
    effects = _effects(call.action, action, steps)
    return BoundCall(
        call, steps, effects, _no_undo(action, steps), notes, None, reversal, said=own, unordered=not action.is_ordered(args),
        places=places_of(effects), until=action.until(args, seen),
    )  # fmt: skip


def _effects(name: str, action: Action, steps: tuple[Step, ...]) -> tuple[Effect, ...]:
    ceiling = set(action.effects)
    found: set[Effect] = set()
    for step in steps:
        needed = step.effects()
        for effect in needed:
            if effect.kind not in ceiling:
                raise Denied(
                    f"{name} wants {effect.kind} on {effect.target}, which it does not declare.",
                    hint="Nothing was changed. This is a fault of the action: please report it.",
                )
        found.update(needed)
    return tuple(sorted(found))


def _no_undo(action: Action, steps: tuple[Step, ...]) -> str:
    changing = [s for s in steps if not s.reads_only]
    if not changing:
        return ""
    if action.undo is not None:
        return action.undo.reason
    return next((s.no_undo() for s in changing if not s.quick and s.inverse() is None), "")
