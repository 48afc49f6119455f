"""Jobs, as their user meets them: a plan with a schedule is shown and approved once, and `nlsh jobs` lists, shows, pauses, resumes, cancels and waits.

What the runs may do is asked about in the words of the standing grant; what is enforced is the grant's own (`nlsh.guard.standing`).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlsh.guard.standing import StandingGrant, standing
from nlsh.journal.store import Journal, is_alive
from nlsh.kernel.jobs import FAILED, Job, JobRun, Jobs
from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, Denied, NlshError, NotFound, NotPossible
from nlsh.plan.plan import LAST, Call, Plan, Preview, Ref
from nlsh.plan.schedule import describe
from nlsh.resources import budget
from nlsh.shell.options import Options, UsageError, not_so
from nlsh.shell.preview import preview_lines
from nlsh.shell.show import Look, escape, moment, show_table
from nlsh.world import conditions

if TYPE_CHECKING:
    from nlsh.guard.policy import Decision
    from nlsh.plan.records import Record
    from nlsh.planner.answer import Answer
    from nlsh.planner.clauses import Clause
    from nlsh.shell.turn import Session

WORDS = ("list", "show", "pause", "resume", "cancel", "run", "retry", "wait", "log")
_KEPT = ("PATH", "HOME", "LANG", "LANGUAGE", "USER", "LOGNAME", "SHELL", "TZ", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY")
_QUESTION = "Approve this job, for all its runs? [y/N] "
_STARTS = {"run": "Run this job now? [y/N] ", "retry": "Run this job again? [y/N] ", "resume": "Let this job go on? [y/N] "}
_CHANGES = (*_STARTS, "pause", "cancel")
_LOOKS_EVERY_S = 0.1
_SHOWN_LOG_BYTES = 64_000


# --- in words ---------------------------------------------------------------------------------------------------------


def answer_to(session: Session, clause: Clause) -> Answer:
    """Return what a sentence that also says when means: what is to be done, each reading with its schedule. Raises what a planner raises."""
    from nlsh.planner.answer import Answer, Reading
    from nlsh.shell.turn import command_plan

    when = "when, by rule: " + describe(clause.schedule)
    if clause.notice:
        plan = Plan((Call("system.notify", {"text": clause.notice}),), schedule=clause.schedule)
        return Answer("plan", (Reading(plan, 1.0, "a reminder"),), "", (when,))
    rest = clause.rest
    run = rest.removeprefix("run ").removeprefix("运行").strip()
    if rest.startswith("!") or session.is_command(rest) or (run != rest and session.is_command(run)):
        plan = command_plan((run if run != rest else rest).removeprefix("!").strip())
        return Answer("plan", (Reading(replace(plan, schedule=clause.schedule), 1.0, "a command"),), "", (when,))
    context = session.context()
    if clause.schedule.condition in ("file.appears", "file.changes"):
        # “it” and “them” are the files that appear.
        there = clause.schedule.args.get("under") or clause.schedule.args["path"]
        context = replace(context, last_action="file.find", last_records=(_a_file(there),), last_plan=None)
    answer = session.planning.plan(rest, context)
    readings = tuple(replace(r, plan=replace(r.plan, schedule=clause.schedule)) for r in answer.readings)
    if answer.kind == "choose" and len(readings) == 1 and session.can_ask() and not session.options.yes and not _only_reads(readings[0].plan):
        # The question below the job is asked anyway: one is enough.
        answer = replace(answer, kind="plan")
    return replace(answer, readings=readings, trace=(when, *answer.trace))


def said(session: Session, words: list[str], request: str) -> int:
    """Do what a sentence about jobs means; `words` are those of `nlsh jobs`. What has a job run is asked about. Raises what that raises."""
    if session.options.dry_run or session.mode == "plan":
        print(f"nlsh jobs {' '.join(words)}")
        return 0
    if words[0] in _CHANGES and not _agreed(session, words, request):
        session.say("Nothing was changed.")
        return Denied.exit_status
    return run(replace(session.options, words=words), session.look)


def _agreed(session: Session, words: list[str], request: str) -> bool:
    """Return whether the user lets a job be run or go on, or calls it off, which is not asked about; write down what was decided. Raises NotFound."""
    jobs = Jobs()
    job = jobs.job(int(words[1]))
    jobs.close()
    may = StandingGrant.from_data(job.grants).lines()
    who = "user"
    if words[0] in _STARTS:
        lines = [f"  Job {job.id}, {job.status}: {escape(_when(job))}", *(f"    {escape(line)}" for line in job.plan.splitlines())]
        session.say(*lines, "  Each run may, without being asked again:", *(f"    {escape(line)}" for line in may))
        who = _approval(session, _STARTS[words[0]])
    entry: dict[str, Any] = {
        "request": request, "plan": job.plan, "effects": may[:100], "decision": "allow" if who else "deny", "rule": f"nlsh jobs {' '.join(words)}",
    }  # fmt: skip
    session.audit.append("decision", **entry, who=who or "user", level=session.level)
    return bool(who)


def _a_file(path: str) -> Record:
    from nlsh.world.files import record

    return record(path, os.stat("/"))


# --- a new one -------------------------------------------------------------------------------------------------------


def offer(session: Session, plan: Plan, request: str, *, shown: bool = True) -> int:
    """Show a plan that has a schedule, have it approved, and make it a job; return the exit status. `shown`: its user knows the plan already."""
    try:
        return _offer(session, plan, request)
    except NlshError as error:
        if not shown and not session.options.quiet:
            session.say(*session.plan_lines(plan))
        return session.fail(error)


def _offer(session: Session, plan: Plan, request: str) -> int:
    schedule = plan.schedule
    assert schedule is not None
    world, args, state = session.kernel.world, dict[str, str](), {}
    if schedule.kind == "when":
        conditions.check(schedule)
        args = conditions.resolved(schedule, world)
        state = conditions.begin(schedule.condition, args)
    now = time.time()
    due = schedule.next_due(now)
    if schedule.kind == "at" and due is None:
        raise BadArgument(f"“{schedule.args['time']}” is over already, so it would never be run.", hint="Nothing was changed. Say a time to come.")
    budget.of(schedule)  # what cannot be had is refused before anything is asked
    preview, why = _foreseen(session, plan, request)
    decision = session.last_decision = session.policy.decide(preview)
    if decision.answer == "deny":
        raise Denied(decision.reason, hint=f"Nothing was changed. Rule: {decision.rule}.")
    watched = [args["under"]] if schedule.condition == "file.appears" else [args["path"]] if schedule.condition == "file.changes" else []
    grant = standing(plan, preview, world, watched)
    _show(session, plan, preview, decision, grant, due, why)
    if session.options.dry_run or session.mode == "plan":
        sys.stdout.write(registry.format(plan) + "\n")
        return 0
    who = "policy" if decision.answer == "allow" and _only_reads(plan) else _approval(session)
    text = registry.format(plan)
    entry: dict[str, Any] = {
        "request": request, "plan": text, "effects": grant.lines()[:100], "digest": preview.digest(), "decision": "allow" if who else "deny",
        "rule": str(decision.rule), "who": who or "user", "level": session.level,
    }  # fmt: skip
    session.audit.append("decision", **entry)
    if not who:
        session.say("No job was made.")
        return Denied.exit_status
    env = kept_environment()
    jobs = Jobs()
    number = jobs.add(request=request, plan=text, args=args, cwd=world.cwd, env=env, grants=grant.as_data(), due=due, state=state)
    jobs.close()
    return _made(session, number)


def kept_environment() -> dict[str, str]:
    """Return the variables that the runs of a job get."""
    return {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(("LC_", "XDG_"))}


def _only_reads(plan: Plan) -> bool:
    return all(registry.get(c.action).reads_only() for c in plan.calls)


def _foreseen(session: Session, plan: Plan, request: str) -> tuple[Preview, str]:
    """Return the preview of as many calls as can be previewed now, and why not of more: what is only found later is held to the grant then."""
    why = ""
    for count in range(len(plan.calls), -1, -1):
        try:
            return session.kernel.preview(Plan(plan.calls[:count]), request), why
        except NotFound as error:
            if plan.schedule is None or plan.schedule.kind == "background":
                raise
            why = error.message
        except NotPossible:
            from nlsh.shell.commands.job_run import foreseen_notice

            if (told := foreseen_notice(plan, request)) is None:
                raise
            return told, "There is no desktop here now: without one, the next prompt says it."
    return Preview(Plan(()), (), request), why


def _show(session: Session, plan: Plan, preview: Preview, decision: Decision, grant: StandingGrant, due: float | None, why: str) -> None:
    look, schedule = session.look, plan.schedule
    assert schedule is not None
    first = "" if due is None else {"every": f"; first {moment(due)}", "at": f" ({moment(due)})"}.get(schedule.kind, "")
    lines = [look.paint(f"  A job: {escape(describe(schedule))}{first}", "bold")]
    lines += [f"    {escape(line)}" for line in registry.format(replace(plan, schedule=None)).splitlines()]
    if preview.changes:
        lines.append("  If it ran now:")
        lines += ["  " + line for line in preview_lines(preview, look, decision=decision, with_plan=False, cwd=os.getcwd())]
    if len(preview.calls) < len(plan.calls):
        waits = any(isinstance(v, Ref) and v.name == LAST for v in plan.calls[len(preview.calls)].args.values())
        lines.append("  What it is about is not there yet." if waits and schedule.kind == "when" else f"  If it ran now: {escape(why)}")
    elif why:
        lines.append(f"  {why}")
    lines.append("  Each run may, without being asked again:")
    lines += [f"    {escape(line)}" for line in grant.lines()]
    again = f", and what fails with nothing done is tried again up to {schedule.retry} times" if schedule.retry else ""
    missed = {"once": "made up for once", "skip": "left out"}[schedule.when_missed]
    timed = f"; a run that is missed is {missed}" if schedule.kind in ("every", "at") else ""
    order = {"high": "; it is run before others", "low": "; it stands still while others wait"}.get(schedule.priority, "")
    lines.append(f"  What goes beyond that is refused and told{timed}{again}{order}.")
    words, not_held = budget.foreseen(budget.of(schedule))
    lines += [f"  Each run is held to {words}."] if words else []
    lines += [look.paint(f"  The kernel does not hold here: {what}.", "yellow") for what in not_held]
    session.say(*lines)


def _approval(session: Session, question: str = _QUESTION) -> str:
    """Return who approves: "user", "flag", or nobody."""
    if session.options.yes:
        return "flag"
    if not session.can_ask():
        session.say("nlsh: this needs an approval and there is nobody to ask. --yes approves it, -n shows it.")
        return ""
    try:
        return "user" if session.read(question).strip().lower() in ("y", "yes", "是", "好") else ""
    except EOFError:
        return ""


def _made(session: Session, number: int) -> int:
    from nlsh.shell.commands import daemon

    look = session.look
    if look.json:
        session.emit({"job": number})
    session.say(look.paint(f"Job {number} is made. nlsh jobs shows it; nlsh jobs cancel {number} ends it.", "green"))
    if session.settings.daemon == "off":
        session.say(look.paint('nlsh: the daemon is switched off (daemon = "off"), so the job waits until it runs: nlsh daemon start.', "yellow"))
    elif not daemon.wake():
        session.say(look.paint("nlsh: the daemon could not be started, so the job waits until it runs: nlsh daemon start.", "yellow"))
        return 1
    elif not daemon.unit_file().exists() and not session.options.quiet:
        session.say("After a restart of the machine it goes on once nlsh is started; nlsh daemon install has it go on by itself.")
    return 0


# --- what there is ---------------------------------------------------------------------------------------------------


def run(options: Options, look: Look) -> int:
    """Do what `nlsh jobs WORD` says and return the exit status."""
    word, *more = options.words or ["list"]
    if word == "exec" and len(more) == 1 and more[0].isdecimal():
        from nlsh.shell.commands.job_run import run_job

        return run_job(int(more[0]), options)
    if word == "list" and not more:
        return _list(Jobs(), look)
    if word not in WORDS or word == "list" or len(more) != 1 or not (more[0].isascii() and more[0].isdigit()):
        raise not_so("jobs", options.words, WORDS, f"There is: list, and {', '.join(WORDS[1:])} with a job's number.")
    jobs, number = Jobs(), int(more[0])
    job = jobs.job(number)
    match word:
        case "show":
            return _one(jobs, job, look)
        case "log":
            return _log(jobs, job)
        case "wait":
            return _wait(jobs, number)
        case "pause":
            jobs.pause(number)
            print(f"Job {number} is paused.")
        case "resume":
            jobs.resume(number)
            print(f"Job {number} goes on.")
            return _woken()
        case "cancel":
            jobs.cancel(number)
            stopped = [r for r in jobs.runs(number, going=True) if _stop(r)]
            print(f"Job {number} is cancelled{'; its run is being stopped' if stopped else ''}.")
        case "run" | "retry":
            jobs.due_now(number, time.time())
            print(f"Job {number} is due now.")
            return _woken()
    return 0


def _woken() -> int:
    from nlsh.settings import load_settings
    from nlsh.shell.commands import daemon

    if not daemon.wake(start=load_settings().daemon != "off"):
        print("nlsh: the daemon does not run, so no job is started: nlsh daemon start.", file=sys.stderr)
        return 1
    return 0


def _when(job: Job) -> str:
    try:
        return describe(job.schedule)
    except NlshError as error:
        return error.message


def _next(job: Job) -> str:
    if job.status != "waiting":
        return ""
    return moment(job.due) if job.due is not None else "when it happens" if job.args or "with when(" in job.plan else ""


def _list(jobs: Jobs, look: Look) -> int:
    found = jobs.all() if jobs.exist else []
    rows, data = [], []
    for job in found:
        runs = jobs.runs(job.id)
        # One that a pause has put off is none: the job has not run then, and was not cancelled.
        last = next((r for r in reversed(runs) if r.status != "paused"), None)
        rows.append((str(job.id), job.status, _when(job), _next(job), last.status if last else "", job.request))
        data.append({
            "job": job.id, "status": job.status, "when": _when(job), "due": job.due, "last": last.status if last else None, "runs": len(runs),
            "request": job.request, "plan": job.plan, "cwd": job.cwd,
        })  # fmt: skip
    show_table(("job", "status", "when", "next", "last run", "request"), rows, look, data=data)
    if not found and not look.json:
        print('There are no jobs. Make one: nlsh -c "every day at 18:00 …"', file=sys.stderr)
    if found:
        jobs.untold()
    jobs.close()
    return 0


def _one(jobs: Jobs, job: Job, look: Look) -> int:
    runs = jobs.runs(job.id)
    if look.json:
        import json

        data = {"job": job.id, "status": job.status, "request": job.request, "plan": job.plan, "cwd": job.cwd, "due": job.due, "may": job.grants}
        fields = ("id", "status", "due", "started", "finished", "message", "journal", "exit_status")
        print(json.dumps({**data, "runs": [{f: getattr(r, f) for f in fields} for r in runs]}))
        return 0
    print(f"Job {job.id}, {job.status}: {escape(job.request)}")
    print(f"  {escape(_when(job))}{f'; next {_next(job)}' if _next(job) else ''}; in {escape(job.cwd)}")
    for line in job.plan.splitlines():
        print(f"    {escape(line)}")
    print("  each run may:")
    for line in StandingGrant.from_data(job.grants).lines():
        print(f"    {escape(line)}")
    journal = Journal()
    try:
        for run in runs[-10:]:
            done = journal.run(run.journal) if run.journal else None
            undo = f"  (nlsh undo {done.id})" if done is not None and not done.no_undo and done.undone_by is None else ""
            print(f"  {moment(run.started or run.due)}  {run.status}{f'  {escape(run.message)}' if run.message else ''}{undo}")
    finally:
        journal.close()
    return 0


def _log(jobs: Jobs, job: Job) -> int:
    for run in jobs.runs(job.id)[-10:]:
        try:
            with open(jobs.log_of(run.id), "rb") as file:
                text = file.read(_SHOWN_LOG_BYTES).decode("utf-8", "replace")
        except OSError:
            continue
        for line in text.splitlines():
            print(escape(line))
    return 0


def _wait(jobs: Jobs, number: int) -> int:
    """Wait for the end of a job, or of the next run of one that goes on; return that run's exit status."""
    before = {r.id for r in jobs.runs(number) if r.finished is not None}
    goes_on = jobs.job(number).schedule.repeats
    while True:
        job, runs = jobs.job(number), jobs.runs(number)
        ended = [r for r in runs if r.finished is not None and r.status != "paused"]
        new = [r for r in ended if r.id not in before]
        over = job.status in ("done", "cancelled") and not any(r.finished is None for r in runs)
        if over or (goes_on and new):
            last = (new or ended)[-1] if ended else None
            if last is None:
                print(f"nlsh: job {number} was {job.status} without a run.", file=sys.stderr)
                return 1
            words = f"Job {number}: {last.status}. {escape(last.message)}".rstrip()
            print(words, file=sys.stderr)
            jobs.untold()
            return (last.exit_status or 1) if last.status in (*FAILED, "missed") else 0
        if job.status == "paused":
            raise UsageError(f"Job {number} is paused, so it does not end.", hint=f"Let it go on: nlsh jobs resume {number}.")
        time.sleep(_LOOKS_EVERY_S)


def _stop(run: JobRun) -> bool:
    """Ask a run to stop after the step it is in; return whether there was one to ask."""
    pid = int(run.owner.partition(":")[0])
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        # Looked at with the handle in hand, it is that process and no later one.
        if run.status != "running" or not is_alive(run.owner):
            return False
        signal.pidfd_send_signal(handle, signal.SIGINT)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
