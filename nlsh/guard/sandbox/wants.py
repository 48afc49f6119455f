"""What a system call that a broker hears of wants: a question's data, or nothing where the kernel is to decide, or a refusal without a question.

It only looks: what is resolved here is what is asked about and what is done, and the call's own arguments are not read again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import time
from typing import Any

from nlsh.guard.sandbox import notify

_LONGEST_ADDRESS = 128
_REMEMBERED_S = 0.5  # that a folder lies inside: a guess may be as old as that
_TEMPORARY_FILE = 0o20000000
# What the C library asks for names and logs before all else: it was never to be had, and it goes on without.
_LOOKED_UP = ("/run/nscd", "/run/systemd", "/var/lib/sss", "/run/avahi-daemon", "/dev")
# The kernel's own, and devices: they are what the grant says, and nothing to ask about in the name of a program.
_NEVER_ASKED = ("/proc", "/sys", "/dev")


class Refused(Exception):
    """The call is refused without a question; the words say why."""


class Wants:
    """What calls want of a worker that may change what is below `roots`; `hidden` is what nobody is asked about."""

    def __init__(self, roots: tuple[str, ...], hidden: tuple[str, ...]) -> None:
        self._roots, self._hidden = roots, hidden
        self._inside: dict[str, bool] = {}
        self._looked_at = 0.0

    def of(self, call: notify.Call) -> tuple[dict[str, Any], tuple[int, ...]] | None:
        """Return what a call wants, and descriptors for it; None where the kernel is to decide. Raises Refused, and OSError for what it gets."""
        if call.name == "connect":
            return self._connection(call)
        if call.name == "kill":
            return self._signal(call)
        return _files.get(call.name, Wants._nothing)(self, call)

    def _nothing(self, call: notify.Call) -> None:
        raise Refused(f"{call.name} is nothing that is asked about")

    # --- connections ---------------------------------------------------------------------------------------------

    def _connection(self, call: notify.Call) -> tuple[dict[str, Any], tuple[int, ...]]:
        length = call.arguments[2] & 0xFFFFFFFF
        if not 2 <= length <= _LONGEST_ADDRESS:
            raise OSError(errno.EINVAL, "no address")
        address = notify.memory(call.thread, call.arguments[1], length)
        number = call.signed(0)
        descriptor = notify.descriptor_of(process_of(call.thread), number)
        try:
            with socket.socket(fileno=os.dup(descriptor)) as copy:
                request = _destination(call, address, copy)
            flags = _fields(f"/proc/{call.thread}/fdinfo/{number}")["flags"]
            request["inherited"] = not int(flags, 8) & os.O_CLOEXEC
            request["foreign"] = os.stat(f"/proc/{call.thread}/ns/net").st_ino != os.stat("/proc/self/ns/net").st_ino
        except BaseException:
            os.close(descriptor)
            raise
        return {"kind": "connect", "at": number, **request}, (descriptor,)

    # --- files ---------------------------------------------------------------------------------------------------

    def _place(self, call: notify.Call, folder: int | None, address: int, *, follow: bool) -> str | None:
        """Return the path that a call means, resolved outside the worker; None where the kernel is to decide. Raises OSError.

        `folder` is the index of the argument with the folder's descriptor. What is resolved here is what is asked about and what is done: the
        argument is not read again.
        """
        path = os.fsdecode(notify.text(call.thread, address))
        if not path:
            return None
        if not path.startswith("/"):
            number = -100 if folder is None else call.signed(folder)
            base = os.readlink(f"/proc/{call.thread}/cwd" if number == -100 else f"/proc/{call.thread}/fd/{number}")
            if not base.startswith("/") or base.endswith(" (deleted)"):
                return None
            path = f"{base}/{path}"
        if self._is_plainly_inside(path):
            return None
        parent, name = os.path.split(path.rstrip("/") or "/")
        if name in ("", ".", ".."):
            return None
        place = os.path.join(os.path.realpath(parent), name)
        if follow:
            place = os.path.realpath(place)
        if any(within(place, h) for h in self._hidden):
            raise Refused(f"{place} is kept from plans")
        if self._is_inside(place) or any(within(place, p) for p in _NEVER_ASKED):
            return None
        # Where the worker sees another folder under that name, a /tmp of its own or an empty one, the kernel's answer is the right one.
        folder_of = os.path.dirname(place)
        try:
            ours, theirs = os.stat(folder_of), os.stat(f"/proc/{call.thread}/root{folder_of}")
        except OSError:
            return None
        return place if (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino) else None

    def _is_plainly_inside(self, path: str) -> bool:
        """Whether a path lies in what is granted, by one look at its folder: a guess, for speed. Where it is wrong, Landlock refuses the call."""
        if "/.." in path or not self._is_inside(path):
            return False
        folder = path.rpartition("/")[0]
        now = time.monotonic()
        if now - self._looked_at > _REMEMBERED_S:
            self._inside.clear()
            self._looked_at = now
        if (inside := self._inside.get(folder)) is None:
            # What only the worker sees has no links that lead anywhere here.
            inside = self._inside[folder] = self._is_inside(os.path.realpath(folder))
        return inside and not os.path.islink(path)

    def _is_inside(self, path: str) -> bool:
        return any(within(path, root) for root in self._roots)

    def _opening(self, call: notify.Call, folder: int | None, path: int, flags: int, mode: int) -> tuple[dict[str, Any], tuple[int, ...]] | None:
        if flags & (_TEMPORARY_FILE | os.O_PATH):
            return None
        follow = not flags & os.O_NOFOLLOW and flags & (os.O_CREAT | os.O_EXCL) != os.O_CREAT | os.O_EXCL
        place = self._place(call, folder, call.arguments[path], follow=follow)
        if place is None or not _can_be_opened(place, flags):
            return None
        request = {"kind": "open", "path": place, "flags": flags, "mode": mode & 0o777, "umask": _umask(call.thread), "inherited": not flags & os.O_CLOEXEC}
        return request, ()

    def _open_at(self, call: notify.Call) -> Any:
        return self._opening(call, 0, 1, call.arguments[2] & 0xFFFFFFFF, call.arguments[3])

    def _open_plain(self, call: notify.Call) -> Any:
        return self._opening(call, None, 0, call.arguments[1] & 0xFFFFFFFF, call.arguments[2])

    def _one(self, call: notify.Call, kind: str, folder: int | None, path: int, **more: Any) -> Any:
        place = self._place(call, folder, call.arguments[path], follow=False)
        # What would fail anyway is nothing to ask about.
        if place is None or os.path.lexists(place) == (kind == "mkdir") or not os.access(os.path.dirname(place), os.W_OK | os.X_OK):
            return None
        return {"kind": kind, "path": place, **more}, ()

    def _unlink_at(self, call: notify.Call) -> Any:
        return self._one(call, "rmdir" if call.arguments[2] & 0x200 else "unlink", 0, 1)

    def _make_folder(self, call: notify.Call, folder: int | None, path: int) -> Any:
        return self._one(call, "mkdir", folder, path, mode=call.arguments[path + 1] & 0o777, umask=_umask(call.thread))

    def _rename(self, call: notify.Call, folders: tuple[int | None, int | None], paths: tuple[int, int], flags: int = 0) -> Any:
        places = [self._place(call, f, call.arguments[p], follow=False) for f, p in zip(folders, paths, strict=True)]
        if places == [None, None]:
            return None
        if None in places:
            # Of the two only one is outside: what is inside has its real place too.
            raise OSError(errno.EXDEV, "programs copy and remove then, and each is asked about")
        old, new = str(places[0]), str(places[1])
        if not os.path.lexists(old) or not all(os.access(os.path.dirname(p), os.W_OK | os.X_OK) for p in (old, new)):
            return None
        if flags & ~1:
            raise Refused("an exchange of two names is not asked about")
        return {"kind": "rename", "path": old, "to": new, "keep": bool(flags & 1)}, ()

    # --- signals -------------------------------------------------------------------------------------------------

    def _signal(self, call: notify.Call) -> tuple[dict[str, Any], tuple[int, ...]] | None:
        if os.stat(f"/proc/{call.thread}/ns/pid").st_ino != os.stat("/proc/self/ns/pid").st_ino:
            return None  # it counts processes by itself, and reaches no others
        pid, number = call.signed(0), call.signed(1)
        # What it started itself, and groups: Landlock keeps those to the worker's own. Both arguments are registers.
        if pid <= 0 or not 0 <= number <= 64 or is_below(pid, os.getpid()):
            return None
        if is_below(os.getpid(), pid):
            raise Refused("that is nlsh itself, or what it runs in")
        from nlsh.steps.handles import started_ticks

        if not (began := started_ticks(pid)):
            raise OSError(errno.ESRCH, "there is none")
        return {"kind": "kill", "target": pid, "began": began, "signal": number}, ()


_files: dict[str, Any] = {
    "openat": Wants._open_at,
    "open": Wants._open_plain,
    "unlink": lambda w, c: w._one(c, "unlink", None, 0),
    "rmdir": lambda w, c: w._one(c, "rmdir", None, 0),
    "unlinkat": Wants._unlink_at,
    "mkdir": lambda w, c: w._make_folder(c, None, 0),
    "mkdirat": lambda w, c: w._make_folder(c, 0, 1),
    "rename": lambda w, c: w._rename(c, (None, None), (0, 1)),
    "renameat": lambda w, c: w._rename(c, (0, 2), (1, 3)),
    "renameat2": lambda w, c: w._rename(c, (0, 2), (1, 3), c.arguments[4] & 0xFFFFFFFF),
}


def _destination(call: notify.Call, address: bytes, copy: socket.socket) -> dict[str, Any]:
    """Return where an address leads, in the words that are shown and that the hand goes by. Raises Refused, and OSError for a bad one."""
    (family,) = struct.unpack_from("=H", address)
    if family != copy.family or copy.type != socket.SOCK_STREAM:
        raise Refused("only a stream can be connected, and to an address of its own kind")
    if family == socket.AF_UNIX:
        name = address[2:]
        if not name or name[0] == 0:
            raise Refused("a socket without a path is not asked about")
        path = os.fsdecode(name.split(b"\0")[0])
        base = "" if path.startswith("/") else os.readlink(f"/proc/{call.thread}/cwd")
        real = os.path.realpath(os.path.join(base, path))
        if any(within(real, p) for p in _LOOKED_UP):
            raise OSError(errno.ECONNREFUSED, "nothing to ask about")
        os.stat(real)
        return {"path": real}
    if len(address) < (16 if family == socket.AF_INET else 24):
        raise OSError(errno.EINVAL, "the address is too short")
    (port,) = struct.unpack_from("!H", address, 2)
    if family == socket.AF_INET:
        host = socket.inet_ntop(socket.AF_INET, address[4:8])
    else:
        host = socket.inet_ntop(socket.AF_INET6, address[8:24])
        if address[8:20] == bytes(10) + b"\xff\xff":
            # The same host by another name: no rule about it must be missed.
            host = socket.inet_ntop(socket.AF_INET, address[20:24])
        elif host.startswith("fe80:"):
            raise Refused("an address of one network card only is not asked about")
    # As the kernel takes it: nowhere in particular is here.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return {"family": family, "host": host, "port": port}


def _can_be_opened(path: str, flags: int) -> bool:
    """Whether the file's own permissions would let it be opened: what would fail anyway is nothing to ask about."""
    if not os.path.lexists(path):
        return bool(flags & os.O_CREAT) and os.access(os.path.dirname(path), os.W_OK | os.X_OK)
    reads, writes = flags & os.O_ACCMODE != os.O_WRONLY, flags & os.O_ACCMODE != os.O_RDONLY or flags & os.O_TRUNC
    return os.path.isfile(path) and not flags & os.O_EXCL and os.access(path, (os.R_OK if reads else 0) | (os.W_OK if writes else 0))


def within(path: str, root: str) -> bool:
    """Whether `path` is `root` or lies below it."""
    return path == root or root == "/" or path.startswith(root + "/")


def _fields(path: str) -> dict[str, str]:
    with open(path, errors="surrogateescape") as file:
        return {key: value.strip() for key, _, value in (line.partition(":") for line in file)}


def process_of(thread: int) -> int:
    return int(_fields(f"/proc/{thread}/status")["Tgid"])


def _umask(thread: int) -> int:
    return int(_fields(f"/proc/{thread}/status")["Umask"], 8)


def program_of(thread: int) -> str:
    """Return the name of the program that runs: of its file, which is harder to forge than what it calls itself."""
    with contextlib.suppress(OSError):
        return os.path.basename(os.readlink(f"/proc/{thread}/exe").removesuffix(" (deleted)"))[:80]
    return "a program"


def is_below(pid: int, ancestor: int) -> bool:
    """Whether a process is `ancestor`, or what that or its children have started."""
    while pid > 1:
        if pid == ancestor:
            return True
        try:
            pid = int(_fields(f"/proc/{pid}/status")["PPid"])
        except OSError:
            return False
    return False
