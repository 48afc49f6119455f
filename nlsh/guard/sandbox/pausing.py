"""Pausing: everything below a supervisor stands still, and goes on later where it was. By signals through pidfds, which need no rights of their own.

A number may be another process's by the time it is used; a descriptor is not: who it is, is looked at after it was opened.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

from nlsh.guard.sandbox.relay import STANDS, family, state, stop_threads

_STILL_S = 0.5


class Pause:
    """The pause of all that process `above` has started, and of what these have; but for the process `beside`."""

    def __init__(self, above: int, *, beside: int = 0) -> None:
        self._above, self._beside = above, beside
        self._held: dict[int, int | None] = {}  # None: it stood still by itself

    def begin(self) -> None:
        """Stop them, and what they start meanwhile: once none of them runs, none can start another."""
        until = time.monotonic() + _STILL_S
        while time.monotonic() < until:
            found = {pid: state(pid) for pid in family(self._above) if pid != self._beside}
            new = [pid for pid in found if pid not in self._held]
            # Also one that stood still: what was not yet stopped may have let it go on.
            running = [pid for pid in found if found[pid] not in STANDS]
            if not new and all(found[pid] == "D" for pid in running):
                return
            for pid in new:
                self._held[pid] = None
            for pid in running:
                if (descriptor := self._held[pid]) is None:
                    self._held[pid] = self._stop(pid)
                else:
                    with contextlib.suppress(OSError):
                        signal.pidfd_send_signal(descriptor, signal.SIGSTOP)
                        stop_threads(pid)
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
            pid = _parent(pid)
        return pid == self._above


def _parent(pid: int) -> int:
    """Return the parent of a process; 0 where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b") ")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
