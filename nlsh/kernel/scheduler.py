"""The scheduler: what runs next, what is paused for it, what waits. Decisions only: it has no clock, no threads and no processes; whoever asks carries out.

- Between priorities, and inside one between clients: stride scheduling (Waldspurger and Weihl, "Stride Scheduling: Deterministic Proportional-Share
  Resource Management", MIT 1995). Whoever has had least for its share is next; one that comes, or comes back, begins where the others are, as in
  start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996). What a task uses is its dominant share of the machine (Ghodsi and others, "Dominant
  Resource Fairness", NSDI 2011) times seconds. A share above nothing is served in the end: no priority and no client starves another.
- Among a client's tasks of one priority: the earliest deadline. Every task has one: AGE_S after it came, and as much later for each doubling of what it has
  been given, unless its own is earlier. Short work goes before long work, and nothing that comes after a task's deadline goes before it.
- Admission: what does not fit waits, and what comes after it may pass; once that has gone on for PATIENCE_S, room is kept until it fits.
- Pre-emption: a task that allows it gives way at the end of its slice, or sooner to a higher priority, if another is to have its place. Paused, it gives back
  cores and io, and keeps its memory. Its slices double, so that long work is seldom interrupted.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from nlsh.plan.errors import NotPossible
from nlsh.plan.frozen import frozen

PRIORITIES: Mapping[str, int] = {"high": 16, "normal": 4, "low": 1}  # and the share of each
AGE_S = 10.0
PATIENCE_S = 5.0
QUANTUM_S = 0.2
MOST_PAUSED = 32  # their processes and their memory stay
_LONGEST_SLICE = 16  # quanta
_EPSILON = 1e-9
_GIVEN_BACK = ("cores", "io")  # by what is paused
_KEPT = ("memory", "gpu_memory")


@frozen()
class Needs:
    """What a task takes while it runs, or what there is: cores, io (parts of what the disks can do), bytes of memory and of graphics memory."""

    cores: float = 1.0
    io: float = 0.0
    memory: int = 0
    gpu_memory: int = 0


@frozen()
class Task:
    """What is to be run, for whom, and how much it matters. `deadline` is a time of the clock that `now` is told by."""

    key: Hashable
    client: str = ""
    priority: str = "normal"
    needs: Needs = Needs()
    deadline: float | None = None
    preemptible: bool = False


class Decision(NamedTuple):
    """What is to be done now: `start`, `pause` or `resume` a task."""

    what: str
    key: Hashable


@dataclass(slots=True, eq=False)
class _Entry:
    task: Task
    number: int
    since: float
    share: float  # its dominant share of the machine
    state: str = "waiting"  # waiting, running, offered (its place may be taken), paused
    served: float = 0.0
    began: float = 0.0
    prepaid: float = 0.0
    blocked: float | None = None
    level: int = 0

    @property
    def order(self) -> tuple[float, int]:
        due = self.since + AGE_S * (1 + self.level)
        return (due if self.task.deadline is None else min(due, self.task.deadline), self.number)


@dataclass(slots=True)
class _Flow:
    """One that gets a share: a priority, or a client inside it. `at` is what it has had, for its share; `queue` are a client's tasks in order."""

    share: float
    at: float = 0.0
    active: int = 0
    queued: int = 0
    queue: list[_Entry] = field(default_factory=list)
    clients: dict[str, _Flow] = field(default_factory=dict)
    front: float = 0.0  # where those are that are served, among its clients


