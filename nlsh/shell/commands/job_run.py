"""One run of a job: in a process of its own, held to the job's standing grant and budget; what comes of it is written down and, where it failed, told."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from dataclasses import replace

from nlsh.guard.sandbox.relay import family
from nlsh.guard.standing import StandingGrant, StandingPolicy
from nlsh.kernel.bind import Result
from nlsh.kernel.job_clock import STANDS_STILL_S
from nlsh.kernel.jobs import FAILED, Job, JobRun, Jobs
from nlsh.plan import registry
from nlsh.plan.errors import Denied, NlshError, NotFound
from nlsh.plan.plan import Plan, Preview, PreviewedCall
from nlsh.plan.records import Record
from nlsh.resources import budget
from nlsh.shell.options import Options
from nlsh.shell.turn import Session
from nlsh.world import machine, processes

_LOOKS_EVERY_S = 1.0  # at the memory of a run


def run_job(number: int, options: Options) -> int:
    """Do a claimed run and return its exit status; 0 where somebody else has it."""
    # What is held is held from the start: the zygote, and whatever it forks, has it from this process.
    try:
        limited, held = _held(number), None
        if limited is not None:
            held = budget.hold(os.getpid(), limited, "job")
    except NlshError as error:
        return _refused(number, error)
    try:
        # The zygote is forked before anything else is opened.
        with Session.start(replace(options, no_input=True, plain=True, quiet=False, yes=False, allow=[])) as session:
            return _begun(session, number, limited, held)
    finally:
        if held is not None:
            held.release()


def _held(number: int) -> budget.Budget | None:
    """Return what a run may use of the machine, None where that is not said. Raises NotPossible where it cannot be had, or held, any more."""
    jobs = Jobs()
    schedule = jobs.job(jobs.run(number).job).schedule
    jobs.close()
    found = budget.of(schedule)
    return found if found.limits or found.gpu_memory is not None else None


def _refused(number: int, error: NlshError) -> int:
    jobs = Jobs()
    if jobs.begin(number):
        print(f"nlsh: {error}", flush=True)
        jobs.end(number, "failed", str(error), exit_status=error.exit_status)
        _notify(f"Job {jobs.run(number).job} failed: {error.message}"[:300])
    jobs.close()
    return error.exit_status


def _begun(session: Session, number: int, limited: budget.Budget | None, held: budget.Held | None) -> int:
    jobs = Jobs()
    if not jobs.begin(number):
        return 0
    run = jobs.run(number)
    job = jobs.job(run.job)
    _stand_still_when_told(session)
    session.say(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} job {job.id}, run {run.id}")
    try:
        with _Watch(session, limited, held) as watch:
            status = _run(session, jobs, job, run, watch)
    except BaseException as error:
        words = str(error) if isinstance(error, NlshError) else f"This is a fault of nlsh: {type(error).__name__}: {error}."
        jobs.end(number, "cancelled" if isinstance(error, KeyboardInterrupt) else "failed", words, exit_status=1)
        raise
    ended = jobs.run(number)
    if ended.status in FAILED and jobs.job(job.id).attempt == 0:
        _notify(f"Job {job.id} {ended.status}: {ended.message}"[:300])
    jobs.close()
    return status


class _Watch:
    """Says how a run is held; where the kernel cannot keep all its processes together to their memory, looks every second and ends what is above."""

    def __init__(self, session: Session, limited: budget.Budget | None, held: budget.Held | None) -> None:
        self._session, self._held = session, held
        self._most = limited.memory if limited is not None and held is not None and held.kind == "process" else None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.message = ""  # why the run was ended, where it was

    def __enter__(self) -> _Watch:
        if self._held is not None:
            self._session.say(f"held to {self._held.words}" + "".join(f"; not held: {what}" for what in self._held.not_held))
        if self._most is not None:
            self._thread = threading.Thread(target=self._look, name="memory", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        assert self._most is not None
        while not self._over.wait(_LOOKS_EVERY_S):
            has = sum(map(processes.memory, family(os.getpid())))
            if has > self._most:
                self.message = f"It took {machine.amount(has)} of memory, more than the {machine.amount(self._most)} it may, and was ended."
                self._session.zygote.end()
                return


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


def _run(session: Session, jobs: Jobs, job: Job, run: JobRun, watch: _Watch) -> int:
    if os.getcwd() != job.cwd:
        message = f"{job.cwd}, where it was made, is not there."
        session.say(f"nlsh: {message}")
        jobs.end(run.id, "failed", message, exit_status=1, again=True)
        return 1
    session.kernel.policy = session.policy = held_to(session, job)
    if run.found:
        session.kernel.last = Result("file.find", _files(run.found), job.cwd)
    plan = replace(registry.parse(job.plan), schedule=None)
    notice = notice_of(plan)
    try:
        preview = session.kernel.preview(plan, f"job {job.id}: {job.request}")
        outcome = session.kernel.run(preview)
    except NlshError as error:
        session.say(f"nlsh: {error}")
        if notice:
            jobs.end(run.id, "said", notice)
            return 0
        if isinstance(error, NotFound) and (error.code == "plan.nothing-found" or job.schedule.repeats):
            # What comes again and again is often about nothing.
            jobs.end(run.id, "nothing", error.message)
            return 0
        denied = isinstance(error, Denied)
        jobs.end(run.id, "denied" if denied else "failed", str(error), exit_status=error.exit_status, again=not denied)
        return error.exit_status
    status = session.report(preview, outcome)
    if notice and outcome.status != "done":
        jobs.end(run.id, "said", notice)
        return 0
    message = watch.message or outcome.message or (f"{outcome.done} of {outcome.total} steps were done." if outcome.total else "")
    final = "failed" if outcome.status == "done" and status else outcome.status
    jobs.end(run.id, final, message, journal=outcome.run_id, exit_status=status, again=final == "failed" and outcome.done == 0)
    return status


def notice_of(plan: Plan) -> str:
    """Return what a plan does nothing but say to its user, empty where it does more: where there is no desktop, the next prompt says it."""
    if len(plan.calls) != 1 or plan.calls[0].action != "system.notify":
        return ""
    text = plan.calls[0].args.get("text")
    return text if isinstance(text, str) else ""


def foreseen_notice(plan: Plan, request: str) -> Preview | None:
    """Return the preview of a plan that does nothing but say something, as it would be on a desktop; None where it does more."""
    from nlsh.steps.system import Notify

    if not (text := notice_of(plan)):
        return None
    step = Notify(text)
    return Preview(replace(plan, schedule=None), (PreviewedCall(plan.calls[0], (step,), step.effects()),), request)


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
