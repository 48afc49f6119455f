"""A part of what a zygote runs: one job, which another thread than the one that runs it can pause, let go on, and end."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from nlsh.guard.sandbox.zygote import GO_ON, PAUSE, Zygote, tell


class Part:
    """One job of a zygote's, for other threads than the one that runs it: `run` is the zygote's."""

    def __init__(self, zygote: Zygote) -> None:
        self._zygote = zygote
        self._control: socket.socket | None = None
        self._ended = self._paused = self._begun = False
        self._lock = threading.Lock()

    def run(self, job: dict[str, Any], **more: Any) -> Iterator[dict[str, Any]]:
        """Run a job: as `Zygote.run`."""
        return self._zygote.run(job, **more, part=self)

    def attach(self, control: socket.socket) -> None:
        """Take note of the job's channel."""
        self._control = control
        if self._ended:
            self.end()

    def begun(self) -> None:
        """Take note that its worker has begun the first step."""
        with self._lock:
            self._begun = True
            if self._paused:
                self._tell(PAUSE)

    def over(self) -> None:
        """Take note that the job has ended."""
        with self._lock:
            self._control, self._begun = None, False

    def pause(self) -> None:
        """Have the job stand still, as soon as it has begun."""
        with self._lock:
            self._paused = True
            self._tell(PAUSE)

    def go_on(self) -> None:
        """Let the job go on."""
        with self._lock:
            self._paused = False
            self._tell(GO_ON)

    def _tell(self, word: bytes) -> None:
        if self._begun:
            tell([self._control], word)

    def end(self) -> None:
        """Kill the job's worker and what it started, as soon as it is there."""
        self._ended = True
        if (control := self._control) is not None:
            with contextlib.suppress(OSError):
                control.shutdown(socket.SHUT_RDWR)
