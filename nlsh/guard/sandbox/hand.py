"""The hand: a process that does one thing outside a worker's grant to which the user has just said yes, and that can do nothing else.

It goes by what was asked, in the words that were shown, and opens what that names anew: whatever the program has put in place of its argument
meanwhile, and whatever is wrong in the broker, more than the answer was about is refused by Landlock and seccomp.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import socket
import stat
from typing import Any

from nlsh.guard.sandbox import capabilities, landlock, notify, seccomp
from nlsh.guard.sandbox.kernel import SET_DUMPABLE, SET_NO_NEW_PRIVS, leave_no_core, prctl, syscall

_LONGEST_S = 180  # to wait for a connection: the kernel gives up before
_OPENAT2 = 437
_RESOLVE = 2 | 4  # no links of any kind
_FLAGS = os.O_ACCMODE | os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_APPEND | os.O_NONBLOCK | os.O_SYNC | os.O_DSYNC | os.O_NOFOLLOW | os.O_DIRECT
# What is often set before connecting, and would be lost with the socket that is put in its place.
_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.SOL_SOCKET, socket.SO_SNDBUF), (socket.SOL_SOCKET, socket.SO_RCVBUF),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
)  # fmt: skip


def reach(what: dict[str, Any], given: list[int], number: int, channel: socket.socket) -> None:
    """Do what was agreed to, confined to it, and tell the broker. Never returns."""
    error, found = errno.EPERM, None
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_LONGEST_S)
        prctl(SET_DUMPABLE, 0)
        error, found = {"connect": _connect, "open": _open, "kill": _kill}.get(what["kind"], _change)(what, given)
    except OSError as failed:
        error = failed.errno or errno.EPERM
    finally:
        error = errno.EPERM if error == seccomp.OURS else error
        notify.send(channel, json.dumps({"came": number, "error": error}).encode(), () if found is None else (found,))
        os._exit(0)


def _confine(rights: dict[str, int], profile: seccomp.Profile, port: int = 0, *, signals: bool = False) -> None:
    """Confine this process to `rights` on paths, to one port, and to a profile."""
    rules = landlock.Ruleset(landlock.abi(), scope_signals=not signals)
    for path, allowed in rights.items():
        rules.allow(path, allowed)
    rules.finish()
    if port:
        rules.allow_port(port, landlock.CONNECT)
    prctl(SET_NO_NEW_PRIVS, 1)
    leave_no_core()
    # As the command itself has none.
    capabilities.drop(frozenset())
    rules.enforce()
    seccomp.install(seccomp.build(profile))


def _connect(what: dict[str, Any], given: list[int]) -> tuple[int, int | None]:
    if "path" in what:
        target = _opened(what["path"], os.O_PATH | os.O_CLOEXEC)
        if not stat.S_ISSOCK(os.fstat(target).st_mode):
            raise OSError(errno.ECONNREFUSED, "not a socket")
        _confine({}, seccomp.Profile())
        with socket.socket(fileno=given[0]) as theirs:
            return theirs.connect_ex(f"/proc/self/fd/{target}"), None
    host, port = str(what["host"]), int(what["port"])
    family = socket.AddressFamily(what["family"])
    if family == socket.AF_INET6 and ":" not in host:
        host = f"::ffff:{host}"
    with socket.socket(fileno=given[0]) as theirs:
        if theirs.family != family or theirs.type != socket.SOCK_STREAM:
            raise OSError(errno.EACCES, "another socket than was asked about")
        waits = os.get_blocking(theirs.fileno())
        _confine({}, seccomp.Profile(tcp=True), port)
        if not what["foreign"]:
            # Their own socket, which they share: connected here it is connected there.
            return _connected(theirs, host, port), None
        ours = socket.socket(family, socket.SOCK_STREAM)
        for level, option in _OPTIONS:
            value = theirs.getsockopt(level, option)
            if value != ours.getsockopt(level, option):
                # Of a buffer the kernel tells twice what was set.
                ours.setsockopt(level, option, value // 2 if option in (socket.SO_SNDBUF, socket.SO_RCVBUF) and level == socket.SOL_SOCKET else value)
        ours.setblocking(waits)
        error = _connected(ours, host, port)
        return error, ours.detach() if error in (0, errno.EINPROGRESS) else None


def _connected(connection: socket.socket, host: str, port: int) -> int:
    # Without a time limit of Python's own, which would make it one that does not wait.
    waits = os.get_blocking(connection.fileno())
    connection.settimeout(None if waits else 0)
    return connection.connect_ex((host, port))


def _open(what: dict[str, Any], given: list[int]) -> tuple[int, int | None]:
    path, flags = what["path"], int(what["flags"]) & _FLAGS
    reads = landlock.READ_FILE if flags & os.O_ACCMODE != os.O_WRONLY else 0
    writes = landlock.WRITE_FILE if flags & os.O_ACCMODE != os.O_RDONLY else 0
    rights = reads | writes | (landlock.TRUNCATE if flags & os.O_TRUNC else 0)
    folder = _opened(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    os.umask(int(what["umask"]))
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise OSError(errno.EACCES, "not a file")
        _confine({path: rights}, seccomp.Profile(write=True))
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
        # LIMIT: Landlock cannot grant one new name: this process could make others in that folder.
        _confine({os.path.dirname(path): rights | landlock.MAKE_REG}, seccomp.Profile(write=True))
    mode = int(what["mode"]) & 0o777 if flags & os.O_CREAT else 0
    found = _opened(os.path.basename(path), flags | os.O_CLOEXEC | os.O_NOCTTY, mode, folder)
    if not stat.S_ISREG(os.fstat(found).st_mode):
        raise OSError(errno.EACCES, "not a file")
    return 0, found


def _change(what: dict[str, Any], given: list[int]) -> tuple[int, None]:
    kind, path = what["kind"], what["path"]
    folder = _opened(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    name, rights = (
        os.path.basename(path),
        {os.path.dirname(path): {"unlink": landlock.REMOVE_FILE, "rmdir": landlock.REMOVE_DIR, "mkdir": landlock.MAKE_DIR}.get(kind, 0)},
    )
    if kind == "rename":
        other = os.path.dirname(what["to"])
        target = _opened(other, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        moves = landlock.REMOVE | (landlock.CHANGE & ~(landlock.WRITE_FILE | landlock.TRUNCATE))
        _confine({os.path.dirname(path): moves, other: moves}, seccomp.Profile(write=True))
        flags = 1 if what["keep"] else 0
        syscall(seccomp.number_of("renameat2"), folder, os.fsencode(name), target, os.fsencode(os.path.basename(what["to"])), flags)
        return 0, None
    _confine(rights, seccomp.Profile(write=True))
    if kind == "unlink":
        os.unlink(name, dir_fd=folder)
    elif kind == "rmdir":
        os.rmdir(name, dir_fd=folder)
    elif kind == "mkdir":
        os.umask(int(what["umask"]))
        os.mkdir(name, int(what["mode"]) & 0o777, dir_fd=folder)
    else:
        raise OSError(errno.EPERM, "nothing that is asked about")
    return 0, None


def _kill(what: dict[str, Any], given: list[int]) -> tuple[int, None]:
    from nlsh.steps.handles import started_ticks

    handle = os.pidfd_open(int(what["target"]))
    # Opened first: what is compared then is the process that the handle is of.
    if started_ticks(int(what["target"])) != what["began"]:
        raise OSError(errno.ESRCH, "another process by now")
    _confine({}, seccomp.Profile(signal_descriptors=(handle, handle + 1)), signals=True)
    signal.pidfd_send_signal(handle, int(what["signal"]))
    return 0, None


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def _opened(path: str, flags: int, mode: int = 0, folder: int = -100) -> int:
    """Open a path without following a link anywhere in it. Raises OSError."""
    how = _How(flags, mode, _RESOLVE)
    # SAFETY: the structure outlives the call; the kernel reads its 24 bytes.
    return syscall(_OPENAT2, folder, os.fsencode(path), ctypes.byref(how), 24)
