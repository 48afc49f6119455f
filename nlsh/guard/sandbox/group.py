"""The process group of a raw command that its user may stop and let go on: the client's end. The worker makes it, as a shell does for a job.

It owns who leads the group, whether it is in front, and how all that the command has started is held still. Whoever is in front on the terminal is
the shell's to set.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from typing import Any

from nlsh.guard.sandbox import heard, notify

# What the client says to the supervisor: all that the command has started is to stand still, and does no longer have to.
STAND, RELEASE = b"s", b"r"
# What a job says to its worker: the command leads a group, in front or behind.
FRONT, BEHIND = "front", "behind"
_DONE_WITHIN_S = 5.0
_MOST_AT_ONCE = 1000  # messages of a group that nobody waits for, in one look
_READ = 1 << 16


class Group:
    """One command's group. `stdio` are its descriptors; `waits`: whoever reads its messages waits for them."""

    def __init__(self, stdio: tuple[int, int, int] = (0, 1, 2), *, front: bool = True) -> None:
        self.stdio, self.front, self.waits = stdio, front, front
        self.stopped = 0  # the signal that has stopped it
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._control: socket.socket | None = None
        self._reader = -1
        self._leader: int | None = None
        self._handle = -1
        self._held = 0
        self._keeps = False  # whether it is held because it was stopped
        self._early = b""  # what was read of the messages before it was their turn
        self._heard = 0

    @property
    def mode(self) -> str:
        """What the worker is told."""
        return FRONT if self.front else BEHIND

    def attach(self, control: socket.socket, reader: int) -> None:
        """Take note of the job's channel, and of the pipe that its messages come from."""
        self.theirs.close()
        self._control, self._reader = control, reader

    def detach(self) -> None:
        """Take note that the job has ended."""
        self._control, self._reader = None, -1

    def close(self) -> None:
        """Let go of it."""
        self.detach()
        self.theirs.close()
        self._ours.close()
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1

    # --- its messages --------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor that can be read when there are messages, or the job has ended."""
        return self._reader

    def may_read(self) -> bool:
        """Return whether messages are to be read now: there are some, or they are waited for."""
        return self.waits or bool(self._early) or bool(select.select([self._reader], [], [], 0)[0])

    def read(self) -> bytes:
        """Return what there is of its messages; empty at their end."""
        data, self._early = self._early, b""
        if not data:
            heard.until_readable(self._reader)
        return data or os.read(self._reader, _READ)

    def heard(self, message: dict[str, Any]) -> bool:
        """Take up what a message says of the group; return whether its reader is to do something else for now."""
        if message["type"] == "quiet":
            self._heard = 0
            return True
        self._heard += 1
        # One that is stopped and let go on without end must not be listened to without end.
        enough = not self.waits and self._heard % _MOST_AT_ONCE == 0
        if message["type"] == "continued":
            # What is kept still goes on with `go_on` alone: this was said before it was held, or came from outside.
            self.stopped = self.stopped if self._keeps else 0
            return enough
        number = int(message.get("signal", 0))
        if number == signal.SIGSTOP and (self._held or not self._stands()):
            return enough  # it was held, and goes on by now
        self.stopped = number
        return self.waits or enough

    def _stands(self) -> bool:
        try:
            with open(f"/proc/{self.leader()}/stat", "rb") as file:
                return file.read().rpartition(b") ")[2][:1] in (b"T", b"t")
        except OSError:
            return False

    # --- who it is -----------------------------------------------------------------------------------------------

    @property
    def is_there(self) -> bool:
        """Whether its job has been given to a worker."""
        return self._control is not None

    def leader(self) -> int:
        """Return the number of the group, once its command is there; 0 where that was never started."""
        if self._leader is None:
            self._leader, _ = notify.receive_from(self._ours)
            if self._leader:
                with contextlib.suppress(OSError):
                    self._handle = os.pidfd_open(self._leader)
        return self._leader

    def signal(self, number: int) -> bool:
        """Send a signal to the group; return whether its leader was there."""
        pid = self.leader()
        # While the leader has not ended the number is its group's, and nobody else's.
        if self._handle < 0 or select.select([self._handle], [], [], 0)[0]:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)
        return True

    # --- standing still ------------------------------------------------------------------------------------------

    def hold(self) -> None:
        """Have all that the command has started stand still, whatever group it went to, until `release` was called as often."""
        self._held += 1
        if self._held == 1:
            self._have(STAND)

    def release(self) -> None:
        """Undo one `hold`."""
        self._held -= 1
        if self._held == 0:
            self._have(RELEASE)

    def _have(self, word: bytes) -> None:
        """Tell the supervisor, and wait until it has done that. One that cannot be made to stand still is ended."""
        if self._control is None:
            return
        with contextlib.suppress(OSError):
            self._control.send(word, socket.MSG_NOSIGNAL)
            until = time.monotonic() + _DONE_WITHIN_S
            listened: list[socket.socket | int] = [self._control, self._reader]
            while (left := until - time.monotonic()) > 0:
                ready = select.select(listened, [], [], left)[0]
                if self._control in ready and self._control.recv(1) in (word, b""):
                    return
                # A supervisor that waits for room among the messages hears nothing.
                if self._reader in ready:
                    more = os.read(self._reader, _READ)
                    self._early += more
                    if not more:
                        listened.remove(self._reader)
            self._control.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Keep a command still that was stopped: what has left its group stands still, too."""
        if not self._keeps:
            self._keeps = True
            self.hold()

    def go_on(self) -> None:
        """Let a command that was stopped go on."""
        self.stopped = 0
        if self._keeps:
            self._keeps = False
            self.release()
        self.signal(signal.SIGCONT)
