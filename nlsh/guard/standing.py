"""A standing grant: what the runs of a job may do, approved once, and held to at every run.

It is wider than the preview that was approved, because the next run finds other files, and never wider than what the plan names: its folders, with the
kinds of effects that its actions declare there; programs, hosts, commands, devices and all else exactly as they were shown. Policy decides before it at
every run, and what policy asks about each time is held to exactly what was shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlsh.guard.policy import Decision, Policy
from nlsh.plan import registry
from nlsh.plan.effects import KINDS, Effect
from nlsh.plan.errors import Denied, NlshError, Refused
from nlsh.plan.frozen import frozen
from nlsh.plan.plan import LAST, Call, Plan, Preview, Ref
from nlsh.plan.values import Paths
from nlsh.settings import trash_dir

if TYPE_CHECKING:
    from nlsh.world import World

NEVER = ("priv.root", "dev.format")
_BY_NAME = ("proc.signal", "proc.tune")


@frozen(slots=False)
class StandingGrant:
    """`exact` effects; `trees`: kinds of effects on all below a folder; `reads`: kinds that only look, on anything; `processes`: by name, the user's own."""

    exact: frozenset[Effect] = frozenset()
    trees: frozenset[tuple[str, str]] = frozenset()
    reads: frozenset[str] = frozenset()
    processes: frozenset[tuple[str, str]] = frozenset()

    def beyond(self, effects: Iterable[Effect]) -> list[Effect]:
        """Return the effects that it does not hold."""
        return [e for e in effects if e not in self.exact and not self._holds(e)]

    def _holds(self, effect: Effect) -> bool:
        kind, target = effect
        if kind in self.reads:
            return True
        if kind in _BY_NAME:
            return any((kind, name) in self.processes for name in _own_process(target))
        if not kind.startswith("fs."):
            return False
        place = os.path.realpath(target) if kind == "fs.read" else _place(target)
        return any(k == kind and (place == tree or place.startswith(tree.rstrip("/") + "/")) for k, tree in self.trees)

    def lines(self) -> list[str]:
        """Return what it holds, in words that are not escaped: what changes comes first."""
        found: dict[tuple[bool, str], list[str]] = {}
        for kind, tree in sorted(self.trees):
            found.setdefault((not KINDS[kind][1], f"{KINDS[kind][2]} all below"), []).append(tree)
        for kind, target in sorted(self.exact):
            if not self._holds(Effect(kind, target)):
                found.setdefault((not KINDS[kind][1], KINDS[kind][2]), []).append(target)
        for kind, name in sorted(self.processes):
            found.setdefault((False, f"{KINDS[kind][2]} processes of yours called"), []).append(name)
        for kind in sorted(self.reads):
            found.setdefault((True, KINDS[kind][2]), [])
        shown = []
        for (_, words), targets in sorted(found.items()):
            more = f" and {len(targets) - 5} more" if len(targets) > 5 else ""
            shown.append(f"{words} {', '.join(targets[:5])}{more}".rstrip())
        return shown

    def as_data(self) -> dict[str, Any]:
        """Return JSON-able data; `from_data` is its inverse."""
        return {name: sorted(map(list, getattr(self, name)) if name != "reads" else self.reads) for name in self.__dataclass_fields__}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> StandingGrant:
        """Rebuild a grant. Raises TypeError, KeyError and ValueError for other data."""
        return cls(
            frozenset(Effect(k, t) for k, t in data["exact"]), frozenset((str(k), str(t)) for k, t in data["trees"]),
            frozenset(map(str, data["reads"])), frozenset((str(k), str(n)) for k, n in data["processes"]),
        )  # fmt: skip


def standing(plan: Plan, preview: Preview, world: World, watched: Iterable[str] = ()) -> StandingGrant:
    """Return the grant of a job: `preview` is of as many calls as can be previewed now, `watched` the folders whose files `_` will be.

    Raises Denied for what no job may do, Refused where nothing says what a call would work on.
    """
    exact = set(preview.effects)
    trees: set[tuple[str, str]] = set()
    reads: set[str] = set()
    processes: set[tuple[str, str]] = set()
    places: dict[str, set[str]] = {"_": {_tree(w) for w in watched}}
    for position, call in enumerate(plan.calls):
        action = registry.get(call.action)
        shown = preview.calls[position] if position < len(preview.calls) else None
        effects = shown.effects if shown is not None else ()
        _refuse_what_is_never(call, effects, watched=bool(places["_"]))
        found = _places(call, places, world)
        # Where it looks without having been told where; there it may look, and nothing more.
        seen = {os.path.realpath(e.target) for e in effects if e.kind == "fs.read" and os.path.isdir(e.target)} - found
        if shown is None and not found and not action.reads_only() and not call.action.startswith("trash."):
            raise Refused(
                f"What {call.action} would work on is not known now, so it cannot be approved.", hint="Nothing was changed. Make the job once it is there."
            )
        if call.result:
            # What only looks has found its results where it looked.
            places[call.result] = found | seen if action.reads_only() else found
        if call.action != "shell.run":
            trash = _tree(str(trash_dir()))
            if call.action == "file.trash" or call.action.startswith("trash.") or any(_place(e.target).startswith(f"{trash}/") for e in effects):
                found = {*found, trash}
            trees |= {(kind, place) for kind in action.effects if kind.startswith("fs.") and kind != "fs.read" for place in found}
            if "fs.read" in action.effects:
                trees |= {("fs.read", os.path.realpath(place)) for place in found | seen}
            # A program's log is another new file each time, beside the one that was shown.
            trees |= {("fs.log", os.path.dirname(_place(e.target))) for e in effects if e.kind == "fs.log"}
        reads |= {k for k in action.effects if not KINDS[k][1] and not k.startswith("fs.")}
        named = {call.args["name"]} if isinstance(call.args.get("name"), str) else set()
        for kind in set(_BY_NAME).intersection(action.effects):
            targets = {n for e in effects if e.kind == kind for n in _own_process(e.target)}
            processes |= {(kind, str(n)) for n in named | targets}
    return StandingGrant(frozenset(exact), frozenset(trees), frozenset(reads), frozenset(processes))


