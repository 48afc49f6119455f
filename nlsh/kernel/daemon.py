"""nlshd: a process of the user's that keeps the planner's models warm and starts the jobs that are due.

It owns the socket, its queue and its end: idle, stopped, or replaced in place by a newer nlsh. What a sentence means, and what is due, it is
handed; see `daemon_wire` for why reaching it is worth nothing to a program that may do less than its user.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from nlsh.kernel import daemon_wire as wire
from nlsh.plan.errors import NlshError
from nlsh.settings import runtime_dir

IDLE_S = 900.0  # without a request, and without a job that waits
_PATIENCE_S = 5.0  # for a client to say all of what it wants
_MOST_CLIENTS = 64
_MOST_PLANNING = 16
INHERITED = "NLSH_DAEMON_HANDED"  # descriptors of socket and lock, over an exec


class Jobs(Protocol):
    """What starts the jobs that are due."""

    def tick(self) -> float | None:
        """Start what is due; return in how many seconds to look again, None where no job waits or runs."""


Plan = Callable[[dict[str, Any], str, Callable[[], bool]], dict[str, Any]]  # a message, from whom, and whether nobody waits for it any more


class AlreadyRuns(NlshError):
    """There is a daemon for this state folder already."""

    code = "daemon.runs"


@dataclass
class _Client:
    connection: socket.socket
    since: float = field(default_factory=time.monotonic)
    data: bytearray = field(default_factory=bytearray)


class Daemon:
    """The server. `plan(message, client, gone)` answers what a sentence means, in a thread of its own: who is next is its own affair.

    `prepare()` loads the models, `forget()` lets them go, in threads as well.
    """

    def __init__(
        self, setup: str, plan: Plan, *, prepare: Callable[[], None], forget: Callable[[], None],
        jobs: Jobs | None = None, idle_s: float = IDLE_S,
    ) -> None:  # fmt: skip
        self._setup, self._plan, self._jobs, self._idle_s = setup, plan, jobs, idle_s
        self._prepare, self._forget = prepare, forget
        self._started = time.time()
        self._last = time.monotonic()
        self._warm = False
        self._planned = 0
        self._next_look = 0.0
        self._active = False
        self._ending = ""
        self._clients: dict[socket.socket, _Client] = {}
        self._threads: set[threading.Thread] = set()  # that plan, load or let go
        self._selector = selectors.DefaultSelector()

    def run(self) -> str:
        """Serve until idle or told to end; return why: idle, stop or replace. Raises AlreadyRuns and NoDaemon."""
        self._lock, self._listener = _taken_over() or _opened()
        wire.note_server(self._lock)
        self._listener.setblocking(False)
        wake, signalled = socket.socketpair()
        for end in (wake, signalled):
            end.setblocking(False)
        before = {n: signal.signal(n, self._signalled) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        woken = signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(wake, selectors.EVENT_READ)
        self._begin(self._load)
        try:
            while not self._ending:
                for key, _ in self._selector.select(self._look()):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj is wake:
                        with contextlib.suppress(BlockingIOError):
                            wake.recv(64)
                    else:
                        self._read(self._clients[key.fileobj])  # type: ignore[index]
                self._drop_the_slow()
            until = time.monotonic() + _PATIENCE_S
            for thread in list(self._threads):
                thread.join(max(0.0, until - time.monotonic()))
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)
            for client in list(self._clients.values()):
                self._drop(client)
            self._selector.close()
            for end in (wake, signalled):
                end.close()
            if self._ending != "replace":
                _remove_socket()
                self._listener.close()
                os.close(self._lock)
        return self._ending

    def replace(self, command: list[str], environment: dict[str, str]) -> None:
        """Become `command`, which goes on with the socket: clients that have connected meanwhile are served by it."""
        handed = (self._listener.fileno(), self._lock)
        for descriptor in handed:
            os.set_inheritable(descriptor, True)
        os.execve(command[0], command, {**environment, INHERITED: ",".join(map(str, handed))})

    # --- what is asked -------------------------------------------------------------------------------------------

    def _answer(self, client: _Client, message: dict[str, Any]) -> None:
        match message.get("ask"):
            case "plan":
                self._last = time.monotonic()
                if message.get("setup") != self._setup:
                    words = "The daemon is of another version, or plans with other models."
                    self._reply(client, _refusal("daemon.other", words, "Replace it: nlsh daemon restart."))
                    return
                if len(self._threads) >= _MOST_PLANNING:
                    self._reply(client, _refusal("daemon.busy", "The daemon has too much to plan.", ""))
                    return
                # Its thread answers and closes it.
                self._selector.unregister(client.connection)
                del self._clients[client.connection]
                self._begin(self._answer_plan, client.connection, message)
            case "status":
                self._reply(client, self._status())
            case "wake":
                self._next_look = 0.0
                self._reply(client, {"woken": True})
            case _:
                self._reply(client, _refusal("daemon.unknown", "The daemon does not know this request.", ""))

    def _status(self) -> dict[str, Any]:
        from nlsh import __version__

        return {
            "pid": os.getpid(), "version": __version__, "setup": self._setup, "started": self._started, "planned": self._planned, "warm": self._warm,
            "idle_s": round(time.monotonic() - self._last, 1), "jobs": self._active,
        }  # fmt: skip

    # --- planning ------------------------------------------------------------------------------------------------

    def _begin(self, work: Callable[..., None], *about: Any) -> None:
        def run() -> None:
            try:
                work(*about)
            finally:
                self._threads.discard(thread)

        thread = threading.Thread(target=run, name="planning", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _load(self) -> None:
        with contextlib.suppress(Exception):  # who asks first is told
            self._prepare()
            self._warm = True

    def _answer_plan(self, connection: socket.socket, message: dict[str, Any]) -> None:
        try:
            reply = self._plan(message, _client_of(connection), lambda: wire.is_gone(connection))
        except NlshError as error:
            reply = {"error": error.as_data()}
        except Exception as error:
            reply = _refusal("daemon.fault", f"The daemon failed: {type(error).__name__}: {error}.", "")
        self._warm, self._planned, self._last = True, self._planned + 1, time.monotonic()
        _send(connection, reply)

    # --- connections ---------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, InterruptedError, ConnectionAbortedError):
            connection, _ = self._listener.accept()
            if wire.peer(connection)[1] != os.geteuid() or len(self._clients) >= _MOST_CLIENTS:
                connection.close()
                return
            connection.setblocking(False)
            self._clients[connection] = _Client(connection)
            self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, client: _Client) -> None:
        try:
            data = client.connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client.data += data
        if client.data.endswith(b"\n"):
            try:
                message = json.loads(client.data)
            except (ValueError, RecursionError):
                message = None
            if isinstance(message, dict):
                self._answer(client, message)
                return
        elif data and len(client.data) <= wire.MOST_BYTES:
            return
        self._drop(client)

    def _reply(self, client: _Client, reply: dict[str, Any]) -> None:
        self._selector.unregister(client.connection)
        del self._clients[client.connection]
        _send(client.connection, reply)

    def _drop(self, client: _Client) -> None:
        self._selector.unregister(client.connection)
        del self._clients[client.connection]
        client.connection.close()

    def _drop_the_slow(self) -> None:
        limit = time.monotonic() - _PATIENCE_S
        for client in [c for c in self._clients.values() if c.since < limit]:
            self._drop(client)

    # --- time ----------------------------------------------------------------------------------------------------

    def _look(self) -> float:
        """Start what is due; return for how long nothing else is to be done. At the end of its idle time, it ends."""
        now = time.monotonic()
        if self._jobs is not None and now >= self._next_look:
            wait = self._jobs.tick()
            self._active = wait is not None
            self._next_look = now + (wait if wait is not None else self._idle_s)
        idle_at = self._last + self._idle_s
        if now >= idle_at and not self._threads:
            if not self._active:
                self._ending = self._ending or "idle"
                return 0.0
            if self._warm:
                self._warm = False
                self._begin(self._forget)
        ends = [self._next_look - now] if self._jobs is not None else []
        ends += [idle_at - now] if now < idle_at else []
        ends += [_PATIENCE_S] if self._clients else []
        return max(0.0, min(ends, default=self._idle_s))

    def _signalled(self, number: int, frame: Any) -> None:
        if number == signal.SIGHUP:
            self._ending = self._ending or "replace"
        else:
            self._ending = "stop"


def _client_of(connection: socket.socket) -> str:
    """Return who asks, for fairness: all that is started from one terminal is one client."""
    pid = wire.peer(connection)[0]
    try:
        return f"session {os.getsid(pid)}"
    except OSError:
        return f"process {pid}"


def _refusal(code: str, message: str, hint: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "hint": hint}}


def _send(connection: socket.socket, reply: dict[str, Any]) -> None:
    """Send a reply and close. Who does not take it, or is gone, goes without."""
    with connection, contextlib.suppress(OSError):
        connection.settimeout(1.0)
        connection.sendall(json.dumps(reply).encode() + b"\n")


def _opened() -> tuple[int, socket.socket]:
    lock = os.open(wire.lock_file(), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    if not _locked(lock) and not (_end_unreachable() and _locked(lock)):
        os.close(lock)
        raise AlreadyRuns("The daemon runs already.", hint="See nlsh daemon status.")
    with contextlib.suppress(OSError):
        os.ftruncate(lock, 0)  # nobody serves until the socket is there
    _remove_socket()
    folder = wire.open_folder(runtime_dir(), make=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(wire.address(folder, wire.socket_name()))
    finally:
        os.umask(before)
        os.close(folder)
    listener.listen(_MOST_CLIENTS)
    return lock, listener


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _end_unreachable() -> bool:
    """Have the daemon that has the lock end if its socket is gone, as with the runtime folder at a logout; return whether it has ended."""
    try:
        wire.connect(_PATIENCE_S).close()
        return False
    except wire.NoDaemon as error:
        there = wire.server() if error.code == "daemon.stale" else None
    if there is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(there[0])
        try:
            # Looked at with the process in hand, it is that one and no later one.
            for number in (signal.SIGTERM, signal.SIGKILL):
                if wire.server() == there:
                    signal.pidfd_send_signal(process, number)
                if select.select([process], [], [], _PATIENCE_S)[0]:
                    return True
        finally:
            os.close(process)
    return True


def _taken_over() -> tuple[int, socket.socket] | None:
    """Return lock and socket where an earlier version of this process has handed them over."""
    handed = os.environ.pop(INHERITED, "")
    try:
        number, lock = map(int, handed.split(","))
        listener = socket.socket(fileno=number)
    except (ValueError, OSError):
        return None
    for descriptor in (number, lock):
        os.set_inheritable(descriptor, False)
    return lock, listener


def _remove_socket() -> None:
    with contextlib.suppress(wire.NoDaemon, FileNotFoundError):
        folder = wire.open_folder(runtime_dir(), make=False)
        try:
            os.unlink(wire.socket_name(), dir_fd=folder)
        finally:
            os.close(folder)


def command(*words: str) -> list[str]:
    """Return the command line that starts this very nlsh, from wherever it is imported."""
    from nlsh.guard import isolated

    return isolated.command("from nlsh.cli import main; sys.exit(main())", *words)
