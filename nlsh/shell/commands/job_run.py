"""One run of a job: in a process of its own, held to the job's standing grant; what comes of it is written down and, where it failed, told."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import replace

from nlsh.guard.standing import StandingGrant, StandingPolicy
from nlsh.kernel.bind import Result
from nlsh.kernel.job_clock import STANDS_STILL_S
from nlsh.kernel.jobs import FAILED, Job, JobRun, Jobs
from nlsh.plan import registry
from nlsh.plan.errors import Denied, NlshError, NotFound
from nlsh.plan.records import Record
from nlsh.shell.options import Options
from nlsh.shell.turn import Session


def run_job(number: int, options: Options) -> int:
    """Do a claimed run and return its exit status; 0 where somebody else has it."""
    # The zygote is forked before anything else is opened.
    with Session.start(replace(options, no_input=True, plain=True, quiet=False, yes=False, allow=[])) as session:
        jobs = Jobs()
        if not jobs.begin(number):
            return 0
        run = jobs.run(number)
        job = jobs.job(run.job)
        _stand_still_when_told(session)
        try:
            status = _run(session, jobs, job, run)
        except BaseException as error:
            words = str(error) if isinstance(error, NlshError) else f"This is a fault of nlsh: {type(error).__name__}: {error}."
            jobs.end(number, "cancelled" if isinstance(error, KeyboardInterrupt) else "failed", words, exit_status=1)
            raise
        ended = jobs.run(number)
        if ended.status in FAILED and jobs.job(job.id).attempt == 0:
            _notify(f"Job {job.id} {ended.status}: {ended.message}"[:300])
        jobs.close()
        return status


def _stand_still_when_told(session: Session) -> None:
    """Have the run's workers stand still at SIGTSTP, and go on at SIGCONT, or once nobody has said so again for a while.

    This process itself goes on: stopped in the middle of a transaction it would hold up every other nlsh.
    """

    def still(*_: object) -> None:
        session.zygote.pause()
        signal.alarm(STANDS_STILL_S)

    def go_on(*_: object) -> None:
        signal.alarm(0)
        session.zygote.go_on()

    for number, handler in ((signal.SIGTSTP, still), (signal.SIGCONT, go_on), (signal.SIGALRM, go_on)):
        signal.signal(number, handler)


def _run(session: Session, jobs: Jobs, job: Job, run: JobRun) -> int:
    if os.getcwd() != job.cwd:
        message = f"{job.cwd}, where it was made, is not there."
        session.say(f"nlsh: {message}")
        jobs.end(run.id, "failed", message, exit_status=1, again=True)
        return 1
    session.say(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} job {job.id}, run {run.id}")
    session.kernel.policy = session.policy = held_to(session, job)
    if run.found:
        session.kernel.last = Result("file.find", _files(run.found), job.cwd)
    plan = replace(registry.parse(job.plan), schedule=None)
    try:
        preview = session.kernel.preview(plan, f"job {job.id}: {job.request}")
        outcome = session.kernel.run(preview)
    except NlshError as error:
        session.say(f"nlsh: {error}")
        if isinstance(error, NotFound) and (error.code == "plan.nothing-found" or job.schedule.repeats):
            # What comes again and again is often about nothing.
            jobs.end(run.id, "nothing", error.message)
            return 0
        denied = isinstance(error, Denied)
        jobs.end(run.id, "denied" if denied else "failed", str(error), exit_status=error.exit_status, again=not denied)
        return error.exit_status
    status = session.report(preview, outcome)
    message = outcome.message or (f"{outcome.done} of {outcome.total} steps were done." if outcome.total else "")
    final = "failed" if outcome.status == "done" and status else outcome.status
    jobs.end(run.id, final, message, journal=outcome.run_id, exit_status=status, again=final == "failed" and outcome.done == 0)
    return status


def held_to(session: Session, job: Job) -> StandingPolicy:
    """Return the policy for the runs of a job: the rules as they are now, and its grant. Raises Denied for a grant that cannot be read."""
    try:
        grant = StandingGrant.from_data(job.grants)
    except (KeyError, TypeError, ValueError) as error:
        raise Denied(f"What job {job.id} was approved for cannot be read ({error}).", hint="Nothing was run. Make the job anew.") from error
    return StandingPolicy(session.policy.rules, session.policy.cwd, grant, f"job {job.id}")


def _files(paths: tuple[str, ...]) -> tuple[Record, ...]:
    from nlsh.world.files import record

    found = []
    for path in paths:
        with contextlib.suppress(OSError):
            found.append(record(path, os.lstat(path)))
    return tuple(found)


def _notify(text: str) -> None:
    """Say it on the desktop, where there is one."""
    from nlsh.steps.system import Notify

    with contextlib.suppress(NlshError, OSError, ValueError):
        Notify(text).apply()
