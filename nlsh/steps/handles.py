"""What a worker is handed for its steps before it is confined: pidfds of the processes in its grant, and a way to tell its progress."""

from __future__ import annotations

import fcntl
import os
import resource
from collections.abc import Callable, Iterable

# Above what a step opens itself, so that the filter can tell the handed descriptors by their numbers.
FIRST = 512

_pidfds: dict[int, int] = {}
_tell: Callable[[int, int | None], None] | None = None


def pidfd(pid: int) -> int | None:
    """Return the pidfd of a process that this worker may signal or tune, or None where it was not handed one."""
    return _pidfds.get(pid)


def progress(done: int, total: int | None = None) -> None:
    """Tell how far the step has come, in units of its own; does nothing outside a worker."""
    if _tell is not None:
        _tell(done, total)


def on_progress(tell: Callable[[int, int | None], None] | None) -> None:
    """Have `progress` call `tell`."""
    global _tell
    _tell = tell


def take(processes: Iterable[tuple[int, int, str]]) -> int:
    """Open the pidfds of (pid, start in ticks, …), those first that may be signalled; return the end of their numbers.

    A process that has ended, or whose number another one has now, is left out: the step's own check says so.
    """
    _pidfds.clear()
    wanted = sorted({(what != "signal", pid, start) for pid, start, what in processes})
    if not wanted:
        return FIRST
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard) if hard != resource.RLIM_INFINITY else 4096, hard))
    end = FIRST
    for tuned_only, pid, start in wanted:
        if pid in _pidfds:
            continue
        try:
            opened = os.pidfd_open(pid)
        except OSError:
            continue
        try:
            # Looked at after the descriptor is there: what it refers to is what was looked at.
            if start and started_ticks(pid) == start:
                _pidfds[pid] = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, FIRST + len(_pidfds))
                if not tuned_only:
                    end = _pidfds[pid] + 1
        finally:
            os.close(opened)
    return end


def started_ticks(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in brackets, may hold anything.
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0
