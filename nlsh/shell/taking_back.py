"""What is taken back by itself, as its user meets it: a line of the preview, approved with the plan, and the job that is made once the plan is done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlsh.kernel import reclaim
from nlsh.plan import registry
from nlsh.plan.errors import NlshError
from nlsh.shell.preview import may_go_by_itself
from nlsh.shell.show import escape

if TYPE_CHECKING:
    from nlsh.kernel.outcome import Outcome
    from nlsh.plan.plan import Preview
    from nlsh.shell.turn import Session


def told(session: Session, preview: Preview) -> Preview:
    """Return the preview with notes on what of it is taken back when, or is not and why."""
    lines = [_line(session, found) for found in reclaim.foreseen(preview)]
    if not lines:
        return preview
    at = max(n for n, call in enumerate(preview.calls) if call.until)
    noted = replace(preview.calls[at], notes=(*preview.calls[at].notes, *lines))
    return replace(preview, calls=(*preview.calls[:at], noted, *preview.calls[at + 1 :]))


def _line(session: Session, found: reclaim.Reclaim) -> str:
    why_not = found.why_not or ("the daemon is switched off" if session.settings.daemon == "off" else "")
    if why_not:
        return f"what this does to {found.until.of_name} stays after {found.when.removesuffix(' ends')}, as {why_not}: resource.release takes it back"
    return f"taken back when {found.when}: what this does to {found.until.of_name} (by a job of its own, see nlsh jobs)"


def arrange(session: Session, preview: Preview, outcome: Outcome) -> None:
    """Make the jobs that the preview told of, once its plan has changed something; say what could not be made."""
    from nlsh.shell.commands import daemon
    from nlsh.shell.commands.jobs import kept_environment

    found = [r for r in reclaim.foreseen(preview) if not r.why_not] if session.settings.daemon != "off" else []
    if not found or outcome.run_id is None or not outcome.done:
        return
    jobs, who = reclaim.Jobs(), _who(session, preview)
    try:
        for one in found:
            grant = one.grant()
            entry: dict[str, Any] = {
                "request": preview.request, "plan": registry.format(one.plan(outcome.run_id)), "effects": grant.lines()[:100], "digest": preview.digest(),
                "decision": "allow", "rule": f"with run {outcome.run_id}", "who": who,
                "level": session.level,
            }  # fmt: skip
            session.audit.append("decision", **entry)
            number = one.make(jobs, outcome.run_id, kept_environment())
            if not session.options.quiet:
                session.say(session.look.paint(f"Job {number} takes back what this did to {escape(one.until.of_name)} when {escape(one.when)}.", "green"))
    except NlshError as error:
        session.say(session.look.paint(f"nlsh: it is not taken back by itself: {escape(str(error))}", "yellow"))
        return
    finally:
        jobs.close()
    if not daemon.wake():
        session.say(session.look.paint("nlsh: the daemon could not be started, so that waits until it runs: nlsh daemon start.", "yellow"))


def _who(session: Session, preview: Preview) -> str:
    """Return who approved the plan that was run: its job was approved with it."""
    decision = session.policy.decide(preview)
    if decision.answer != "ask":
        return "policy"
    if session.options.yes:
        return "flag"
    return "mode auto" if session.mode == "auto" and may_go_by_itself(preview, decision) else "user"
