"""What nlshd and its clients agree on: where the socket is, who may be at its other end, which setup both must have, how a message is written.

The socket carries no authority: over it one can ask what a sentence means, how the daemon is, and that it look at the jobs again. What a job may do
is read from the state folder, which no worker can write; so a program that reaches the socket can do nothing that it could not do without.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlsh.plan.errors import NlshError
from nlsh.settings import runtime_dir, state_dir

if TYPE_CHECKING:
    from nlsh.settings import Settings

MOST_BYTES = 1 << 20  # of one message
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


def open_folder(*, make: bool) -> int:
    """Return a descriptor of the runtime folder, which is the user's alone. Raises NoDaemon where it is not there, or somebody else's too."""
    folder = runtime_dir()
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


def address(folder: int) -> str:
    """Return the socket's address by the open folder: a long path would not fit, and the folder cannot be put in another's place meanwhile."""
    return f"/proc/self/fd/{folder}/{socket_name()}"


def peer(connection: socket.socket) -> tuple[int, int]:
    """Return the process and the user at the other end, as the kernel knows them."""
    pid, user, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, user


def connect(seconds: float) -> socket.socket:
    """Connect to the daemon; whoever is there is this very user. Raises NoDaemon."""
    folder = open_folder(make=False)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(seconds)
    try:
        connection.connect(address(folder))
    except FileNotFoundError:
        connection.close()
        raise NoDaemon("The daemon does not run.") from None
    except ConnectionRefusedError:
        connection.close()
        raise NoDaemon("The daemon that ran here is gone.", hint="Start it again: nlsh daemon start", code="daemon.stale") from None
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


def ask(message: dict[str, Any], *, seconds: float) -> dict[str, Any]:
    """Send a message to the daemon and return its reply. Raises NoDaemon, also where no reply came within `seconds`, and the error that it replies."""
    until = time.monotonic() + seconds
    with connect(seconds) as connection:
        try:
            connection.sendall(json.dumps(message).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
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
