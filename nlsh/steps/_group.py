"""How a command's shell is started and waited for where it leads a process group: as a shell with job control starts a job.

It owns the group, the place in front of the terminal, and how nlsh is told that the command was stopped. What the worker's job says about that
(`guard.sandbox.group`) comes in by `on_terminal`; without it the command stays in nlsh's group, and is waited for until it ends.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress

# What a program finds set to the default, whatever nlsh ignores.
USUAL_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})

_TYPED = (signal.SIGINT, signal.SIGQUIT)

Tell = Callable[[str, int], None]

_mode = ""
_leads = -1
_tell: Tell | None = None


def on_terminal(mode: str, leads: int, tell: Tell) -> None:
    """Start commands so: "front" or "behind" the leader of a group, who says so over the socket `leads`; "unstopped": not to be stopped by Ctrl-Z.

    `tell` hears of "stopped" and "continued" with the number of the signal.
    """
    global _mode, _leads, _tell
    _mode, _leads, _tell = mode, leads, tell


def start(shell: str, argv: list[str], environment: Mapping[str, str], given: Mapping[int, int]) -> tuple[int, Stops | None]:
    """Start a shell and return its pid, and who hears of its being stopped. `given`: descriptors by their numbers in it. Raises OSError."""
    if _mode not in ("front", "behind"):
        usual = [n for n in USUAL_SIGNALS if not (_mode and n == signal.SIGTSTP)]
        actions = [(os.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in given.items()]
        return os.posix_spawn(shell, argv, environment, file_actions=actions, setsigmask=[], setsigdef=usual), None
    stops = Stops()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            # A Ctrl-C that comes once it is in front is its own: it waits until the program is about to begin, and is not lost on what the worker ignores.
            signal.pthread_sigmask(signal.SIG_BLOCK, _TYPED)
            for typed in _TYPED:
                signal.signal(typed, signal.SIG_DFL)
            _lead()
            for number, descriptor in given.items():
                os.dup2(descriptor, number)
            signal.set_wakeup_fd(-1)
            for number in USUAL_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.execve(shell, argv, environment)
        except OSError as error:
            os.write(writer, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(writer)
    with open(reader, "rb") as file:
        failed = file.read()
    if failed:
        os.waitpid(pid, 0)
        raise OSError(int(failed), os.strerror(int(failed)))
    stops.of(pid)
    return pid, stops


def _lead() -> None:
    """Lead a group, in front of the terminal before anything of the command can read from it, and say so."""
    os.setpgid(0, 0)
    if _mode == "front" and (terminal := next(filter(os.isatty, (0, 1, 2)), None)) is not None:
        os.tcsetpgrp(terminal, os.getpid())  # the worker ignores SIGTTOU
    os.write(_leads, b"l")


class Stops:
    """Hears of a child's being stopped, and tells of it."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._pid = 0
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def of(self, pid: int) -> None:
        """Take note of the child."""
        self._pid = pid
        self.look()

    def fileno(self) -> int:
        """Return the descriptor that can be read when there may be something to `look` at."""
        return self._reader

    def look(self) -> None:
        """Tell of what has come."""
        try:
            while os.read(self._reader, 512):
                continue
        except BlockingIOError:
            pass
        with suppress(ChildProcessError):  # it has ended: that is not for here
            while (found := os.waitid(os.P_PID, self._pid, os.WSTOPPED | os.WCONTINUED | os.WNOHANG)) is not None:
                if _tell is not None:
                    _tell("stopped" if found.si_code == os.CLD_STOPPED else "continued", found.si_status)

    def wait(self) -> None:
        """Wait until the child has ended. It is left to be collected."""
        from select import POLLIN, poll

        ended = os.pidfd_open(self._pid)
        waits = poll()
        waits.register(ended, POLLIN)
        waits.register(self._reader, POLLIN)
        try:
            while all(descriptor != ended for descriptor, _ in waits.poll()):
                self.look()
        finally:
            os.close(ended)

    def close(self) -> None:
        """Hear no more."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._reader)
        os.close(self._writer)
