"""Recovery: runs whose process died before they ended. How far each got is read from the world; the user decides what becomes of it.

Finishing and reversing are ordinary plans: they are previewed, decided on, journalled and run like any other.
"""

from __future__ import annotations

from nlsh.journal.store import Journal, is_alive
from nlsh.journal.undo import done_steps, leftovers, settle
from nlsh.plan.frozen import frozen
from nlsh.plan.plan import Call, Plan


@frozen()
class Unfinished:
    """A run that was cut short: `done` of its `total` steps were done. `settled`: none or all of them, so that nothing is to be decided."""

    run_id: int
    request: str
    done: int
    total: int
    settled: bool = False

    @property
    def message(self) -> str:
        """A sentence for a person."""
        what = f"“{self.request}” (run {self.run_id}) was cut short: {self.done:,} of {self.total:,} steps were done."
        if self.settled:
            return f"{what} Nothing is left to do about it."
        return f'{what} history.finish(run="{self.run_id}") finishes it, history.undo(run="{self.run_id}") takes it back.'


def unfinished(journal: Journal) -> list[Unfinished]:
    """Return the runs whose process died, oldest first. One of which nothing or everything was done is closed here and returned this once."""
    found: list[Unfinished] = []
    if not journal.path.exists():
        return found
    for run in journal.running():
        if is_alive(run.owner):
            continue
        steps = done_steps(journal, run)
        done = sum(s.state != "planned" for s in steps)
        settled = done in (0, len(steps)) and not leftovers(journal, run)
        if settled:
            settle(journal, run)
        found.append(Unfinished(run.id, run.request or run.plan, done, len(steps), settled))
    return found


def finish_plan(run_id: int) -> Plan:
    """Return the plan that does what is left of a run."""
    return Plan((Call("history.finish", {"run": str(run_id)}),))


def reverse_plan(run_id: int) -> Plan:
    """Return the plan that takes back what was done of a run."""
    return Plan((Call("history.undo", {"run": str(run_id)}),))


def leave(journal: Journal, run_id: int) -> None:
    """Leave a run as it is: it is not reported again, and can still be taken back or finished."""
    run = journal.run(run_id)
    if run is not None:
        settle(journal, run)
