"""What came of a turn, in words and in a status: for the end of a run, and for `--explain`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nlsh.plan import registry
from nlsh.plan.errors import NlshError
from nlsh.plan.plan import Preview
from nlsh.plan.records import Exit
from nlsh.plan.steps import counted
from nlsh.shell.show import Look, count, escape

if TYPE_CHECKING:
    from nlsh.kernel.outcome import Outcome
    from nlsh.planner.answer import Answer

# What follows from an error that is shown, and what the question about the plan has said.
SAID = ("step.skipped", "step.cancelled", "guard.not-approved")


def closing_lines(preview: Preview, outcome: Outcome, look: Look, *, undo: str) -> list[str]:
    """Return what to say when a run has ended; `undo` is what a user types to take it back."""
    if outcome.status in ("cancelled", "partly", "nothing"):
        return [look.prose(escape(outcome.message))]
    if outcome.status != "done":
        return []
    if not preview.changes:
        return [] if outcome.records or look.json or outcome.command_status is not None else ["Nothing found."]
    can_undo = outcome.run_id is not None and not any(c.no_undo for c in preview.calls)
    # What was shown is what is counted. That folders have their times again is none of it.
    behind = sum(sum(not s.reads_only for s in c.steps) - len(counted(c.steps)[0]) for c in preview.calls)
    done = outcome.done - behind if outcome.done > behind else outcome.done
    return [look.paint(f"Done: {count(done, 'step')}." + (f" Take it back: {undo} {outcome.run_id}" if can_undo else ""), "green")]


def explain_lines(answer: Answer) -> list[str]:
    """Return what the planner was given and why it chose."""
    lines = [f"  {escape(line)}" for line in answer.trace]
    for reading in answer.readings:
        text = "; ".join(registry.format(reading.plan).splitlines())
        lines.append(f"  {reading.confidence:.0%}  {escape(text)}" + (f"  ({escape(reading.why)})" if reading.why else ""))
    return lines or ["  The planner left no trace."]


def exit_status(outcome: Outcome) -> int:
    """Return what a one-shot ends with: the outcome's own status, or a raw command's where that is all that went wrong."""
    exits = [r.status for r in outcome.records if isinstance(r, Exit)]
    if exits and exits[-1] and outcome.status in ("done", "failed") and all(e.code == "command.exit" for e in outcome.errors):
        return exits[-1]
    return int(outcome.exit_status)


def distinct(errors: Iterable[NlshError], *, quiet: tuple[str, ...] = SAID) -> list[NlshError]:
    """Return errors without repeats, and without those of the codes `quiet`, which the screen has said already."""
    found: dict[str, NlshError] = {}
    for error in errors:
        if error.code not in quiet:
            found.setdefault(str(error), error)
    return list(found.values())
