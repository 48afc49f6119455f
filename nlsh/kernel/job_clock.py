"""What the daemon does about jobs: it looks at their times and conditions, claims what is due, and starts a process for each run.

A run is a process of its own: it goes on where the daemon ends, has its own folder and environment, and can be stopped like any other.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable

from nlsh.journal.store import owner_of_this_process
from nlsh.kernel.jobs import Job, Jobs
from nlsh.plan.errors import NlshError

MOST_AT_ONCE = 4
_POLL_S = 1.0  # conditions, and runs that are under way
_LONGEST_S = 30.0  # between two looks: the clock may be set, the machine may have slept
_OF_NLSH = ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "PATH")


class JobClock:
    """`command(*words)` is the command line of this nlsh. One for a state folder: the daemon's."""

    def __init__(self, command: Callable[..., list[str]]) -> None:
        self._command = command
        self._jobs = Jobs()
        self._started: dict[int, subprocess.Popen[bytes]] = {}  # by run
        self._first = True

    def tick(self) -> float | None:
        """Start what is due; return in how many seconds to look again, None where no job waits or runs."""
        if not self._jobs.exist:
            return None
        try:
            self._reap()
            return self._tick(time.time())
        except NlshError as error:
            # A store that cannot be used now may be later; of a job that cannot be read, its owner is told by `nlsh jobs`.
            print(f"nlshd: {error}", file=sys.stderr, flush=True)
            return _LONGEST_S

    def _reap(self) -> None:
        """Let go of the processes that have ended. One that never took up its run has failed."""
        for run, process in list(self._started.items()):
            if process.poll() is None:
                continue
            del self._started[run]
            if self._jobs.run(run).status == "claimed":
                self._jobs.end(run, "failed", "Its process ended before it had begun.", exit_status=1, again=True)
        # Runs that an earlier version of this process started, before it was replaced in place.
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue

    def _tick(self, now: float) -> float | None:
        ours = owner_of_this_process()
        left = self._jobs.settle()
        if self._first:
            # Claimed before this process was replaced in place: whoever comes second finds it begun.
            left += [r for r in self._jobs.runs(going=True) if r.status == "claimed" and r.owner == ours and r not in left]
            self._first = False
        for run in left:
            self._start(self._jobs.job(run.job), run.id)
        going = {r.job for r in self._jobs.runs(going=True)}
        polled = False
        for job in self._waiting():
            polled = self._watch(job, now) or polled
        ready = sorted((j for j in self._waiting() if j.due is not None and j.due <= now), key=lambda j: j.due or 0.0)
        for job in ready:
            if len(going) >= MOST_AT_ONCE:
                break
            if job.id in going:
                continue
            if (claimed := self._jobs.claim(job, now)) is not None:
                going.add(job.id)
                self._start(job, claimed)
        waiting, going_on = self._waiting(), bool(self._jobs.runs(going=True))
        if not waiting and not going_on:
            return None
        nearest = min((j.due - time.time() for j in waiting if j.due is not None and j.id not in going), default=_LONGEST_S)
        return max(0.05, min(nearest, _POLL_S if polled or going_on else _LONGEST_S))

    def _waiting(self) -> list[Job]:
        """Return the jobs that wait and that this nlsh can read."""
        found = []
        for job in self._jobs.all():
            if job.status == "waiting":
                with contextlib.suppress(NlshError):
                    _ = job.schedule
                    found.append(job)
        return found

    def _watch(self, job: Job, now: float) -> bool:
        """Look at a job's condition; return whether it has one."""
        from nlsh.world import conditions

        schedule = job.schedule
        if schedule.kind != "when":
            return False
        seen = conditions.look(schedule.condition, job.args, job.state)
        if seen.met or seen.state != job.state:
            self._jobs.set_state(job.id, seen.state, due=now if seen.met else None, found=seen.paths)
        return True

    def _start(self, job: Job, run: int) -> None:
        log = self._jobs.log_of(run)
        log.parent.mkdir(exist_ok=True, mode=0o700)
        environment = {**{k: os.environ[k] for k in _OF_NLSH if k in os.environ}, **job.env}
        try:
            with open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as output, open(os.devnull, "rb") as nothing:
                words = self._command("jobs", "exec", str(run))
                folder = job.cwd if os.path.isdir(job.cwd) else "/"
                self._started[run] = subprocess.Popen(words, stdin=nothing, stdout=output, stderr=output, env=environment, cwd=folder, start_new_session=True)
        except OSError as error:
            self._jobs.end(run, "failed", f"It could not be started: {error.strerror}.", exit_status=1, again=True)
