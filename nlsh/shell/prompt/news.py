"""What the prompt says of jobs: those that failed, or had something to say where there is no desktop; and that the daemon runs where a job waits for it."""

from __future__ import annotations

import os
import time

from nlsh.kernel.daemon_wire import NoDaemon, connect
from nlsh.kernel.jobs import JobRun, Jobs
from nlsh.plan.errors import NlshError
from nlsh.settings import Settings
from nlsh.shell.show import escape

_WORDS = {"failed": "failed", "partly": "was done in part", "denied": "was refused", "lost": "was cut short", "cancelled": "was stopped"}
_ASKED_S = 0.5


class News:
    """The runs of jobs that failed and were not yet told of: looked for only where something was written since."""

    def __init__(self, settings: Settings) -> None:
        self._jobs = Jobs()
        self._seen: tuple[int, ...] | None = None
        self.later = 0  # jobs that wait for their time, or run
        if settings.daemon != "off" and self._waits():
            _start()

    def lines(self) -> list[str]:
        """Return a sentence for each."""
        mark = tuple(_written(f"{self._jobs.path}{end}") for end in ("", "-wal"))
        if mark == self._seen or not self._jobs.exist:
            return []
        self._seen = mark
        try:
            self.later = sum(j.status == "waiting" for j in self._jobs.all())
            return [_line(run) for run in self._jobs.untold()]
        except NlshError:
            return []

    def _waits(self) -> bool:
        try:
            return self._jobs.exist and any(j.status == "waiting" for j in self._jobs.all())
        except NlshError:
            return False


def _line(run: JobRun) -> str:
    if run.status == "said":
        return f"{time.strftime('%H:%M', time.localtime(run.finished))}: {escape(run.message)} (job {run.job})"
    return f"Job {run.job} {_WORDS[run.status]}: {escape(run.message)} See nlsh jobs log {run.job}."


def _start() -> None:
    """Start the daemon where there is none: after a restart of the machine, jobs go on from here."""
    try:
        connect(_ASKED_S).close()
    except NoDaemon as error:
        if error.code in ("daemon.absent", "daemon.stale"):
            from nlsh.shell.warm import start_daemon

            start_daemon()


def _written(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
