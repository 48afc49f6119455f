"""The supervisor's part in a question: it hands questions from the broker to the client one at a time, holds the command still while one is shown,
and makes the hand that does what was agreed to.

What the hand may do is taken from the question that the client was shown, never from what the broker says afterwards.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from typing import Any

from nlsh.guard.sandbox import notify
from nlsh.guard.sandbox.broker import LARGEST
from nlsh.guard.sandbox.kernel import syscall
from nlsh.guard.sandbox.seccomp import number_of
from nlsh.guard.sandbox.wants import is_below, within
from nlsh.guard.sandbox.zygote import END, GONE, HELD, QUESTION, SHOWS, YES, about

_GRACE_S = 2.0  # for a command to end at Ctrl-C, and beyond the client's own time limit
_STILL_S = 1.0  # for all of a command to stand still
_MOST_WAITING = 100
STANDS = "TtZX"  # the states of a process that does nothing


class Relay:
    """One job's questions. `told`: the pipe to the client; `control`: its channel."""

    def __init__(self, channel: socket.socket, told: int, control: int, seconds: float, hidden: tuple[str, ...]) -> None:
        self.channel, self._told, self._control, self._seconds, self._hidden = channel, told, control, seconds, hidden
        self.ended: int | None = None  # the worker's status, once the broker has told it
        self.worker = 0
        self._waiting: dict[int, tuple[dict[str, Any], list[int]]] = {}
        self._agreed: dict[int, tuple[dict[str, Any], list[int]]] = {}
        self._hands: dict[int, int] = {}
        self._last = 0  # the number of the latest question
        self._shown: int | None = None
        self._until = 0.0
        self._stopped: list[int] = []
        self._kill_at: float | None = None

    # --- from the broker -----------------------------------------------------------------------------------------

    def hear(self) -> bool:
        """Take a message of the broker's; return False where it is gone, or has said what none of ours says."""
        try:
            data, given = notify.receive(self.channel)
            if data:
                self._take(json.loads(data), given)
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return False
        return bool(data)

    def status(self, broker: int) -> int:
        """Return the worker's status, now that its broker has ended with one of its own."""
        os.set_blocking(self.channel.fileno(), False)
        while self.ended is None and self.hear():
            continue
        return self.ended if self.ended is not None else broker if broker < 0 else -signal.SIGKILL

    def _take(self, message: dict[str, Any], given: list[int]) -> None:
        # One thing is handed over with a question, and nothing with anything else: without descriptors this process could look at no other.
        kept = given[:1] if "ask" in message else []
        for descriptor in given[len(kept) :]:
            os.close(descriptor)
        if "ask" in message:
            self._is_new(message["ask"], message["what"])
            full = len(self._waiting) + len(self._agreed) >= _MOST_WAITING
            if full or self._kill_at is not None or self._is_hidden(message["what"]):
                self._refuse(message["ask"], kept)
            else:
                self._waiting[message["ask"]] = message["what"], kept
                self._show_next()
        elif "go" in message:
            self._reach(message["go"])
        elif "gone" in message:
            self._forget(message["gone"])
        elif "note" in message:
            self._tell("gated", message["note"])
        elif "worker" in message:
            self.worker = int(message["worker"])
        elif "ended" in message:
            self.ended = int(message["ended"])

    def _is_new(self, number: object, what: object) -> None:
        """Raises ValueError for a question that no broker of ours asks: in place of another one, or one of which the client would not hear."""
        if type(number) is not int or not self._last < number < 1 << 32 or not isinstance(what, dict) or len(json.dumps(what)) > LARGEST:
            raise ValueError(number)
        self._last = number

    def _is_hidden(self, what: dict[str, Any]) -> bool:
        """Whether a question is about what nobody is asked about: whoever answers, and whatever the broker takes it for."""
        return any(within(str(what[key]), h) for key in ("path", "to") if key in what for h in self._hidden)

    def started(self, broker: int) -> int:
        """Return the worker, 0 where there is none: whatever a broker says, it is one that this has started."""
        return self.worker if is_below(self.worker, broker) else 0

    def hand_ended(self, pid: int) -> None:
        """Tell the broker of a hand that has ended: where it has not spoken itself, nothing was done."""
        if (number := self._hands.pop(pid, None)) is not None:
            self._say({"came": number, "error": 1})

    # --- from the client -----------------------------------------------------------------------------------------

    def answer(self, word: bytes, broker: int) -> None:
        """Take a word of the client's about a question."""
        said, number = _exactly(self._control, QUESTION.size), self._shown
        if number is None or said != about(number, self._waiting[number][0]):
            return  # too late, or about other words than these: it is no answer to another one
        if word == SHOWS and self._hold(broker):
            with contextlib.suppress(OSError):
                os.write(self._control, HELD)
            self._until = time.monotonic() + self._seconds + _GRACE_S
            return
        what, given = self._waiting.pop(number)
        self._release()
        if word == YES:
            self._agreed[number] = what, given
            self._say({"answer": number, "yes": True})
        else:
            self._refuse(number, given)
        if word == SHOWS:
            # What goes on could draw over it, and answer it.
            with contextlib.suppress(OSError):
                os.write(self._control, GONE)
            self._tell("gated", {"kind": what.get("kind"), "program": what.get("program"), "why": "the command could not be made to stand still"})
        if word == END:
            for other, (_, descriptors) in (*self._waiting.items(), *self._agreed.items()):
                self._refuse(other, descriptors)
            self._waiting.clear()
            self._agreed.clear()
            self._kill_at = time.monotonic() + _GRACE_S
        self._show_next()

    # --- time ----------------------------------------------------------------------------------------------------

    def timeout(self) -> int | None:
        """Return in how many milliseconds `tick` is due, None for never."""
        due = [t for t in (self._until if self._shown is not None else None, self._kill_at) if t is not None]
        return max(0, int((min(due) - time.monotonic()) * 1000) + 1) if due else None

    def tick(self, broker: int) -> None:
        """Do what is due: no answer is a no, and what has not ended at Ctrl-C is ended."""
        now = time.monotonic()
        if self._shown is not None and now >= self._until:
            number = self._shown
            _, given = self._waiting.pop(number)
            self._refuse(number, given)
            self._release()
            self._show_next()
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = now + _GRACE_S
            for pid in set(family(broker)) - set(_way_up(self.worker, broker)):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    # --- one question at a time ----------------------------------------------------------------------------------

    def _show_next(self) -> None:
        if self._shown is None and self._waiting:
            self._shown, (what, _) = next(iter(self._waiting.items()))
            self._until = time.monotonic() + self._seconds + _GRACE_S
            self._tell("question", what, question=self._shown)

    def _release(self) -> None:
        self._shown = None
        # Those below first: who waits for another must not find it stopped.
        for pid in reversed(self._stopped):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGCONT)
        self._stopped = []

    def _forget(self, number: int) -> None:
        _, given = self._waiting.pop(number, ({}, []))
        _, more = self._agreed.pop(number, ({}, []))
        for descriptor in (*given, *more):
            os.close(descriptor)
        if number == self._shown:
            with contextlib.suppress(OSError):
                os.write(self._control, GONE)
            self._release()
            self._show_next()

    def _refuse(self, number: int, given: list[int]) -> None:
        for descriptor in given:
            os.close(descriptor)
        self._say({"answer": number, "yes": False})

    def _hold(self, broker: int) -> bool:
        """Stop all that the command consists of: nothing of it draws over the question, or reads its answer. Return whether it stands still."""
        until = time.monotonic() + _STILL_S
        while time.monotonic() < until:
            if not (found := family(broker)):
                break  # this kernel does not tell: there is at least who asked
            running = {pid: letter for pid in found if (letter := state(pid)) not in STANDS}
            if all(pid in self._stopped and letter == "D" for pid, letter in running.items()):
                return True
            for pid in running:
                # Also one that was stopped: what was not yet may have let it go on.
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGSTOP)
                    if pid not in self._stopped:
                        self._stopped.append(pid)
                    stop_threads(pid)
            time.sleep(0.0005)
        return False

    def _reach(self, number: int) -> None:
        # What was shown: the broker has no say in it any more.
        if number not in self._agreed:
            return
        what, given = self._agreed.pop(number)
        pid = os.fork()
        if pid == 0:
            try:
                from nlsh.guard.sandbox.hand import reach

                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                keep = {self.channel.fileno(), *given}
                for descriptor in range(3, 64):
                    if descriptor not in keep:
                        with contextlib.suppress(OSError):
                            os.close(descriptor)
                reach(what, given, number, self.channel)
            finally:
                os._exit(1)
        self._hands[pid] = number
        for descriptor in given:
            os.close(descriptor)

    # --- words ---------------------------------------------------------------------------------------------------

    def _say(self, message: dict[str, Any]) -> None:
        try:
            self.channel.send(json.dumps(message).encode(), socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)
        except BlockingIOError:
            # None of ours asks so much without listening. Who waits for it hears no Ctrl-C: to `hear` it is gone.
            self.channel.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _tell(self, kind: str, what: dict[str, Any], **more: Any) -> None:
        # One write that a pipe takes in one piece: the worker writes there, too.
        data = json.dumps({"type": kind, "step": 0, **more, "what": what}).encode() + b"\n"
        if len(data) <= LARGEST + 500:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._told, data)


