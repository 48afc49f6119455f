"""What the journal means: which steps of a run are done, what takes them back, and what is left of a run that was cut short.

`History` is what actions see of the journal (`world.history`). It reads the journal and the world and changes neither: taking back
and finishing are ordinary plans, whose steps come from here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from nlsh.journal.store import Journal, JournalledStep, Run, is_alive, readable_rows
from nlsh.plan.errors import NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.frozen import frozen
from nlsh.plan.steps import Step
from nlsh.steps.times import RestoreTimes

_P = ParamSpec("_P")
_T = TypeVar("_T")
_LOOKED_BACK = 5  # runs: what failed before that and was left so is not what somebody means who says “carry on”


def _read(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Have what goes wrong with steps that somebody else wrote into the journal be a JournalError."""

    @wraps(function)
    def read(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        with readable_rows():
            return function(*args, **kwargs)

    return read


@frozen(slots=False)
class Reversal:
    """Steps that take a run back (`turn` undo or redo) or finish it (finish); `sources` are the numbers of that run's steps they stand for."""

    run: int
    turn: str
    steps: tuple[Step, ...]
    sources: tuple[int | None, ...]
    note: str


class History:
    """The journal as actions see it, through `world.history`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @_read
    def __call__(self, number: int | None = None) -> Reversal:
        """Return what takes a run back (None: the last one that changed something).

        Raises NotFound if there is none, and Refused, with the reason, if it cannot be taken back or the world is not as the run left it.
        """
        run = self._last() if number is None else self._known(number)
        if run.status == "running" and is_alive(run.owner):
            raise Refused(f"Run {run.id} is still running.", hint="Nothing was changed. Wait for it, or stop it with Ctrl-C where it runs.")
        if run.undone_by is not None:
            again = f'Nothing was changed. history.undo(run="{run.undone_by}") does it again.'
            raise Refused(f"Run {run.id} was taken back by run {run.undone_by}.", hint=again)
        done = [s for s in done_steps(self._journal, run) if s.state == "done" and s.inverse != RestoreTimes(())]
        cleared = self._cleared(run)
        if not done and not cleared:
            raise Refused(f"Run {run.id} changed nothing, or nothing of it is left to take back.", hint="Nothing was changed. See nlsh history.")
        if any(s.inverse is None for s in done):
            reason = run.no_undo or "one of its steps has no inverse"
            raise Refused(f"Run {run.id} ({_title(run)}) cannot be undone: {reason}.", hint=f"Nothing was changed.{self._earlier(run)}")
        back = [(s.seq, step) for s in reversed(done) if s.inverse is not None for step in s.inverse.resolved()]
        steps = [*cleared, *(step for _, step in back)]
        _refuse_drift(run, steps)
        if folders := _times(self._journal, run):
            steps.append(RestoreTimes(folders))
        word = "does again what run" if run.turn == "undo" else "takes back run"
        tail = " took back" if run.turn == "undo" else ""
        turn = "redo" if run.turn == "undo" else "undo"
        return Reversal(run.id, turn, tuple(steps), (*(None for _ in cleared), *(seq for seq, _ in back)), f"{word} {run.id}{tail}: {_title(run)}")

    @_read
    def remaining(self, number: int | None = None) -> Reversal:
        """Return what finishes a run that was cut short (None: the last one). Raises NotFound and Refused."""
        run = self._cut_short() if number is None else self._known(number)
        if run.status == "running" and is_alive(run.owner):
            raise Refused(f"Run {run.id} is still running.", hint="Nothing was changed.")
        if run.undone_by is not None:
            raise Refused(f"Run {run.id} was taken back by run {run.undone_by}.", hint="Nothing was changed.")
        left = [s for s in done_steps(self._journal, run) if s.state in ("planned", "failed")]
        if not left:
            raise Refused(f"Nothing of run {run.id} is left to do.", hint="Nothing was changed. See nlsh history.")
        note = f"finishes run {run.id}: {_title(run)} ({len(left)} of {run.total} steps are left)"
        cleared = self._cleared(run)
        # What was to be cleared away is looked for anew.
        clear = [s.seq for s in left if type(s.step).__name__ == "ClearLeftover"]
        left = [s for s in left if s.seq not in clear]
        sources = (*clear[: len(cleared)], *(None for _ in cleared[len(clear) :]), *(s.seq for s in left))
        return Reversal(run.id, "finish", (*cleared, *(s.step for s in left)), sources, note)

    @_read
    def on_processes(self, number: int, pids: Collection[int]) -> Reversal:
        """Return what takes back what a run did to processes, as far as they still run and are as it left them. Raises NotFound, and Refused while it runs."""
        run = self._known(number)
        if run.status == "running" and is_alive(run.owner):
            raise Refused(f"Run {run.id} is still running.", hint="Nothing was changed.")
        back: list[tuple[int, Step]] = []
        for done in reversed(done_steps(self._journal, run)) if run.undone_by is None else ():
            tuned = {e.target for e in done.step.effects() if e.kind == "proc.tune"}
            if done.state != "done" or done.inverse is None or not tuned or not tuned <= set(map(str, pids)):
                continue
            with suppress(StaleStep, NotPossible):  # it has ended, or somebody has set it to something else since
                done.inverse.drift()
                back += [(done.seq, step) for step in done.inverse.resolved()]
        if not back:
            raise NotFound(f"Nothing that run {run.id} did to them is left to take back.", hint="Nothing was changed.", code="plan.nothing-found")
        note = f"takes back what run {run.id} did to them: {_title(run)}"
        return Reversal(run.id, "undo", tuple(step for _, step in back), tuple(seq for seq, _ in back), note)

    @_read
    def recent(self, limit: int) -> list[dict[str, Any]]:
        """Return the newest runs, newest first, as the fields of `HistoryEntry`."""
        rows = []
        for run in self._journal.recent(limit):
            states = self._journal.states(run.id)
            interrupted = run.status == "running" and not is_alive(run.owner)
            undo = f"no: {run.no_undo}" if run.no_undo else "yes" if states.get("done") or interrupted else "nothing to take back"
            if run.undone_by is not None:
                undo = f"taken back by run {run.undone_by}"
            rows.append(
                {
                    "run": run.id, "at": run.at, "request": run.request or run.plan, "plan": run.plan, "status": "interrupted" if interrupted else run.status,
                    "done": run.total - states.get("planned", 0) - states.get("failed", 0), "total": run.total, "undo": undo,
                }
            )  # fmt: skip
        return rows

    def _begun_by(self, run: Run) -> Run:
        """Return the run that this one, and what it takes back or finishes, is in the end about."""
        while run.about is not None and run.about < run.id and (about := self._journal.run(run.about)) is not None:
            run = about
        return run

    def _cleared(self, run: Run) -> list[Step]:
        from nlsh.steps.leftovers import clearing

        return clearing(leftovers(self._journal, run), time.time())

    def _known(self, number: int) -> Run:
        run = self._journal.run(number)
        if run is None:
            raise NotFound(f"There is no run {number} in the journal.", hint="Nothing was changed. See nlsh history.")
        return run

    def _last(self) -> Run:
        # The newest may have done nothing but leave something half made.
        newest = [self._begun_by(r) for r in self._journal.recent(1)]
        newest = [r for r in newest if r.undone_by is None and r.status in ("failed", "partly") and leftovers(self._journal, r)]
        found = [r for r in (self._journal.last_to_undo(), *self._interrupted(), *newest) if r is not None]
        if not found:
            raise NotFound("There is nothing to undo.", hint="nlsh has changed nothing yet, or all of it was taken back. See nlsh history.")
        return max(found, key=lambda r: r.id)

    def _cut_short(self) -> Run:
        found = [*self._stopped(), *self._interrupted()]
        if not found:
            raise NotFound("No run was cut short.", hint='Nothing was changed. history.finish(run="…") tries again what a run left undone.')
        return max(found, key=lambda r: r.id)

    def _stopped(self) -> list[Run]:
        """Return the newest run that Ctrl-C or a step that failed has ended, if something of it is left and it was not taken back."""
        ended = (r for r in self._journal.recent(_LOOKED_BACK) if r.turn != "finish" and r.undone_by is None and r.status in ("cancelled", "partly", "failed"))
        return [r for r in ended if self._journal.states(r.id).keys() & {"planned", "failed"}][:1]

    def _interrupted(self) -> list[Run]:
        return [r for r in self._journal.running() if not is_alive(r.owner)]

    def _earlier(self, run: Run) -> str:
        for other in self._journal.recent(20):
            if other.id < run.id and other.turn != "undo" and other.undone_by is None and not other.no_undo and other.status != "running":
                return f' history.undo(run="{other.id}") takes back the one before: {_title(other)}.'
        return ""


@_read
def done_steps(journal: Journal, run: Run) -> list[JournalledStep]:
    """Return the steps of a run with their states; where its process died, as the world says and not as they were last marked.

    Steps run one after the other: all before the last one that the world shows done are done, and at most the next was in flight.
    """
    steps = journal.steps(run.id)
    if run.status != "running" or is_alive(run.owner):
        return steps
    marked = max((i for i, s in enumerate(steps) if s.state == "done"), default=-1) + 1
    done = marked + how_far([s.step for s in steps[marked:]])
    return [s if s.state in ("undone", "passed") else replace(s, state="done" if i < done else "planned") for i, s in enumerate(steps)]


@_read
def leftovers(journal: Journal, run: Run) -> tuple[str, ...]:
    """Return what a run that was cut short has left half made, as far as it is there: of the step that it was in, or had just done."""
    if run.status == "done":
        return ()
    steps = done_steps(journal, run)
    first = next((i for i, s in enumerate(steps) if s.state in ("planned", "failed")), len(steps))
    # One that failed has cleared up itself, and what is in its way is somebody else's.
    near = [s for s in steps[first : first + 1] if s.state == "planned"] + [s for s in steps[:first][-1:] if s.step.state() == "done"]
    return tuple(dict.fromkeys(p for s in near for p in s.step.leftovers() if os.path.lexists(p)))


def how_far(steps: Sequence[Step]) -> int:
    """Return how many of these steps, which run one after the other, the world shows to be done."""
    return next((i + 1 for i in range(len(steps) - 1, -1, -1) if not steps[i].reads_only and steps[i].inverse() is not None and steps[i].state() == "done"), 0)


def settle(journal: Journal, run: Run) -> None:
    """Write down how a run whose process died ended, as the world says."""
    if run.status != "running" or is_alive(run.owner):
        return
    steps = done_steps(journal, run)
    journal.mark(run.id, ((s.seq, s.state) for s in steps))
    done = sum(s.state != "planned" for s in steps)
    journal.finish(run.id, "done" if done == len(steps) else "partly" if done else "failed")


def _title(run: Run) -> str:
    return run.request or run.plan.replace("\n", "; ")


def _times(journal: Journal, run: Run) -> tuple[tuple[str, int], ...]:
    """Return the times to put back: not of folders in which something else changed since the run ended."""
    wanted = []
    for path, before, after in journal.folders(run.id):
        try:
            now: int | None = os.lstat(path).st_mtime_ns
        except OSError:
            now = after
        if after is None or now == after:
            wanted.append((path, before))
    return tuple(wanted)


def _refuse_drift(run: Run, inverses: Sequence[Step]) -> None:
    """Check what can be checked before anything is applied. Raises Refused with what differs.

    An inverse whose paths an earlier one changes cannot be judged yet; the worker checks it when its turn comes.
    """
    stale: dict[int, str] = {}
    closed: set[int] = set()
    for number, step in enumerate(inverses):
        try:
            step.drift()
        except StaleStep as error:
            stale[number] = error.message
        except NotPossible as error:  # it is where nobody can look, unless an earlier one opens that
            stale[number] = error.message
            closed.add(number)
    changed: set[str] = set()
    around: set[str] = set()
    # Who sets attributes of a folder changes nothing that is in it, but may open it.
    rearranged: set[str] = set()
    differing: list[str] = []
    for number, step in enumerate(inverses[: max(stale) + 1] if stale else ()):
        effects = step.effects()
        if number in stale:
            # What a step is about may be more than what it needs rights for.
            named = [v for v in vars(step).values() if isinstance(v, str) and v.startswith("/")]
            concerned = _innermost([*named, *(e.target for e in effects)])
            over = changed if number in closed else rearranged
            if not any(p in changed or p in around or any(a in over for a in _above(p)) for p in concerned):
                differing.append(stale[number])
        for path in _innermost([e.target for e in effects if e.changes]):
            changed.add(path)
            around.update(_above(path))
        rearranged.update(_innermost([e.target for e in effects if e.changes and e.kind != "fs.meta"]))
    if differing:
        more = f" And {len(differing) - 3} more." if len(differing) > 3 else ""
        raise Refused(
            f"Run {run.id} ({_title(run)}) cannot be undone, things changed since: {' '.join(differing[:3])}{more}",
            hint="Nothing was changed. Put that back by hand, or leave it as it is.",
        )


def _innermost(targets: list[str]) -> list[str]:
    """Return the targets without the folders that others of them are in."""
    return [t for t in targets if not any(other.startswith(t.rstrip("/") + "/") for other in targets)]


def _above(path: str) -> list[str]:
    found = []
    while len(path) > 1 and path.startswith("/"):
        path = path.rpartition("/")[0] or "/"
        found.append(path)
    return found
