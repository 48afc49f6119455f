"""What a worker is handed for its steps before it is confined: pidfds of the processes, connections to the buses, new logs and the files whose
flags may be changed, as its grant names them, and ways to tell its progress and that what it has started is to go on.
"""

from __future__ import annotations

import fcntl
import os
import resource
import select
import socket
import time
from collections.abc import Callable, Iterable

from nlsh.plan.errors import NlshError

# Above what a step opens itself, so that the filter can tell the handed descriptors by their numbers.
FIRST = 512

_pidfds: dict[int, int] = {}
_buses: dict[str, socket.socket | OSError] = {}
_flagged: dict[str, int] = {}
_tell: Callable[[int, int | None, str], None] | None = None
_stopping: Callable[[], bool] | None = None
_logs: dict[str, int | OSError] = {}
_surroundings: dict[int, tuple[list[bytes], dict[bytes, bytes]]] = {}
_narrow: Callable[[Iterable[str], Iterable[str]], Callable[[], None]] | None = None
_left_running = False
_flush: Callable[[], None] | None = None
# How long a wait may last until it is looked whether the user has asked to stop.
_SLICE_S = 0.1
_TOLD_EVERY_S = 0.1


def pidfd(pid: int) -> int | None:
    """Return the pidfd of a process that this worker may signal or tune, or None where it was not handed one."""
    return _pidfds.get(pid)


def flagged(path: str) -> int | None:
    """Return the descriptor through which the flags of a file may be changed, or None where this worker was not handed one."""
    return _flagged.get(path)


def take_flagged(paths: Iterable[str]) -> tuple[int, int]:
    """Open the files whose flags may be changed; return the first of their numbers and their end. No other file can get such a number afterwards."""
    _flagged.clear()
    wanted = sorted(set(paths))
    if not wanted:
        return 0, 0
    from nlsh.world.flags import open_for_flags

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # LIMIT: so many files in one call of an action; a descriptor for each is what holds the right to the file.
    most = 65_536 if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, FIRST + len(wanted) + 64), hard))
    for path in wanted:
        try:
            opened = open_for_flags(path)
        except OSError:
            continue  # the step says so
        try:
            _flagged[path] = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, FIRST)
        except OSError:
            break
        finally:
            os.close(opened)
    # With the limit where they begin, what is opened later can never have one of their numbers, even if one of them is closed.
    resource.setrlimit(resource.RLIMIT_NOFILE, (FIRST, FIRST))
    return FIRST, max(_flagged.values(), default=FIRST - 1) + 1


def bus(target: str) -> socket.socket:
    """Return the connection that the grant names: "system", "session" or a socket's path. Raises OSError where there is nobody behind it."""
    found = _buses.get(target)
    if found is None:
        found = _connected(target)  # not in a worker: what `look` asks
    if isinstance(found, OSError):
        raise found
    return found


def is_handed(target: str) -> bool:
    """Return whether this is a worker that was handed this connection: there is one, for all of its steps."""
    return target in _buses


def connect(targets: Iterable[str]) -> None:
    """Connect to each bus or socket of a grant; what cannot be reached is told to the step that wants it."""
    for target in targets:
        if target not in _buses:
            try:
                _buses[target] = _connected(target)
            except OSError as error:
                _buses[target] = error


def bus_path(target: str) -> str:
    """Return the path of the socket that "system", "session" or a path means; an abstract one starts with a zero byte. Raises FileNotFoundError."""
    if target.startswith("/"):
        return target
    if target == "system":
        address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/run/dbus/system_bus_socket")
    else:
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        address = os.environ.get("DBUS_SESSION_BUS_ADDRESS", f"unix:path={runtime}/bus" if runtime else "")
    for part in address.split(";"):
        if part.startswith("unix:"):
            settings = dict(s.partition("=")[::2] for s in part[5:].split(","))
            if "path" in settings:
                return settings["path"]
            if "abstract" in settings:
                return "\0" + settings["abstract"]
    raise FileNotFoundError(2, f"there is no {target} message bus here")