def family(pid: int) -> list[int]:
    """Return all that a process has started, through any of its threads, and what these have."""
    found: list[int] = []
    rest = [pid]
    while rest:
        parent = rest.pop()
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{parent}/task"):
                with contextlib.suppress(OSError), open(f"/proc/{parent}/task/{thread}/children") as file:
                    children = [int(p) for p in file.read().split()]
                    found += children
                    rest += children
    return found


def _way_up(pid: int, ancestor: int) -> list[int]:
    """Return a process, and those between it and an ancestor."""
    found = []
    while pid > 1 and pid != ancestor:
        found.append(pid)
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b") ")[2].split()[1])
        except (OSError, ValueError):
            break
    return found


def state(pid: int) -> str:
    """Return the letter of a process's state, X where there is none; of its threads, that of the one that stands least still."""
    found = [letter for _, letter in _threads(pid)]
    return min(found, key=lambda letter: "DTtZX".find(letter), default="X")


def stop_threads(pid: int) -> None:
    """Stop each thread of a process that runs: the signal to them all may be with one that waits in the kernel, and is heard when that has its answer."""
    for thread, letter in _threads(pid):
        if letter not in (*STANDS, "D"):
            with contextlib.suppress(OSError):
                syscall(number_of("tgkill"), pid, thread, int(signal.SIGSTOP))


def _threads(pid: int) -> list[tuple[int, str]]:
    try:
        return [(int(thread), _letter(f"/proc/{pid}/task/{thread}/stat")) for thread in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


def _letter(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return chr(file.read().rpartition(b") ")[2][0])
    except (OSError, IndexError):
        return "X"


def _exactly(descriptor: int, length: int) -> bytes:
    data = b""
    while len(data) < length and (more := os.read(descriptor, length - len(data))):
        data += more
    return data.ljust(length, b"\0")