class Scheduler:
    """`capacity` is what there is; `shares` are those of clients, 1 where nothing is said. Times are seconds of any clock that only goes forward."""

    def __init__(self, capacity: Needs, *, shares: Mapping[str, float] | None = None, quantum: float = QUANTUM_S, patience: float = PATIENCE_S) -> None:
        """Raises ValueError for a capacity or a share that is none."""
        if capacity.cores <= 0 or quantum <= 0 or any(s <= 0 for s in (shares or {}).values()):
            raise ValueError("capacity, quantum and shares are above nothing")
        self._capacity = capacity
        self._free: dict[str, float] = {f.name: float(getattr(capacity, f.name)) for f in fields(Needs)}
        self._shares = dict(shares or {})
        self._quantum, self._patience = quantum, patience
        self._entries: dict[Hashable, _Entry] = {}
        self._running: dict[Hashable, _Entry] = {}
        self._blocked: dict[Hashable, _Entry] = {}
        self._set_aside = 0  # begun, and not running
        self._classes = {name: _Flow(share) for name, share in PRIORITIES.items()}
        self._front = 0.0
        self._count = 0
        self._told = -math.inf

    # --- what is told --------------------------------------------------------------------------------------------

    def add(self, task: Task, now: float, *, since: float | None = None) -> None:
        """Let a task wait for its turn, from `since` on (None: from now). Raises NotPossible where it could never fit, ValueError for a key twice."""
        lacking = [n for n in self._free if getattr(task.needs, n) > getattr(self._capacity, n) + _EPSILON]
        if lacking:
            words = ", ".join(f"{getattr(task.needs, n):g} of {n.replace('_', ' ')} where there is {getattr(self._capacity, n):g}" for n in lacking)
            raise NotPossible(f"This needs more than there is: {words}.", hint="Nothing was begun. Ask for less.")
        self._enqueue(self._enter(task, now, now if since is None else since))

    def adopt(self, task: Task, now: float) -> None:
        """Take note of a task that runs already, whether or not there is room for it. Raises ValueError for a key twice."""
        entry = self._enter(task, now, now)
        self._run(entry, now, first=True)

    def ended(self, key: Hashable, now: float) -> None:
        """Take note that a task has ended, or is not to be run any more. Raises KeyError."""
        self._account(now)
        entry = self._entries.pop(key)
        self._blocked.pop(key, None)
        if entry.state == "running":
            self._give_back(entry)
        else:
            self._dequeue(entry)
        if entry.state in ("running", "paused"):
            for name in _KEPT:
                self._free[name] += getattr(entry.task.needs, name)
        top, client = self._flows(entry.task)
        for flow in (top, client):
            flow.active -= 1
        # A client that owes nothing is as good as one that never was.
        for name in [n for n, f in top.clients.items() if not f.active and f.at <= top.front]:
            del top.clients[name]

    def state(self, key: Hashable) -> str:
        """Return waiting, running or paused. Raises KeyError."""
        return self._entries[key].state

    def keys(self, *states: str) -> list[Hashable]:
        """Return the tasks in these states (none: in any), in the order in which they came."""
        return [k for k, e in self._entries.items() if not states or e.state in states]

    # --- what is decided -----------------------------------------------------------------------------------------

    def decide(self, now: float) -> list[Decision]:
        """Return what is to be done now, pauses first. It counts as done from here on."""
        self._account(now)
        highest = self._highest_waiting()
        offered = [e for e in self._running.values() if highest and e.task.preemptible and now - e.began >= self._slice(e, highest) - _EPSILON]
        for leaving in offered:
            self._give_back(leaving)
            leaving.level = int(math.log2(1 + leaving.served / self._quantum + _EPSILON))
            leaving.state = "offered"
            self._enqueue(leaving)
        begun: list[Decision] = []
        while (entry := self._pick(now)) is not None:
            was = entry.state
            self._dequeue(entry)
            self._run(entry, now, first=was == "waiting")
            if was != "offered":
                begun.append(Decision("start" if was == "waiting" else "resume", entry.task.key))
        paused = [e for e in offered if e.state == "offered"]
        for entry in paused:
            entry.state = "paused"
        return [*(Decision("pause", e.task.key) for e in paused), *begun]

    def next_look(self, now: float) -> float | None:
        """Return in how many seconds a decision may be due though nothing has come or ended; None for never."""
        highest = self._highest_waiting()
        if not highest:
            return None
        ends = [e.began + self._slice(e, highest) for e in self._running.values() if e.task.preemptible]
        return max(0.0, min(ends) - now) if ends else None

    # --- turns ---------------------------------------------------------------------------------------------------

    def _highest_waiting(self) -> int:
        return max((PRIORITIES[name] for name, top in self._classes.items() if top.queued), default=0)

    def _slice(self, entry: _Entry, highest: int) -> float:
        """Return for how many seconds a task keeps its place: not for long where a higher priority waits."""
        if highest > PRIORITIES[entry.task.priority]:
            return self._quantum / 2
        return self._quantum * min(2**entry.level, _LONGEST_SLICE)

    def _pick(self, now: float) -> _Entry | None:
        """Return who is next of those that fit."""
        if self._free["cores"] < _EPSILON:
            return None
        kept_for = self._reserved(now)
        crowded = self._set_aside > MOST_PAUSED
        passed: list[_Entry] = []
        for entry in self._in_order():
            if self._may(entry, kept_for, crowded):
                if self._fits(entry):
                    for other in passed:
                        other.blocked = now if other.blocked is None else other.blocked
                        self._blocked[other.task.key] = other
                    return entry
                passed.append(entry)
        return None

    def _in_order(self) -> Iterator[_Entry]:
        for top in sorted((f for f in self._classes.values() if f.active), key=lambda f: (f.at, -f.share)):
            clients = [f for f in top.clients.values() if f.queue]
            for client in sorted(clients, key=lambda f: (f.at, f.queue[0].order)):
                yield from client.queue

    def _reserved(self, now: float) -> _Entry | None:
        """Return the task that room is kept for: the one that was passed by first, if that is too long ago."""
        found = [e for e in self._blocked.values() if e.blocked is not None and now - e.blocked >= self._patience]
        return min(found, key=lambda e: (e.blocked, e.number), default=None)

    def _may(self, entry: _Entry, kept_for: _Entry | None, crowded: bool) -> bool:
        if kept_for is None or entry is kept_for:
            return entry is kept_for or not (crowded and entry.state == "waiting")
        # What holds what the other lacks must come to its end first.
        lacking = [n for n in _KEPT if kept_for.state == "waiting" and getattr(kept_for.task.needs, n) > self._free[n] + _EPSILON]
        return entry.state != "waiting" and any(getattr(entry.task.needs, n) for n in lacking)

    def _fits(self, entry: _Entry) -> bool:
        names = (*_GIVEN_BACK, *_KEPT) if entry.state == "waiting" else _GIVEN_BACK
        return all(getattr(entry.task.needs, n) <= self._free[n] + _EPSILON for n in names)

    # --- places --------------------------------------------------------------------------------------------------

    def _enter(self, task: Task, now: float, since: float) -> _Entry:
        if task.key in self._entries:
            raise ValueError(f"{task.key} is there already")
        if task.needs.cores <= 0 or task.priority not in PRIORITIES:
            raise ValueError("a task takes a part of a core, and is of a priority that there is")
        self._account(now)
        whole = {n: getattr(self._capacity, n) for n in self._free}
        self._count += 1
        entry = _Entry(task, self._count, since, max(getattr(task.needs, n) / w for n, w in whole.items() if w))
        top, client = self._flows(task)
        if not top.active:
            top.at = max(top.at, self._front)
        if not client.active:
            client.at = max(client.at, top.front)
        top.active += 1
        client.active += 1
        self._entries[task.key] = entry
        return entry

    def _flows(self, task: Task) -> tuple[_Flow, _Flow]:
        top = self._classes[task.priority]
        if task.client not in top.clients:
            top.clients[task.client] = _Flow(self._shares.get(task.client, 1.0))
        return top, top.clients[task.client]

    def _enqueue(self, entry: _Entry) -> None:
        top, client = self._flows(entry.task)
        bisect.insort(client.queue, entry, key=_order)
        top.queued += 1
        self._set_aside += entry.state != "waiting"

    def _dequeue(self, entry: _Entry) -> None:
        top, client = self._flows(entry.task)
        del client.queue[bisect.bisect_left(client.queue, entry.order, key=_order)]
        top.queued -= 1
        self._set_aside -= entry.state != "waiting"

    def _run(self, entry: _Entry, now: float, *, first: bool) -> None:
        for name in (*_GIVEN_BACK, *(_KEPT if first else ())):
            self._free[name] -= getattr(entry.task.needs, name)
        top, client = self._flows(entry.task)
        self._front, top.front = max(self._front, top.at), max(top.front, client.at)
        entry.state, entry.began, entry.blocked = "running", now, None
        self._running[entry.task.key] = entry
        self._blocked.pop(entry.task.key, None)
        # Paid for in advance: else a client could have all places at once before any of them has cost it something.
        entry.prepaid = self._quantum * entry.share
        self._charge(entry, entry.prepaid)

    def _give_back(self, entry: _Entry) -> None:
        del self._running[entry.task.key]
        for name in _GIVEN_BACK:
            self._free[name] += getattr(entry.task.needs, name)
        self._charge(entry, -entry.prepaid)
        entry.prepaid = 0.0

    def _charge(self, entry: _Entry, amount: float) -> None:
        for flow in self._flows(entry.task):
            flow.at += amount / flow.share

    def _account(self, now: float) -> None:
        """Charge what was used since the last time."""
        passed = max(0.0, now - self._told) if self._told > -math.inf else 0.0
        self._told = max(now, self._told)
        if not passed:
            return
        for entry in self._running.values():
            entry.served += passed
            used = passed * entry.share
            free = min(used, entry.prepaid)
            entry.prepaid -= free
            self._charge(entry, used - free)


def _order(entry: _Entry) -> tuple[float, int]:
    return entry.order
