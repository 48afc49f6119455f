"""Taking back by itself: what a plan does to some processes for the sake of others is undone by a job once these have ended.

The job is an ordinary one: `resource.release` of just that run and those processes, in `with when(process.exits(…))`. Its grant is the effects of the inverses
of the steps that were approved, one by one, and it waits for the processes that were previewed, not for others that have their names or numbers later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from nlsh.guard.standing import NEVER, StandingGrant
from nlsh.kernel.jobs import Jobs
from nlsh.plan import registry
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError
from nlsh.plan.frozen import frozen
from nlsh.plan.plan import Call, Plan, Preview, Until
from nlsh.plan.schedule import Schedule
from nlsh.plan.steps import Step
from nlsh.world import processes

if TYPE_CHECKING:
    from nlsh.journal.store import Journal

_ACTION = "resource.release"
_EVERYWHERE = "/"  # its working directory: no path matters to it, and that is always there


@frozen()
class Reclaim:
    """What is to be taken back when: `effects` is all that this may do; `why_not` why no job can, empty where one can."""

    until: Until
    effects: frozenset[Effect]
    why_not: str = ""

    @property
    def when(self) -> str:
        """When it is taken back, in words that follow “when”."""
        names = self.until.names
        return f"{names[0]} ends" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} have ended"

    def plan(self, run: int) -> Plan:
        """Return the plan of its job, for the run of the journal that is taken back."""
        pids, waits = tuple(map(str, self.until.of)), self.until
        args = {"pid": ", ".join(str(pid) for pid, _ in waits.processes)}
        call = Call(_ACTION, {"pid": pids[0] if len(pids) == 1 else pids, "run": str(run)})
        return Plan((call,), Schedule("when", args, "process.exits"))

    def grant(self) -> StandingGrant:
        """Return what its job may do."""
        return StandingGrant(exact=self.effects)

    def make(self, jobs: Jobs, run: int, env: Mapping[str, str]) -> int:
        """Write its job and return the number."""
        plan, waits = self.plan(run), self.until
        state = {"processes": [list(p) for p in waits.processes], "boot": processes.boot_id()}
        assert plan.schedule is not None
        return jobs.add(
            request=f"take back what run {run} did to {waits.of_name} when {self.when}", plan=registry.format(plan), args=dict(plan.schedule.args),
            cwd=_EVERYWHERE, env=dict(env), grants=self.grant().as_data(), due=None, state=state,
        )  # fmt: skip


def foreseen(preview: Preview) -> list[Reclaim]:
    """Return what of a plan is to be taken back by itself, and what would be but cannot."""
    found = []
    for call in preview.calls:
        for until in call.until:
            own = [s for s in call.steps if _touched([s]) & set(until.of)]
            others = [s for c in preview.calls for s in c.steps if not any(s is mine for mine in own)]
            back = [s.inverse() for s in own]
            effects = frozenset(e for s in back if s is not None for e in s.effects())
            why_not = ""
            if None in back or any(e.kind in NEVER for e in effects):
                why_not = "that needs root rights"
            elif _touched(others) & set(until.of):
                why_not = "this plan changes more about it"
            found.append(Reclaim(until, effects, why_not))
    return found


def _touched(steps: Iterable[Step]) -> set[int]:
    return {int(e.target) for s in steps for e in s.effects() if e.kind == "proc.tune" and e.target.isdecimal()}


def call_off(journal: Journal, run: int) -> None:
    """Cancel the jobs that wait to take back a run, where it was taken back."""
    jobs = Jobs()
    with suppress(NlshError):  # one that stays finds nothing to do when its time comes
        about = journal.run(run)
        if not jobs.exist or about is None or about.undone_by is None:
            return
        for job in jobs.all():
            if job.status in ("waiting", "paused") and _ACTION in job.plan and _is_of(job.plan, run):
                with suppress(NlshError):
                    jobs.cancel(job.id)
    jobs.close()


def _is_of(text: str, run: int) -> bool:
    with suppress(NlshError):
        return any(c.action == _ACTION and c.args.get("run") == str(run) for c in registry.parse(text).calls)
    return False
