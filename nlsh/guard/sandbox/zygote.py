"""The zygote: a small process, forked before anything heavy is loaded, from which each job's worker is forked.

A job's worker runs under a supervisor of its own (`supervisor`). This module owns the client's promise that every step gets exactly one
last message, whatever becomes of the others.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import signal
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nlsh.guard.sandbox import heard
from nlsh.plan.process_names import ZYGOTE

if TYPE_CHECKING:
    from nlsh.guard.elevate import Elevated
    from nlsh.guard.sandbox.group import Group
    from nlsh.guard.sandbox.part import Part
    from nlsh.guard.sandbox.spare import Spare

_LAST = ("done", "failed", "denied")
_READ = 1 << 16
_STDIO = 3
_GIVEN = 100  # the descriptor over which a spawned zygote hears
_HELD_WITHIN_S = 5.0
_JOB, _ASKS = b"j", b"a"  # a job; one that has a broker, which is forked for it
_QUIET_MS = 5  # without a job, before another spare worker is forked
# What the client says to a supervisor: that a job is to stop, is to stand still, or to go on; or, `about` a question, its answer or that it is about to
# be shown.
CANCEL, PAUSE, GO_ON = b"c", b"p", b"g"
YES, NO, END, SHOWS = b"y", b"n", b"e", b"f"
QUESTION = struct.Struct("=I32s")
# What the supervisor says then: the command stands still; or the question is none any more.
HELD, GONE = b"h", b"g"
# What a job says of a command that has the terminal, and that Ctrl-Z does not stop.
UNSTOPPED = "unstopped"
MOST_AT_ONCE = 1000  # steps that one message may say are done
_IGNORED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


class Zygote:
    """The client's end. Make one with `Zygote.start()`, as early as possible and before any thread."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self._channel = channel
        self._controls: set[socket.socket] = set()
        self._begun: set[socket.socket] = set()
        self._groups: dict[socket.socket, Group] = {}
        self.unstopped = False  # whether Ctrl-Z is nothing to commands without a group of their own
        self._paused = False

    @classmethod
    def start(cls) -> Zygote:
        """Fork the zygote. It ends when this process does."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        pid = os.fork()
        if pid:
            theirs.close()
            return cls(pid, ours)
        try:
            ours.close()
            _serve(theirs, parent)
        finally:
            os._exit(0)

    @classmethod
    def spawn(cls) -> Zygote:
        """Start the zygote as a program of its own: for a process that may have threads, of which a fork would take none along but their locks.

        It ends when the thread does that called this.
        """
        from nlsh.guard import isolated

        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            words = isolated.command(f"from nlsh.guard.sandbox.zygote import serve; serve({_GIVEN}, {os.getpid()})")
            given = [(os.POSIX_SPAWN_DUP2, theirs.fileno(), _GIVEN)]
            pid = os.posix_spawn(words[0], words, isolated.environment(), file_actions=given)
        return cls(pid, ours)

    @cached_property
    def level(self) -> str:
        """The level of enforcement that its workers get, as it found by trying."""
        try:
            return self._channel.recv(16).decode() or "L0"
        except OSError:
            return "L0"

    def close(self) -> None:
        """End the zygote and every worker, and wait for it."""
        for control in list(self._controls):
            with contextlib.suppress(OSError):
                control.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        self._channel.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def cancel(self) -> None:
        """Have every running job stop before its next step, but for a command that is not in front. May be called from a signal handler."""
        # Of a copy: other threads may add theirs meanwhile.
        tell([c for c in list(self._controls) if (group := self._groups.get(c)) is None or group.front], CANCEL)

    def end(self) -> None:
        """Kill the worker of every running job and what it started, but for a command that is not in front. May be called from a signal handler."""
        for control in [c for c in list(self._controls) if (group := self._groups.get(c)) is None or group.front]:
            with contextlib.suppress(OSError):
                control.shutdown(socket.SHUT_RDWR)

    def pause(self) -> None:
        """Have every job stand still once it has begun, until `go_on`. May be called from a signal handler."""
        self._paused = True
        tell(self._begun, PAUSE)

    def go_on(self) -> None:
        """Let every job go on. May be called from a signal handler."""
        self._paused = False
        tell(self._begun, GO_ON)

    def run(
        self,
        job: dict[str, Any],
        stdio: tuple[int, int, int] | None = None,
        ask: Callable[[dict[str, Any], Standstill], str] | None = None,
        via: Elevated | None = None,
        part: Part | None = None,
        group: Group | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Run `job` in a worker and yield its messages: exactly one last one for each step, whatever happens. Its steps are data, or JSON of it.

        `ask` answers the questions of a job with `ask` in it, its time limit in seconds: "yes", "no", or "end", which ends the command, too.
        `stdio` are descriptors for the worker; without them it has none. Closing the iterator kills the worker and what it started.
        `part` is what it can be paused and ended by, apart from other jobs.
        `group` is that of its command, which may be stopped: what it is told of, and "quiet" where nothing is waited for and there is nothing to tell.
        `via`: the worker is root's and another program starts it; raises what it raises where it was never there.
        """
        told = _Told(len(job["steps"]))
        if group is not None or (self.unstopped and stdio is not None):
            job = {**job, "terminal": UNSTOPPED if group is None else group.mode}
        try:
            reader, control = self._send(job, stdio, group) if via is None else via.begin()
        except OSError as error:
            yield from told.missing(f"the process that starts workers is gone ({error.strerror})")
            return
        self._controls.add(control)
        if part is not None:
            part.attach(control)
        if group is not None:
            self._groups[control] = group
            group.attach(control, reader)
        why = "the worker ended without a word"
        try:
            for message in _lines(reader, group):
                if message["type"] == "start" and control not in self._begun:
                    # From here on its end is sure where its supervisor's comes first; stopped earlier, it could stand still for ever.
                    self._begun.add(control)
                    if self._paused:
                        tell([control], PAUSE)
                        if not self._paused:  # a signal has come in between
                            tell([control], GO_ON)
                    if part is not None:
                        part.begun()
                if message["type"] == "exit":
                    why = _ended(message["status"])
                    told.denied = message["status"] == -signal.SIGSYS
                elif message["type"] == "question":
                    _answer(message, control, ask)
                elif via is not None and via.takes(message):
                    continue
                elif message["type"] == "quiet":
                    # Ours where nothing is waited for; a worker has no such word.
                    if group is not None and not group.waits:
                        yield message
                elif told.take(message):
                    yield message
        except BaseException:
            # Kill first, then wait for the supervisor to have cleaned up. Shut down, not just closed: a fork of this process may hold it too.
            control.shutdown(socket.SHUT_RDWR)
            for _ in _lines(reader):
                continue
            raise
        finally:
            self._controls.discard(control)
            self._begun.discard(control)
            if self._groups.pop(control, None) is not None and group is not None:
                group.detach()
            if part is not None:
                part.over()
            control.close()
            os.close(reader)
        if via is not None:
            via.end()
        yield from told.missing(why)

    def _send(self, job: dict[str, Any], stdio: tuple[int, int, int] | None, group: Group | None) -> tuple[int, socket.socket]:
        written = os.memfd_create("nlsh-job")
        reader, writer = os.pipe()
        ours, theirs = socket.socketpair()
        given = [written, writer, theirs.fileno()]
        null = os.open(os.devnull, os.O_RDWR)
        try:
            with open(written, "wb", closefd=False) as file:
                file.write(_job_text(job).encode())
            given += [_usable(d, null) for d in stdio] if stdio is not None else [null] * _STDIO
            given += [group.theirs.fileno()] if group is not None else []
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", given))]
            self._channel.sendmsg([_ASKS if "ask" in job else _JOB], rights, socket.MSG_NOSIGNAL)
        except BaseException:
            os.close(reader)
            ours.close()
            raise
        finally:
            theirs.close()
            for descriptor in (written, writer, null):
                os.close(descriptor)
        return reader, ours


