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
            words = f"{count(self._done, 'step')} done"
        elif event.get("unit") == "bytes":
            begun, before = self._rated or (now, 0)
            rate = f", {size((event['done'] - before) / (now - begun))} a second" if now > begun else ""
            words = size(event["done"]) + (f" of {size(total)}" if total else "") + rate
        else:
            words = f"{event.get('done', 0):,}" + (f" of {total:,}" if total else "")
        sys.stderr.write(f"\r\x1b[K  {words} ")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._shown, self._done, self._started, self._rated = False, 0, 0.0, None
