"""How jobs are held to their part: by systemd or by control groups where these can be had, else by cores of their own and priorities.

`held` looks and gives data; `steps` makes the steps of it. What is used is in the words of every step.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nlsh.actions.process._chosen import identity, noted
from nlsh.actions.resource._jobs import Job
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.steps import Step
from nlsh.resources import inventory, limits, placement
from nlsh.steps import groups
from nlsh.steps._bus import asked
from nlsh.steps.io_priority import SetIoPriority
from nlsh.steps.processes import SetAffinity, SetMemoryLimit, SetNice
from nlsh.world import io_limits, io_priority, machine, processes
from nlsh.world.processes import Running
from nlsh.world.services import MANAGER, ROOT, SYSTEMD

_NOTHING = "Nothing was changed."
_NEAR = 0.05  # of the machine: what is further off is said


@dataclass(frozen=True, slots=True)
class Part:
    """What a job is to have: `cores` of time and bytes of `memory` at most, a `weight` among others; `first`, or `last`, where it cannot be weighed."""

    job: Job
    cores: float | None = None
    memory: int | None = None
    weight: int | None = None
    first: bool = False
    last: bool = False

    def settings(self) -> dict[str, str]:
        return limits.settings(cores=self.cores, weight=self.weight, memory=self.memory)


def held(parts: list[Part], owned: inventory.Inventory) -> list[dict[str, Any]]:
    """Return how each job will be held, as data. All by groups, or all by cores and priorities: the two do not add up to what was asked for."""
    found: list[dict[str, Any]] = []
    means = [limits.find(p.job.name, p.job.pids, p.settings()) for p in parts]
    if all(m.kind != "priority" for m in means):
        try:
            for part, by in zip(parts, means, strict=True):
                found += by_group(part.job, part.settings(), by)
            return found
        except NlshError as error:
            reason = error.message.rstrip(".")
    else:
        reason = limits.why_not()
    return [*_by_cores(parts, owned, reason), *(item for p in parts if p.memory is not None for item in _memory(p.job, p.memory))]


def by_group(job: Job, wanted: Mapping[str, str], by: limits.Means) -> Iterator[dict[str, Any]]:
    """Yield what gives a job the `wanted` settings of a control group, by these means. Raises NlshError where systemd does not answer."""
    members, words = job.members(), limits.in_words(wanted)
    base = {"members": members, "words": words, "place": by.place, "bus": by.bus}
    if by.kind == "own":
        old = {name: limits.current(by.place, name, value) for name, value in wanted.items()}
        new = limits.changed(old, wanted)
        if old != new:
            yield {**base, "by": "own", "old": list(old.items()), "new": list(new.items()), "back": limits.in_words(old)}
    elif by.kind == "new":
        shared = machine.setting(os.path.dirname(by.place), "cgroup.subtree_control").split()
        lacking = [c for c in limits.controllers(wanted, os.path.dirname(by.place)) if c not in shared]
        old_places = [machine.cgroup_of(pid) or machine.cgroup_root() for pid in job.pids]
        yield {**base, "by": "new", "old": old_places, "new": list(wanted.items()), "controllers": lacking}
    elif by.kind == "scope":
        new_values, none = (_alone(limits.as_properties(settings)) for settings in (wanted, limits.none_of(wanted)))
        # A user's own systemd can put them nowhere but below itself.
        within = limits.slice_of(job.pids) if by.bus == "system" else ""
        yield {**base, "by": "scope", "new": new_values, "none": none, "slice": within}
    else:
        with asked(by.bus, SYSTEMD, "systemd") as bus:
            path = bus.call(SYSTEMD, ROOT, MANAGER, "GetUnit", "s", by.place)[0]
            kind = f"{SYSTEMD}.{by.place.rpartition('.')[2].capitalize()}"
            old_values = [(name, io_limits.value_of(bus.property(SYSTEMD, path, kind, name))) for name, _ in limits.as_properties(wanted)]
        was = dict(old_values)
        values = [(name, io_limits.after(was[name], value)) for name, value in limits.as_properties(wanted)]
        if old_values != values:
            yield {**base, "by": "unit", "old": old_values, "new": values, "back": "what it had before"}


def _alone(properties: list[limits.Property]) -> list[limits.Property]:
    """Return properties as systemd says them of a unit that has no others."""
    return [(name, io_limits.after((), value)) for name, value in properties]


def _by_cores(parts: list[Part], owned: inventory.Inventory, reason: str) -> Iterator[dict[str, Any]]:
    """Yield cores and nice values that come nearest to the parts."""
    asked_for = {p.job.name: p for p in parts if p.cores is not None}
    numbers = machine.idlest_cores(tuple(c.number for c in owned.cores)) if asked_for else []
    front = any(p.first for p in parts)
    if asked_for:
        try:
            places = placement.cores({name: p.cores or 0.0 for name, p in asked_for.items()}, len(numbers))
        except ValueError as error:
            raise NotPossible(f"This cannot be done with {len(numbers)} cores and no control groups: {reason}.", hint=_NOTHING) from error
        shared = {k: numbers.pop() for k in sorted({p.shared for p in places.values()} - {-1})}
        for name, place in places.items():
            cores = [shared[place.shared]] if place.shared >= 0 else [numbers.pop(0) for _ in range(place.own)]
            wanted = asked_for[name].cores or 0.0
            off = abs(place.amount - wanted) > _NEAR * owned.capacity
            comes_to = f"; it comes to {100 * place.amount / owned.capacity:.0f}% of the machine instead of {100 * wanted / owned.capacity:.0f}%" if off else ""
            yield from _pinned(asked_for[name].job, sorted(cores), f"by affinity, as {reason}{comes_to}")
        for k in shared:
            on = {name: p for name, p in places.items() if p.shared == k}
            if len(on) > 1:
                values, parts_had = placement.nices({n: p.part for n, p in on.items()}, {n: len(asked_for[n].job.processes) for n in on})
                core = {n: f"about {100 * parts_had[n]:.0f}% of that core while all of them are busy" for n in on}
                yield from _ranked([(asked_for[n].job, values[n], core[n]) for n in on])
    for part in parts:
        if part.last:
            yield from _ranked([(part.job, 19, "served last")])
        elif front and part.first and os.geteuid() == 0:
            yield from _ranked([(part.job, -5, "served before others")])


def _pinned(job: Job, cores: list[int], why: str) -> Iterator[dict[str, Any]]:
    for process, root in zip(job.processes, job.roots, strict=True):
        old = []
        for thread in processes.threads(process.pid):
            try:
                old.append([thread, sorted(os.sched_getaffinity(thread))])
            except ProcessLookupError:
                continue
        if any(c != cores for _, c in old):
            yield noted(process, by="cores", old=old, new=cores, root=root, why=why)


def _ranked(ranks: list[tuple[Job, int, str]]) -> Iterator[dict[str, Any]]:
    """Yield nice values: of sessions, where Linux lets sessions compete as one and these hold nobody else; else of the processes themselves."""
    sessions = {job.name: [limits.session(p) for p in job.pids] for job, _, _ in ranks}
    every = [s for found in sessions.values() for s in found]
    own = {s.name: job.name for job, _, _ in ranks for s in sessions[job.name] if s is not None}
    alone = all(s is not None and set(s.members) <= set(_pids(ranks, own[s.name])) for s in every)
    # In one session, and where there are none, each process counts by itself.
    together = None in every or len({s.name for s in every if s is not None}) == 1
    lift = max((p.nice - n for job, n, _ in ranks for p in job.processes), default=0) if os.geteuid() != 0 else 0
    for job, nice, words in ranks:
        new = min(nice + max(lift, 0), 19)
        if alone and not (together and len(ranks) > 1):
            for name in dict.fromkeys(s.name for s in sessions[job.name] if s is not None):
                at = next(n for n, s in enumerate(sessions[job.name]) if s is not None and s.name == name)
                process, session = job.processes[at], sessions[job.name][at]
                if session is not None and session.nice != new:
                    undoable = os.geteuid() == 0 or new <= session.nice
                    yield noted(process, by="session", session=name, old=session.nice, new=new, undoable=undoable, root=job.roots[at])
        # Within a session of its own, its processes are weighed against each other only: their own values stay.
        else:
            why = words if together else f"{words}; it counts among programs of one session only, as Linux's autogroup is on"
            for process, root in zip(job.processes, job.roots, strict=True):
                yield from _nice(process, new, root, f"by nice: {why}")


def _pids(ranks: list[tuple[Job, int, str]], name: str) -> tuple[int, ...]:
    return next(job.pids for job, _, _ in ranks if job.name == name)


def _nice(process: Running, new: int, root: str, why: str) -> Iterator[dict[str, Any]]:
    old = [[t, seen.nice] for t in processes.threads(process.pid) if (seen := processes.read(t)) is not None]
    if old and any(n != new for _, n in old):
        highest = max(n for _, n in old)
        raised = root or (f"raise the priority of process {process.pid} to nice {new}" if new < highest else "")
        back = f"raise the priority of process {process.pid} to nice {highest}" if new > highest else ""
        undoable = os.geteuid() == 0 or not back
        yield noted(process, by="nice", old=old, new=new, root=raised, back=back, undoable=undoable, why=why)


def _memory(job: Job, limit: int) -> Iterator[dict[str, Any]]:
    import resource

    each = limit // len(job.processes)
    for process, root in zip(job.processes, job.roots, strict=True):
        if process.virtual_bytes > each:
            raise NotPossible(
                f"Process {process.pid} ({process.called}) has {machine.amount(process.virtual_bytes)} of address space already, "
                "and here only address space can be limited.",
                hint=f"{_NOTHING} Choose more, or leave memory out.",
            )
        soft = resource.prlimit(process.pid, resource.RLIMIT_AS)[0]
        if soft != each:
            yield noted(process, by="memory", old=soft, new=each, root=root)


def at_the_disk(job: Job, level: str) -> Iterator[dict[str, Any]]:
    """Yield what gives a job another priority at the disk: idle (only when nobody else wants it) or normal."""
    for process, root in zip(job.processes, job.roots, strict=True):
        old = []
        for thread in processes.threads(process.pid):
            try:
                old.append([thread, io_priority.get(thread)])
            except OSError:
                continue
        if any(value != io_priority.LEVELS[level] for _, value in old):
            yield noted(process, by="disk", old=old, new=io_priority.LEVELS[level], root=root)


def freed(job: Job) -> Iterator[dict[str, Any]]:
    """Yield what takes off all that limits a job: its groups of nlsh's making, the limits of a group or unit that holds just it, cores, priorities."""
    folders: dict[str, list[int]] = {}
    for pid in job.pids:
        folders.setdefault(machine.cgroup_of(pid), []).append(pid)
    for folder, pids in folders.items():
        if not folder or not set(machine.cgroup_members(folder)) <= set(job.pids):
            continue
        held_here = Job(job.name, *zip(*((p, r) for p, r in zip(job.processes, job.roots, strict=True) if p.pid in pids), strict=True))
        said = {n: now for n in limits.NONE if (now := _setting(folder, n)) and not now.startswith("max")}
        limited = {n: now for n, now in said.items() if now != limits.none_of(said)[n]}
        if os.path.basename(folder).startswith(limits.MARK) and not folder.endswith(".scope"):
            base = {"members": held_here.members(), "place": folder, "words": limits.in_words(limited)}
            yield {**base, "by": "leave", "old": [os.path.dirname(folder)] * len(pids), "new": list(limited.items())}
        elif limited and (by := limits.find(job.name, held_here.pids, limited)).kind in ("own", "unit"):
            yield from by_group(held_here, limits.none_of(limited), by)
    everything = list(machine.online_cores())
    yield from _pinned(job, everything, "all cores")
    for process, root in zip(job.processes, job.roots, strict=True):
        yield from _nice(process, 0, root, "the usual priority")
    for item in _ranked([(job, 0, "the usual priority")]):
        if item["by"] == "session":
            yield {**item, "root": item["root"] or ("" if item["new"] >= item["old"] else f"raise the priority of the session of process {item['pid']}")}
    yield from at_the_disk(job, "normal")


