"""What nlshd and its clients agree on: where the socket is, who may be at its other end, which setup both must have, how a message is written.

The socket carries no authority: over it one can ask what a sentence means, how the daemon is, and that it look at the jobs again. What a job may do
is read from the state folder, which no worker can write; so a program that reaches the socket can do nothing that it could not do without.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlsh.plan.errors import NlshError
from nlsh.settings import runtime_dir, state_dir

if TYPE_CHECKING:
    from nlsh.settings import Settings

MOST_BYTES = 1 << 20  # of one message
_STOP_S = 0.01  # between two looks whether an answer is still wanted
_CREDENTIALS = struct.Struct("3i")
_SOURCES = ("plan", "world", "actions", "planner", "kernel")


class NoDaemon(NlshError):
    """There is no daemon to be used; `code` says which way: daemon.absent, .stale, .foreign, .other, .wedged or .busy."""

    code = "daemon.absent"


def socket_name() -> str:
    """Return the name of the socket in the runtime folder: another home or state folder is another daemon."""
    setup = os.path.expanduser("~") + "\0" + str(state_dir())
    return f"nlshd-{hashlib.sha256(setup.encode()).hexdigest()[:12]}.sock"


def setup_of(settings: Settings) -> str:
    """Return what client and daemon must have in common: the version and its files, the Python, the models and how they are used."""
    from nlsh import __version__
    from nlsh.shipped import models_dir

    package = Path(__file__).resolve().parent.parent
    newest = 0
    for folder in (*(package / name for name in _SOURCES), models_dir() / "planner", models_dir() / "encoder"):
        try:
            with os.scandir(folder) as found:
                newest = max(newest, *(e.stat().st_mtime_ns for e in found if e.name.endswith((".py", ".gguf", ".bin", ".json", ".txt"))), 0)
        except OSError:
            continue
    words = (__version__, str(package), sys.executable, str(newest), settings.planner, settings.encoder, str(settings.threads), str(settings.sure))
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def open_folder(folder: Path, *, make: bool) -> int:
    """Return a descriptor of a runtime folder, which is the user's alone. Raises NoDaemon where it is not there, or somebody else's too."""
    if make:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        opened = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NoDaemon("The daemon does not run.") from None
    except OSError as error:
        raise NoDaemon(f"{folder} cannot be used for the daemon: {error.strerror}.", code="daemon.foreign") from None
    status = os.fstat(opened)
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        os.close(opened)
        raise NoDaemon(f"{folder} is not yours alone, so no daemon is used there.", hint=f"Nothing was run. chmod 700 {folder}", code="daemon.foreign")
    return opened


def address(folder: int, name: str) -> str:
    """Return the socket's address by the open folder: a long path would not fit, and the folder cannot be put in another's place meanwhile."""
    return f"/proc/self/fd/{folder}/{name}"


def peer(connection: socket.socket) -> tuple[int, int]:
    """Return the process and the user at the other end, as the kernel knows them."""
    pid, user, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, user


def is_gone(connection: socket.socket) -> bool:
    """Return whether the other end has closed: who waits for one line says nothing more."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except (BlockingIOError, InterruptedError):
        return False
    except OSError:
        return True


def lock_file() -> Path:
    """Return the file that the daemon of this state folder has locked for as long as it runs."""
    return state_dir() / "daemon.lock"


def note_server(lock: int) -> None:
    """Write into the lock, which is this process's, who serves and in which folder its socket is."""
    from nlsh.journal.store import owner_of_this_process

    with contextlib.suppress(OSError):  # a full disk: it is found where it is looked for first
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{owner_of_this_process()}\n{runtime_dir()}".encode("utf-8", "surrogateescape"), 0)


def server() -> tuple[int, Path] | None:
    """Return the process of the daemon that serves for this state folder and where its socket should be; None where there is none."""
    from nlsh.journal.store import is_alive

    try:
        owner, _, folder = lock_file().read_text(encoding="utf-8", errors="surrogateescape").partition("\n")
    except OSError:
        return None
    return (int(owner.partition(":")[0]), Path(folder)) if folder and is_alive(owner) else None


def connect(seconds: float) -> socket.socket:
    """Connect to the daemon; whoever is there is this very user. Raises NoDaemon.

    One that was started where XDG_RUNTIME_DIR says something else is used, too: there is one for a state folder.
    """
    try:
        return _connected(runtime_dir(), seconds)
    except NoDaemon as error:
        if error.code not in ("daemon.absent", "daemon.stale") or (there := server()) is None:
            raise
    if there[1] != runtime_dir():
        with contextlib.suppress(NoDaemon):
            return _connected(there[1], seconds)
    words = f"The daemon (process {there[0]}) cannot be reached: its socket is gone."
    raise NoDaemon(words, hint="Have another one take its place: nlsh daemon restart.", code="daemon.stale")


def _connected(place: Path, seconds: float) -> socket.socket:
    folder, name = open_folder(place, make=False), socket_name()
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(seconds)
    try:
        connection.connect(address(folder, name))
    except FileNotFoundError:
        connection.close()
        raise NoDaemon("The daemon does not run.") from None
    except ConnectionRefusedError:
        connection.close()
        raise NoDaemon("The daemon that ran here is gone.", hint="Start it again: nlsh daemon start.", code="daemon.stale") from None
    except OSError as error:
        # A full queue of connections is said as BlockingIOError, and means that nobody takes them.
        connection.close()
        raise NoDaemon(f"The daemon does not answer ({error.strerror or error}).", hint="See nlsh daemon restart.", code="daemon.wedged") from None
    finally:
        os.close(folder)
    if peer(connection)[1] != os.geteuid():
        connection.close()
        raise NoDaemon("At the daemon's place is a process of somebody else.", code="daemon.foreign")
    return connection


class GivenUp(Exception):
    """What was asked is not wanted any more."""


def ask(message: dict[str, Any], *, seconds: float, stop: Callable[[], bool] | None = None) -> dict[str, Any]:
    """Send a message to the daemon and return its reply. Raises NoDaemon, also where no reply came within `seconds`, and the error that it replies.

    Raises GivenUp once `stop` says so: the daemon leaves off, too.
    """
    until = time.monotonic() + seconds
    with connect(seconds) as connection:
        try:
            connection.sendall(json.dumps(message).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                while stop is not None and not select.select([connection], [], [], _STOP_S)[0]:
                    if stop():
                        raise GivenUp
                    if time.monotonic() > until:
                        raise TimeoutError
                connection.settimeout(max(0.001, until - time.monotonic()))
                if not (more := connection.recv(1 << 16)) or len(data) > MOST_BYTES:
                    raise NoDaemon("The daemon broke off.", code="daemon.stale")
                data += more
            reply = json.loads(data)
        except TimeoutError:
            raise NoDaemon(f"The daemon has not answered in {seconds:g} s.", hint="See nlsh daemon restart.", code="daemon.wedged") from None
        except (OSError, ValueError, RecursionError) as error:
            raise NoDaemon(f"The daemon's answer could not be read ({type(error).__name__}).", code="daemon.stale") from None
    if not isinstance(reply, dict):
        raise NoDaemon("The daemon's answer could not be read.", code="daemon.stale")
    if isinstance(said := reply.get("error"), dict):
        code = str(said.get("code", ""))
        if code.startswith("daemon."):
            raise NoDaemon(str(said.get("message", "")), hint=str(said.get("hint", "")), code=code)
        raise NlshError.from_data({"code": code, "message": str(said.get("message", "")), "hint": str(said.get("hint", ""))})
    return reply
