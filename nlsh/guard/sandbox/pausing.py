"""Pausing: everything below a supervisor stands still, and goes on later where it was. By signals through pidfds, which need no rights of their own.

A number may be another process's by the time it is used; a descriptor is not: who it is, is looked at after it was opened.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

from nlsh.guard.sandbox.relay import family

_STILL_S = 0.5


class Pause:
    """The pause of all that process `above` has started, and of what these have."""

    def __init__(self, above: int) -> None:
        self._above = above
        self._held: dict[int, int | None] = {}  # None: it stood still by itself

    def begin(self) -> None:
        """Stop them, and what they start meanwhile: once none of them runs, none can start another."""
        until = time.monotonic() + _STILL_S
        while time.monotonic() < until:
            found = {pid: _stat(pid)[0] for pid in family(self._above)}
            new = [pid for pid in found if pid not in self._held]
            if not new and "R" not in found.values():
                return
            for pid in new:
                self._held[pid] = None if found[pid] in "TtZX" else self._stop(pid)
            time.sleep(0.0005)

    def end(self) -> None:
        """Let those go on that were stopped."""
        # Those below first: who waits for another must not find it stopped.
        for descriptor in filter(None, reversed(self._held.values())):
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(descriptor, signal.SIGCONT)
            os.close(descriptor)
        self._held = {}

    def _stop(self, pid: int) -> int | None:
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return None
        try:
            if self._is_below(pid):
                signal.pidfd_send_signal(descriptor, signal.SIGSTOP)
                return descriptor
        except OSError:  # it has ended, or is somebody else's by now
            pass
        os.close(descriptor)
        return None

    def _is_below(self, pid: int) -> bool:
        while pid > 1 and pid != self._above:
            pid = _stat(pid)[1]
        return pid == self._above


def _stat(pid: int) -> tuple[str, int]:
    """Return the letter of a process's state and its parent; X and 0 where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            letter, parent = file.read().rpartition(b") ")[2].split()[:2]
            return letter.decode(), int(parent)
    except (OSError, ValueError):
        return "X", 0