def _refuse_what_is_never(call: Call, effects: Iterable[Effect], *, watched: bool) -> None:
    if call.action.startswith("history."):
        raise Denied(f"{call.action} cannot be a job: what it would take back is not known yet.", hint="Nothing was changed.")
    for kind in NEVER:
        if any(e.kind == kind for e in effects):
            raise Denied(f"A job cannot {KINDS[kind][2]}: somebody has to say yes each time.", hint="Nothing was changed.")
    if not watched and any(isinstance(v, Ref) and v.name == LAST for v in call.args.values()):
        raise Refused("A job does not know what “_” was: the last result is this session's.", hint="Nothing was changed. Name the files, or find them first.")


def _places(call: Call, places: dict[str, set[str]], world: World) -> set[str]:
    """Return the folders and files that a call names, or that are meant where it names none, and those of the results that it works on."""
    found: set[str] = set()
    fields = registry.get(call.action).Args.fields
    meant = {k: f.default for k, f in fields.items() if isinstance(f.type, Paths) and f.default is not None}
    for key, value in {**meant, **call.args}.items():
        if isinstance(value, Ref):
            found |= places.get(value.name, set())
        elif key in fields and isinstance(fields[key].type, Paths):
            for text in value if isinstance(value, tuple) else (value,):
                found.add(_tree(_named(str(text), world)))
    return found


def _named(text: str, world: World) -> str:
    """Return the path that a text means; of a pattern, the folder it is looked for in."""
    if (at := min((text.find(c) for c in "*?[" if c in text), default=-1)) >= 0:
        folder = text[:at].rpartition("/")[0]
        text = folder or ("/" if text.startswith("/") else ".")
    try:
        return world.resolve(text, must_exist=False)
    except NlshError:
        from nlsh.world.places import absolute

        return absolute(text, cwd=world.cwd, home=world.home)


def _place(path: str) -> str:
    """Return a path with the links on its way followed, and one at its end left alone: steps change the link, not what it names."""
    folder, name = os.path.split(path.rstrip("/") or "/")
    return os.path.join(os.path.realpath(folder), name)


def _tree(path: str) -> str:
    """Return where a folder really is, or the place of what is none, or not yet."""
    return os.path.realpath(path) if os.path.isdir(path) else _place(path)


def _own_process(pid: str) -> tuple[str, ...]:
    """Return the name of a process of this user's; nothing where it is somebody else's, or gone."""
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.geteuid():
            return ()
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="surrogateescape") as file:
            return (file.read().rstrip("\n"),)
    except (OSError, ValueError):
        return ()


@frozen(slots=False)
class StandingPolicy(Policy):
    """Policy for the runs of one job: what it denies is denied, what it asks is answered by the job's grant, and what goes beyond that is denied."""

    grant: StandingGrant = StandingGrant()
    job: str = ""

    def decide(self, preview: Preview) -> Decision:
        """Return allow or deny; nobody is asked."""
        decision = super().decide(preview)
        if decision.answer == "deny":
            return decision
        if beyond := self.grant.beyond(preview.effects):
            first = f"{KINDS[beyond[0].kind][2]} {beyond[0].target}"
            more = f", and {len(beyond) - 1} more" if len(beyond) > 1 else ""
            return self._denied(decision, f"it would go beyond what was approved for {self.job}: {first}{more}")
        others = [e for e in decision.asked if e not in self.grant.exact] if decision.each_time else []
        # Not every effect that is asked about is one that is asked about each time.
        if others and super().decide(_about(preview, others)).each_time:
            return self._denied(decision, f"{decision.reason}; this is asked about each time, and {self.job} was approved for other things of that kind")
        return replace(decision, answer="allow", rule=self.job, reason="approved when the job was made", each_time=False)

    def _denied(self, decision: Decision, reason: str) -> Decision:
        return replace(decision, answer="deny", rule=self.job, reason=reason)


def _about(preview: Preview, effects: list[Effect]) -> Preview:
    wanted = frozenset(effects)
    return replace(preview, calls=tuple(replace(c, effects=tuple(e for e in c.effects if e in wanted)) for c in preview.calls))
