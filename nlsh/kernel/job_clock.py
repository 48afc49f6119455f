"""What the daemon does about jobs: it looks at their times and conditions, claims what is due, and starts a process for each run.

A run is a process of its own: it goes on where the daemon ends, has its own folder and environment, and can be stopped like any other. How many run at
once, which is next and which stands still is the scheduler's (`nlsh.kernel.scheduler`): every job is a client of its own, so that one that is due all the
time does not keep others waiting, and what the budget of a job says is kept free for its run. A run that takes long gives its place up, and goes on with
the memory that is its own: it may be there to wait for something. One of low priority keeps it, and stands still while others wait.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from nlsh.journal.store import is_alive, owner_of_this_process
from nlsh.kernel.jobs import Job, JobRun, Jobs
from nlsh.kernel.scheduler import Needs, Scheduler, Task
from nlsh.plan.errors import NlshError
from nlsh.resources import inventory

LEAST_AT_ONCE = 2  # else as many as there are cores
LONG_S = 60.0  # after that, a run gives its place up
TURN_S = 10.0  # of a run of low priority, while others wait
STANDS_STILL_S = 15  # a run that was told to, where nobody tells it again: the daemon may be gone
_NO_PLACE = 1e-3  # cores of a run that has given its place up
_NICE_OF_LOW = 10
_POLL_S = 1.0  # conditions, and runs that are under way
_LONGEST_S = 30.0  # between two looks: the clock may be set, the machine may have slept
_OF_NLSH = ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "PATH")


class JobClock:
    """`command(*words)` is the command line of this nlsh. One for a state folder: the daemon's."""

    def __init__(self, command: Callable[..., list[str]]) -> None:
        self._command = command
        self._jobs = Jobs()
        self._started: dict[int, subprocess.Popen[bytes]] = {}  # by run
        self._capacity = _capacity()
        self._scheduler = Scheduler(self._capacity, quantum=TURN_S)
        self._placed: dict[int, float] = {}  # jobs whose run has begun, and when
        self._long: set[int] = set()  # those whose run has given its place up

    def tick(self) -> float | None:
        """Start what is due; return in how many seconds to look again, None where no job waits or runs."""
        if not self._jobs.exist:
            return None
        try:
            self._reap()
            return self._tick(time.time())
        except (NlshError, OSError) as error:
            # A store or a disk that cannot be used now may be later; of a job that cannot be read, its owner is told by `nlsh jobs`.
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
        self._jobs.settle()
        # Handed on by a daemon that is gone; claimed before this process was replaced in place, where whoever comes second finds it begun; or on a full disk.
        for run in [r for r in self._jobs.runs(going=True) if r.status == "claimed" and r.owner == ours and r.id not in self._started]:
            self._start(self._jobs.job(run.job), run.id)
        polled, waiting = False, self._waiting()
        for job in waiting:
            if job.due is not None and (earlier := job.schedule.due_after_setback(job.due, now)) is not None:
                self._jobs.bring_forward(job, earlier)
            polled = self._watch(job, now) or polled
        ready = {j.id: j for j in self._waiting() if j.due is not None and j.due <= now}
        self._place(ready, now)
        waiting, going = self._waiting(), {r.job for r in self._jobs.runs(going=True)}
        if not waiting and not going:
            return None
        nearest = min((j.due - time.time() for j in waiting if j.due is not None and j.id not in going and j.id not in ready), default=_LONGEST_S)
        look = self._scheduler.next_look(time.monotonic())
        return max(0.05, min(nearest, _POLL_S if polled or going or ready else _LONGEST_S, _LONGEST_S if look is None else look))

    def _place(self, ready: dict[int, Job], now: float) -> None:
        """Tell the scheduler what is due, what runs and what has ended; do what it decides."""
        scheduler, clock = self._scheduler, time.monotonic()
        going = {r.job: r for r in self._jobs.runs(going=True)}
        for key in self._known():
            state = scheduler.state(key)
            if key not in going and (key not in ready or state != "waiting"):
                scheduler.ended(key, clock)
            elif state == "running" and key not in self._long and clock - self._placed[key] > LONG_S and not (late := self._task(key)).preemptible:
                scheduler.ended(key, clock)
                self._long.add(key)
                if late.needs.memory or late.needs.gpu_memory:
                    scheduler.adopt(replace(late, needs=replace(late.needs, cores=_NO_PLACE)), clock)
        self._placed = {job: since for job, since in self._placed.items() if job in going}
        self._long &= set(going)
        for number in going:
            if number not in self._placed:
                # Begun by an earlier process, or handed on.
                self._placed[number] = clock
                scheduler.adopt(self._task(number), clock)
        for job in sorted(ready.values(), key=lambda j: j.due or now):
            if job.id not in going and job.id not in self._known():
                scheduler.add(self._task(job.id), clock, since=clock - max(0.0, now - (job.due or now)))
        while decisions := scheduler.decide(clock):
            for what, task in decisions:
                number = int(str(task))
                if what == "start":
                    self._begin(ready[number], now)
                elif what == "resume" and number in going:
                    _tell(going[number], signal.SIGCONT)
        for number in self._known("paused"):
            _tell(going[number], signal.SIGTSTP)

    def _known(self, *states: str) -> list[int]:
        """Return the jobs that the scheduler has in these states."""
        return [int(str(key)) for key in self._scheduler.keys(*states)]

    def _task(self, number: int) -> Task:
        priority, needs = "normal", Needs()
        with contextlib.suppress(NlshError):  # this nlsh cannot read it, and yet it runs
            schedule = self._jobs.job(number).schedule
            priority, needs = schedule.priority, self._needs(schedule.amounts)
        return Task(number, f"job {number}", priority, needs, preemptible=priority == "low")

    def _needs(self, amounts: Mapping[str, float]) -> Needs:
        """Return the room that is kept for a run: never more than there is, for the machine may have become smaller since the job was made."""
        cores = amounts["cpu"] * len(os.sched_getaffinity(0)) / 100 if "cpu" in amounts else amounts.get("cores", 1.0)
        memory, gpu_memory = (int(min(amounts.get(name, 0), getattr(self._capacity, name))) for name in ("memory", "gpu_memory"))
        return Needs(min(cores, self._capacity.cores), 0.0, memory, gpu_memory)

    def _begin(self, job: Job, now: float) -> None:
        claimed = self._jobs.claim(job, now)
        if claimed is None:
            self._scheduler.ended(job.id, time.monotonic())
            return
        self._placed[job.id] = time.monotonic()
        self._start(job, claimed)

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
        if not schedule.repeats and self._jobs.runs(job.id):
            # What has ended stays ended: looked at while its run is under way, it would be due a second time.
            return False
        seen = conditions.look(schedule.condition, job.args, job.state)
        if seen.met or seen.state != job.state:
            self._jobs.set_state(job.id, seen.state, due=now if seen.met else None, found=seen.paths)
        return True

    def _start(self, job: Job, run: int) -> None:
        log = self._jobs.log_of(run)
        environment = {**{k: os.environ[k] for k in _OF_NLSH if k in os.environ}, **job.env}
        try:
            log.parent.mkdir(exist_ok=True, mode=0o700)
            with open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as output, open(os.devnull, "rb") as nothing:
                words = self._command("jobs", "exec", str(run))
                folder = job.cwd if os.path.isdir(job.cwd) else "/"
                self._started[run] = subprocess.Popen(words, stdin=nothing, stdout=output, stderr=output, env=environment, cwd=folder, start_new_session=True)
        except OSError as error:
            self._jobs.end(run, "failed", f"It could not be started: {error.strerror}.", exit_status=1, again=True)
            return
        if job.schedule.priority == "low":
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._started[run].pid, _NICE_OF_LOW)


def _capacity() -> Needs:
    """Return what there is for all runs together: places, memory, and that of the largest graphics card, since a run's lies on one."""
    there = inventory.read()
    card = max((c.total_bytes for c in there.cards), default=0)
    return Needs(float(max(LEAST_AT_ONCE, len(os.sched_getaffinity(0)))), memory=there.memory, gpu_memory=card)


def _tell(run: JobRun, number: int) -> None:
    """Signal the process of a run, if it has begun and is still that process."""
    if run.status != "running":
        return
    with contextlib.suppress(OSError, ValueError):
        handle = os.pidfd_open(int(run.owner.partition(":")[0]))
        try:
            if is_alive(run.owner):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)