def tell(controls: Iterable[socket.socket | None], word: bytes) -> None:
    """Say a word to the supervisors at these channels, as far as they hear."""
    for control in list(controls):
        if control is not None:
            with contextlib.suppress(OSError):
                control.send(word, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def about(number: int, what: object) -> bytes:
    """Return what goes with a word about a question: its number, and the digest of what it says. Raises ValueError and RecursionError.

    The worker writes to the same pipe, and one that was taken over could put other words beside the number.
    """
    import hashlib

    return QUESTION.pack(number, hashlib.sha256(json.dumps(what).encode()).digest())


class Standstill:
    """While a question is shown, the command it is about stands still."""

    def __init__(self, control: socket.socket, question: bytes) -> None:
        self._control, self._question = control, question

    def begin(self) -> bool:
        """Stop the command; return whether the question is still one: who asked may be gone."""
        self._control.settimeout(_HELD_WITHIN_S)
        try:
            self._control.send(SHOWS + self._question, socket.MSG_NOSIGNAL)
            return self._control.recv(1) == HELD
        except OSError:
            return False
        finally:
            self._control.settimeout(None)

    def fileno(self) -> int:
        """Return a descriptor that can be read once the question is none any more."""
        return self._control.fileno()


def _answer(message: dict[str, Any], control: socket.socket, ask: Callable[[dict[str, Any], Standstill], str] | None) -> None:
    number = message.get("question")
    if not isinstance(number, int) or not 0 <= number < 1 << 32:
        return
    try:
        question = about(number, message.get("what"))
    except (ValueError, RecursionError):
        return
    # A word about an earlier question that has come too late.
    with contextlib.suppress(BlockingIOError):
        while control.recv(1, socket.MSG_DONTWAIT):
            continue
    answer = ask(message, Standstill(control, question)) if ask is not None else "no"
    with contextlib.suppress(OSError):
        control.send({"yes": YES, "end": END}.get(answer, NO) + question, socket.MSG_NOSIGNAL)


class _Told:
    """Which steps have had their last message."""

    def __init__(self, count: int) -> None:
        self._open = dict.fromkeys(range(count))
        self.denied = False

    def take(self, message: dict[str, Any]) -> bool:
        """Note a message; return whether it may pass: nothing follows a step's last one but what the broker refused meanwhile, told over another way."""
        if message["type"] == "gated":
            return True
        if message["step"] not in self._open:
            return False
        if message["type"] in _LAST:
            del self._open[message["step"]]
        return True

    def missing(self, why: str) -> Iterator[dict[str, Any]]:
        """Yield the last message of every step that has had none: the first was lost, the others were not begun."""
        if not self._open:
            return
        from nlsh.guard.sandbox.worker import SKIPPED
        from nlsh.plan.errors import Denied, NlshError

        lost: NlshError = NlshError(f"This step may not have been finished: {why}.", hint="Look at what it was to change.", code="worker.lost")
        if self.denied:
            lost = Denied("The kernel ended this step: it made a system call that no plan may make.", hint="Nothing else was changed.")
        for number, step in enumerate(list(self._open)):
            del self._open[step]
            if number:
                yield {"type": "failed", "step": step, "error": SKIPPED.as_data()}
            else:
                # `lost`: the worker may have done it, and quick steps after it, without having told.
                yield {"type": "denied" if self.denied else "failed", "step": step, "error": lost.as_data(), "lost": True}


def _job_text(job: dict[str, Any]) -> str:
    rest = json.dumps({k: v for k, v in job.items() if k != "steps"}, separators=(",", ":"))
    steps = ",".join(s if isinstance(s, str) else json.dumps(s, separators=(",", ":")) for s in job["steps"])
    return f'{{"steps":[{steps}],{rest[1:]}'


def _usable(descriptor: int, otherwise: int) -> int:
    try:
        os.fstat(descriptor)
    except OSError:
        return otherwise
    return descriptor


def _ended(status: int) -> str:
    if status < 0:
        try:
            return f"the worker was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"the worker was ended by signal {-status}"
    return f"the worker ended with status {status}"


def _lines(reader: int, group: Group | None = None) -> Iterator[dict[str, Any]]:
    rest = b""
    while True:
        while group is not None and not group.may_read():
            yield {"type": "quiet", "step": 0}
        if group is None:
            heard.until_readable(reader)
        if not (data := os.read(reader, _READ) if group is None else group.read()):
            return
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            if (message := _message(line)) is None:
                continue
            last = message.pop("to", None)
            yield message
            if last is not None:
                for step in range(message["step"] + 1, last + 1):
                    yield {**message, "step": step}


def _message(line: bytes) -> dict[str, Any] | None:
    """Return a message, or None for what no worker of ours sends: nothing that comes from one may break this process."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    number = "status" if isinstance(found, dict) and found.get("type") == "exit" else "step"
    well_formed = isinstance(found, dict) and isinstance(found.get("type"), str) and isinstance(found.get(number), int)
    if well_formed and "to" in found:
        # One message for many quick steps, and never for more of them than a worker of ours tells of at once.
        well_formed = found["type"] == "done" and isinstance(found["to"], int) and 0 <= found["to"] - found["step"] < MOST_AT_ONCE
    return found if well_formed else None


def serve(descriptor: int, parent: int) -> None:
    """Be the zygote of a process that spawned this one, over a socket it gave."""
    _serve(socket.socket(fileno=descriptor), parent)


def _serve(channel: socket.socket, parent: int) -> None:
    """Be the zygote until the client goes."""
    import gc

    from nlsh.guard.sandbox.kernel import SET_PDEATHSIG, be_called, prctl
    from nlsh.guard.sandbox.spare import Spare

    prctl(SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    be_called(ZYGOTE)
    _quiet(channel.fileno())
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # supervisors are not waited for
    _warm_up()
    gc.freeze()  # without collecting: imports leave next to nothing behind, and a job may wait already
    with contextlib.suppress(OSError):
        channel.send(_level().encode())
    poller = select.poll()
    poller.register(channel, select.POLLIN)
    spare: Spare | None = None
    while True:
        # Forked while nothing is asked for: whatever was imported for the jobs before is there.
        if spare is None and not poller.poll(_QUIET_MS):
            with contextlib.suppress(OSError):
                spare = Spare.fork(without=channel)
        data, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(4 * (_STDIO + 4)))
        if not data:
            if spare is not None:
                spare.end()
            return
        given = array.array("i")
        for _, _, content in ancillary:
            given.frombytes(content[: len(content) // 4 * 4])
        # Whatever goes wrong with one job, the client learns it from the silence, and the zygote stays.
        taken, spare = (spare, None) if data == _JOB else (None, spare)
        with contextlib.suppress(Exception):
            _start(list(given), taken, [channel, *(spare.ends if spare is not None else ())])


def _level() -> str:
    from nlsh.guard.sandbox import confine, landlock

    version = landlock.abi()
    return confine.level(version, views=bool(version) and not confine.views_lack())


def _start(given: list[int], spare: Spare | None, ours: list[socket.socket]) -> None:
    """Have a job done, by the spare worker if there is one, else by one that is forked for it, which lets go what is `ours`."""
    from nlsh.guard.sandbox.spare import text_of
    from nlsh.guard.sandbox.supervisor import supervise

    try:
        written, writer, control = given[:3]
        taken = spare is not None and spare.give(given)
        job = text_of(written)
        _import_actions(job)  # for the next spare, where this one has the job
        if not taken and os.fork() == 0:
            try:
                for end in ours:
                    end.close()
                os.close(written)
                supervise(job, writer, control, given[3:])
            finally:
                os._exit(1)
    finally:
        for descriptor in given:
            os.close(descriptor)


def _quiet(keep: int) -> None:
    """Let go of everything inherited but `keep`: a pipe held open here would keep its reader waiting."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, keep)
    os.closerange(keep + 1, 65536)


def _warm_up() -> None:
    """Import what every worker needs."""
    import nlsh.guard.sandbox.confine
    import nlsh.guard.sandbox.supervisor
    import nlsh.guard.sandbox.worker
    import nlsh.plan.registry
    import nlsh.steps.files
    import nlsh.steps.observe
    import nlsh.steps.times
    import nlsh.world
    from nlsh.plan.errors import NlshError

    with contextlib.suppress(OSError, NlshError):
        nlsh.guard.sandbox.confine.rehearse()


def _import_actions(job: dict[str, Any]) -> None:
    """Import the steps and actions of a job once, here, instead of in every worker. What goes wrong is the worker's to report."""
    from nlsh.plan.registry import get
    from nlsh.steps import load_for

    load_for(job["steps"])
    for action in {s["action"] for s in job["steps"] if "action" in s}:
        try:
            get(action)
        except Exception:
            continue  # the worker meets it again, and says so