def steps(seen: list[dict[str, Any]]) -> Iterator[Step]:
    """Yield the steps that hold jobs as `held` said; pure."""
    for item in seen:
        match item["by"]:
            case "own":
                yield groups.SetGroup(item["place"], _members(item), _pairs(item["old"]), _pairs(item["new"]), item["words"], item["back"])
            case "new":
                controllers = tuple(item["controllers"])
                yield groups.EnterGroup(item["place"], _members(item), tuple(item["old"]), _pairs(item["new"]), controllers, item["words"])
            case "leave":
                yield groups.LeaveGroup(item["place"], _members(item), tuple(item["old"]), _pairs(item["new"]), item["words"])
            case "unit":
                members = _members(item)
                yield groups.SetUnit(item["bus"], item["place"], members, _pairs(item["old"]), _pairs(item["new"]), item["words"], item["back"])
            case "scope":
                yield groups.MakeScope(item["bus"], item["place"], _members(item), _pairs(item["new"]), _pairs(item["none"]), item["words"], item["slice"])
            case "cores":
                old = tuple((t, tuple(c)) for t, c in item["old"])
                yield SetAffinity(*identity(item), old, tuple((t, tuple(item["new"])) for t, _ in old), item["root"], item["why"])
            case "nice":
                was = _pairs(item["old"])
                new = tuple((t, item["new"]) for t, _ in was)
                yield SetNice(*identity(item), was, new, item["undoable"], item["root"], item["back"], item["why"])
            case "session":
                yield groups.SetSessionNice(*identity(item), item["session"], item["old"], item["new"], item["undoable"], item["root"])
            case "disk":
                before = _pairs(item["old"])
                yield SetIoPriority(*identity(item), before, tuple((t, item["new"]) for t, _ in before), item["root"])
            case _:
                yield SetMemoryLimit(*identity(item), item["old"], item["new"], "", (), item["root"])


def _setting(folder: str, name: str) -> str:
    try:
        found = machine.setting(folder, name)
    except OSError:
        return ""
    return io_limits.like(found, found) if name == io_limits.NAME else found


def _members(item: Mapping[str, Any]) -> tuple[groups.Member, ...]:
    return tuple((pid, started, name, root) for pid, started, name, root in item["members"])


def _pairs(listed: list[Any]) -> tuple[Any, ...]:
    return tuple((a, tuple(tuple(part) for part in b) if isinstance(b, (list, tuple)) else b) for a, b in listed)
