"""A line on a terminal that says how far a long run is."""

from __future__ import annotations

import sys
import time
from typing import Any

from nlsh.shell.show import Look, count, size


class Progress:
    """The line: shown after half a second, never where stderr is no terminal."""

    _AFTER_S = 0.5

    def __init__(self, look: Look, *, quiet: bool) -> None:
        self._on = sys.stderr.isatty() and not quiet and not look.json
        self.enabled = True
        self._shown = False
        self._done = 0
        self._steps: int | None = None  # of the only call there is
        self._started = self._last = 0.0
        self._rated: tuple[float, int] | None = None

    def note(self, event: dict[str, Any]) -> None:
        """Take notice of a worker's message."""
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
        elif self._rated is None:
            # What goes on from an earlier run does not begin with nothing.
            self._rated = (now, event.get("done", 0))
        if now - self._started < self._AFTER_S or now - self._last < 0.1:
            return
        self._last, self._shown = now, True
        total = event.get("total")
        if event.get("type") != "progress":
            words = (f"{self._done:,} of {count(self._steps, 'step')}" if self._steps else count(self._done, "step")) + " done"
            rate = self._done / (now - self._started)
            words += f", {rate:,.0f} a second" + _left(self._done, self._steps, rate)
        elif event.get("unit") == "bytes":
            begun, before = self._rated or (now, 0)
            rate = (event["done"] - before) / (now - begun) if now > begun else 0.0
            words = size(event["done"]) + (f" of {size(total)}" if total else "") + (f", {size(rate)} a second" if now > begun else "")
            words += _left(event["done"], total, rate)
        else:
            words = f"{event.get('done', 0):,}" + (f" of {total:,}" if total else "")
        sys.stderr.write(f"\r\x1b[K  {words} ")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._shown, self._done, self._steps, self._started, self._rated = False, 0, None, 0.0, None


def _left(done: int, total: int | None, rate: float) -> str:
    """Return how long the rest takes at a rate (a second); nothing where it is not known."""
    if not total or rate <= 0 or done >= total:
        return ""
    minutes, seconds = divmod(max(1, round((total - done) / rate)), 60)
    hours, minutes = divmod(minutes, 60)
    return f", {hours} h {minutes} min left" if hours else f", {minutes} min {seconds} s left" if minutes else f", {seconds} s left"
