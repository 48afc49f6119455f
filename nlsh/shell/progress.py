"""A line on a terminal that says how far a long run is, and after Ctrl-C that it is being ended."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

from nlsh.shell.show import Look, count, escape, size


class Progress:
    """The line: shown after half a second, never where stderr is no terminal. `plain`: a line of its own every ten seconds, without sequences."""

    _AFTER_S = 0.5
    _ENDING_AFTER_S = 0.3  # what has ended by then needs no word

    _PLAIN_EVERY_S = 10.0

    def __init__(self, look: Look, *, quiet: bool, plain: bool = False) -> None:
        self._on = sys.stderr.isatty() and not quiet and not look.json
        self.enabled = True
        self._shown = False
        self._done = 0
        self._steps: int | None = None  # of the only call there is
        self._started = self._last = 0.0
        self._rated: tuple[int, float, int] | None = None  # which step, since when, and with how much it began
        self._look, self._plain = look, plain
        self._ending: threading.Timer | None = None

    def note(self, event: dict[str, Any]) -> None:
        """Take notice of a worker's message."""
        if event.get("type") == "stopping":
            self._stopping(event)
        elif event.get("type") == "outcome":
            self._ended()
        if not self._on or not self.enabled:
            return
        now = time.monotonic()
        if event.get("type") == "run":
            # What came before was the user, reading the preview.
            self._started = now
            self._steps = 0 if event.get("calls") == 1 else None
        elif event.get("type") == "call" and self._steps is not None:
            self._steps = event.get("steps")
        self._started = self._started or now
        if event.get("type") == "done":
            self._done += 1
        elif event.get("type") != "progress":
            return
        elif self._rated is None or self._rated[0] != event.get("step", 0):
            # What goes on from an earlier run does not begin with nothing.
            self._rated = (event.get("step", 0), now, event.get("done", 0))
        if now - self._started < self._AFTER_S or now - self._last < (self._PLAIN_EVERY_S if self._plain else 0.1):
            return
        self._last, self._shown = now, not self._plain
        total = event.get("total")
        if event.get("type") != "progress":
            words = (f"{self._done:,} of {count(self._steps, 'step')}" if self._steps else count(self._done, "step")) + " done"
            rate = self._done / (now - self._started)
            words += f", {rate:,.0f} a second" + _left(self._done, self._steps, rate)
        else:
            _, begun, before = self._rated or (0, now, 0)
            done, unit = event.get("done", 0), event.get("unit", "")
            rate = (done - before) / (now - begun) if now > begun else 0.0
            said = size if unit == "bytes" else _number
            words = said(done) + (f" of {said(total)}" if total else "") + (f" {escape(str(unit))}" if unit not in ("", "bytes") else "")
            if self._steps and self._steps > 1:
                words = f"{self._done:,} of {count(self._steps, 'step')} done; {words}"
            # Of what comes one in some seconds a rate says nothing.
            words += (f", {said(rate)} a second" if rate >= 1 else "") + _left(done, total, rate)
        sys.stderr.write(f"  {words}\n" if self._plain else f"\r\x1b[K  {words} ")
        sys.stderr.flush()

    def _stopping(self, event: dict[str, Any]) -> None:
        """Say that it is being ended, and what ends it at once: of a step where it takes long, of a command where Ctrl-C was not enough twice."""
        if not self._on or event["left"] != 1:
            return
        if event["command"]:
            self._say("nlsh: the command has not ended. Ctrl-C once more ends it at once.")
        elif self._ending is None:
            words = "nlsh: being ended; what cannot be dropped half done is finished first. Ctrl-C once more ends it at once."
            self._ending = threading.Timer(self._ENDING_AFTER_S, self._say, (words,))
            self._ending.daemon = True
            self._ending.start()

    def _say(self, words: str) -> None:
        # Past the stream, which a signal may have found in the middle of a write.
        os.write(sys.stderr.fileno(), f"{'' if self._plain else chr(13) + chr(27) + '[K'}{self._look.prose(words, 'yellow')}\n".encode())

    def _ended(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def clear(self) -> None:
        """Take the line away."""
        self._ended()
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._shown, self._done, self._steps, self._started, self._rated = False, 0, None, 0.0, None


def _number(amount: float) -> str:
    return f"{amount:,.0f}"


def _left(done: int, total: int | None, rate: float) -> str:
    """Return how long the rest takes at a rate (a second); nothing where it is not known."""
    if not total or rate <= 0 or done >= total:
        return ""
    minutes, seconds = divmod(max(1, round((total - done) / rate)), 60)
    hours, minutes = divmod(minutes, 60)
    return f", {hours} h {minutes} min left" if hours else f", {minutes} min {seconds} s left" if minutes else f", {seconds} s left"