def _connected(target: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(10)
        connection.connect(bus_path(target))
    except BaseException:
        connection.close()
        raise
    return connection


def progress(done: int, total: int | None = None, unit: str = "", *, stops: bool = True) -> None:
    """Tell how far the step has come, in units of its own (`unit` "bytes": shown as an amount); does nothing outside a worker.

    Raises as `checkpoint` does: what tells its progress leaves nothing behind when it fails. `stops=False` for a step that must go on.
    """
    if _tell is not None:
        _tell(done, total, unit)
    if stops:
        checkpoint()


def progress_in_bytes(done: int, total: int | None = None) -> None:
    """Tell how many bytes were read, as `progress` does."""
    progress(done, total, "bytes")


def checkpoint() -> None:
    """Raise NlshError (step.cancelled) where the user has asked to stop: for places where all that was begun can still be dropped."""
    if stopping():
        raise NlshError("Not finished: it was cancelled.", hint="Nothing of it was kept.", code="step.cancelled")


class Meter:
    """Adds up what a step has done piece by piece, out of `total` (None: nobody knows), and tells it now and then as `progress` does."""

    def __init__(self, total: int | None = None, unit: str = "bytes") -> None:
        self._done, self._total, self._unit = 0, total, unit
        self._told = time.monotonic()

    def came(self, amount: int = 1) -> None:
        """Count `amount` more. Raises as `checkpoint` does."""
        self._done += amount
        if (now := time.monotonic()) - self._told >= _TOLD_EVERY_S:
            self._told = now
            progress(self._done, self._total, self._unit)


def stopping() -> bool:
    """Return whether the user has asked to stop: a step that takes long, and can stop cleanly, ends itself."""
    return _stopping is not None and _stopping()


def wait(descriptors: Iterable[int], until: float | None = None) -> list[int]:
    """Wait until one of `descriptors` can be read; return those that can. What was found so far is shown meanwhile.

    None can where the time `until` (of `time.monotonic`) has come, or the user has asked to stop: `stopping` tells which.
    """
    if _flush is not None:
        _flush()
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    while True:
        left = _SLICE_S if until is None else min(_SLICE_S, until - time.monotonic())
        if ready := poll.poll(max(left, 0) * 1000):
            return [descriptor for descriptor, _ in ready]
        if left <= 0 or stopping():
            return []


def on_wait(flush: Callable[[], None] | None) -> None:
    """Have `wait` call `flush` first: what was found and not yet sent goes out before a step waits for more."""
    global _flush
    _flush = flush


def on_progress(tell: Callable[[int, int | None, str], None] | None, stopping: Callable[[], bool] | None = None) -> None:
    """Have `progress` call `tell`, and `stopping` ask `stopping`."""
    global _tell, _stopping
    _tell, _stopping = tell, stopping


def narrowed(read: Iterable[str], change: Iterable[str]) -> Callable[[], None] | None:
    """Return what, called in a program before it runs, confines it to less than this worker: to reading `read` and changing what is below `change`.

    None outside a worker, or where the kernel has no Landlock.
    """
    return _narrow(read, change) if _narrow is not None else None


def on_narrowed(narrow: Callable[[Iterable[str], Iterable[str]], Callable[[], None]] | None) -> None:
    """Have `narrowed` ask `narrow`."""
    global _narrow
    _narrow = narrow


def open_logs(paths: Iterable[str]) -> None:
    """Make each of these files, owner-only, where nothing is yet; what goes wrong is told to the step that wants it."""
    for path in paths:
        try:
            _logs[path] = _made(path)
        except OSError as error:
            _logs[path] = error


def _made(path: str) -> int:
    from nlsh.steps._fs import parent_of

    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with parent_of(path) as (folder, name):
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)


def log(path: str) -> int:
    """Return the descriptor of a new log, which is written to at its end. Raises OSError where it could not be made."""
    if path not in _logs:
        open_logs([path])  # not in a worker
    found = _logs[path]
    if isinstance(found, OSError):
        raise found
    return found


def remember(pids: Iterable[int]) -> None:
    """Read with what arguments and environment these processes were started: Landlock closes that to a worker, and no journal may hold it."""
    for pid in pids:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as arguments, open(f"/proc/{pid}/environ", "rb") as environment:
                argv = arguments.read().removesuffix(b"\0").split(b"\0")
                pairs = (p.partition(b"=") for p in environment.read().split(b"\0"))
                _surroundings[pid] = (argv, {name: value for name, sign, value in pairs if sign and name})
        except OSError:
            continue


def surroundings(pid: int) -> tuple[list[bytes], dict[bytes, bytes]] | None:
    """Return the arguments and the environment with which a process was started, or None where they could not be read."""
    if pid not in _surroundings:
        remember([pid])  # not in a worker
    return _surroundings.get(pid)


def leave_running() -> None:
    """Have what this worker has started go on when it ends; only a step that `detaches` is heard."""
    global _left_running
    _left_running = True


def left_running() -> bool:
    """Return whether a step of this worker has asked for that."""
    return _left_running


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
