"""What came of a run, as it is shown: records at its end or as they come, its errors, and the line that closes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nlsh.plan import registry
from nlsh.plan.plan import Preview
from nlsh.plan.records import Change, Kept, Note, Record, record_from_data
from nlsh.shell.preview import MOST_NOTES
from nlsh.shell.report import SAID, closing_lines, distinct, exit_status
from nlsh.shell.show import escape, show_records

if TYPE_CHECKING:
    from nlsh.kernel.outcome import Outcome
    from nlsh.shell.turn import Session


class Results:
    """The results of one session's runs."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._live = False  # whether the call that runs shows its records as they come
        self._shown: set[int] = set()  # places in the outcome of the records that were shown as they came
        self._told: set[str] = set()  # notes that stood in the preview which was approved

    def note(self, event: dict[str, Any]) -> None:
        """Take notice of a kernel's event: what comes from a call that goes on until it is stopped is shown as it comes."""
        if event["type"] == "decision":
            self._told.clear()
        elif event["type"] == "run":
            self._shown.clear()
        elif event["type"] == "call":
            self._live = registry.get(event["action"]).live
        elif event["type"] == "records" and self._live:
            self._show_live([record_from_data(r) for r in event["records"]], event["at"])

    def tell(self, preview: Preview) -> None:
        """Take notice that a preview is shown: what it notes is not said again."""
        self._told.update(note for call in preview.calls for note in call.notes[:MOST_NOTES])

    def report(self, preview: Preview, outcome: Outcome) -> int:
        """Show what came of a run and return the exit status."""
        session = self._session
        status = exit_status(outcome)
        if outcome.status == "nothing":
            self._told.clear()  # nothing was decided, nor shown: what was told is of another plan
        try:
            self._show(outcome)
            if session.look.json and (status != 0 or preview.changes):
                data = {"status": outcome.status, "exit_status": status, "run": outcome.run_id, "errors": [e.as_data() for e in outcome.errors]}
                if notes := [r.text for r in outcome.records if isinstance(r, Note)]:
                    data["notes"] = notes
                session.emit({"outcome": data})
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our results has what they wanted; what was asked for is done, and the status says how.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        closing = [] if session.options.quiet else closing_lines(preview, outcome, session.look, undo=session.undo_word)
        for error in distinct(outcome.errors, quiet=SAID if session.options.verbose else (*SAID, "command.exit")):
            if not any(escape(str(error)) in line for line in closing):
                session.say(session.look.paint("nlsh: " + escape(str(error)), "red"))
        session.say(*closing)
        return status

    def _show(self, outcome: Outcome) -> None:
        records = [r for position, r in enumerate(outcome.records) if position not in self._shown]
        if self._session.look.table and outcome.status == "done" and not self._session.options.verbose:
            # The preview has just said it all; a line says that it is done.
            records = [r for r in records if not isinstance(r, Change)]
        self._show_all(records)

    def _show_all(self, records: Iterable[Record]) -> None:
        session = self._session
        notes = [r for r in records if isinstance(r, Note) and r.text not in self._told]
        show_records((r for r in records if not isinstance(r, (Note, Kept))), session.look, cwd=os.getcwd())
        session.say(*(session.look.paint(f"nlsh: {escape(note.text)}", "yellow") for note in notes))

    def _show_live(self, records: list[Record], at: int) -> None:
        """Show what comes; remember what need not be shown at the end."""
        self._shown.update(range(at, at + len(records)))
        try:
            self._show_all(records)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read it has what they wanted: it ends as with Ctrl-C.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            self._session.zygote.cancel()
