"""What has been typed so far, as nlsh reads it: a command, or the plan of a sentence, found by a thread of its own while typing goes on.

The thread waits until typing pauses, gives up what it does as soon as more is typed, and never runs or previews anything. Whoever draws the prompt
asks `lines` for what to show; they stay as they were until there is something better, so that nothing flickers.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from nlsh.plan import registry
from nlsh.shell.show import escape

if TYPE_CHECKING:
    from nlsh.planner.answer import Answer
    from nlsh.shell.turn import Session

PAUSE_S = 0.08  # of typing, after which it is worth planning
_LONGEST = 500  # characters: what is longer was pasted
_SHORTEST = 3
LINES = 2

Styled = tuple[str, str]  # a style's name and text, escaped


class Typed:
    """Reads along with one editor. `redraw` is called from another thread."""

    def __init__(self, session: Session, redraw: Callable[[], None]) -> None:
        self._session, self._redraw = session, redraw
        self._text = ""
        self._turn = 0  # counts what was typed; what belongs to an earlier turn is given up
        self._change = threading.Condition()
        self.lines: tuple[Styled, ...] = ()
        threading.Thread(target=self._run, name="plan-as-you-type", daemon=True).start()

    def typed(self, text: str) -> None:
        """Take notice of what stands at the prompt now; empty: nothing, so stop."""
        with self._change:
            self._text = text
            self._turn += 1
            if len(text.strip()) < _SHORTEST:
                self.lines = ()
            self._change.notify()

    def again(self) -> None:
        """Read anew what stands there: the models have come meanwhile."""
        with self._change:
            self._turn += 1
            self._change.notify()

    def entered(self) -> None:
        """Leave off: the line was entered, and what is under way for it is the planner's own affair."""
        with self._change:
            self._text, self.lines = "", ()
            self._turn += 1

    def _run(self) -> None:
        # The one who types goes first.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + 5)
        done = 0
        while True:
            with self._change:
                while self._turn == done:
                    self._change.wait()
                while True:
                    done = self._turn
                    if not self._change.wait(PAUSE_S) and self._turn == done:
                        break
                text = self._text.strip()
            if not _SHORTEST <= len(text) <= _LONGEST or "\n" in text:
                self.lines = () if len(text) > _LONGEST else self.lines
                continue
            try:
                found = self._read(text, done)
            except Exception:
                # It is met again, and said, when the line is entered.
                continue
            if found is not None and self._turn == done:
                self.lines = found
                self._redraw()

    def _read(self, text: str, turn: int) -> tuple[Styled, ...] | None:
        """Return what to show for a line, or None for what it was."""
        session = self._session
        from nlsh.shell.line.builtins import is_own
        from nlsh.shell.line.job_words import words_of

        if text.startswith("/") or is_own(text) or words_of(text):
            return ()
        if text.startswith("!") or (not text.startswith("?") and session.is_command(text)):
            return (("dim", "$ a command (Ctrl-T: read it as language)"),)
        answer = session.planning.ahead(" ".join(text.removeprefix("?").split()), session.context(), lambda: self._turn != turn)
        return None if answer is None else lines_of(answer)


def lines_of(answer: Answer) -> tuple[Styled, ...]:
    """Return an answer in at most two lines: the plan, or the likeliest readings, or what is not clear."""
    plans = ["; ".join(registry.format(r.plan).splitlines()) for r in answer.readings]
    if answer.kind == "plan":
        return (("plan", f"→ {escape(plans[0])}"),)
    if answer.kind == "choose":
        return tuple(("dim", f"{'?' if len(plans) == 1 else n} {escape(p)}") for n, p in enumerate(plans[:LINES], start=1))
    return (("dim", f"? {escape(answer.message)}"),)
