"""The broker of one worker: it hears of the system calls that reach outside the grant, and has them asked about while their caller waits.

It stands between the supervisor and the worker, as an ancestor of whatever a raw command starts, since only an ancestor may read arguments
everywhere. It can do nothing of what it hears of: its own filter lets it neither write, connect, remove, signal nor run anything. What is agreed to is
done by a `hand`, which the supervisor makes for it. A call is either handed back to the kernel, whose Landlock then refuses what is not granted
whatever a racing thread has put in place of the argument, or answered without the kernel ever looking at the argument again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from nlsh.guard.sandbox import capabilities, notify, seccomp
from nlsh.guard.sandbox.kernel import SET_DUMPABLE, SET_NO_NEW_PRIVS, prctl

# What a job is to be asked about: keys of `seccomp.ASKED`.
ASKS = ("connect", "files", "signals")
LARGEST = 3500  # bytes of a question: what fits into a pipe in one piece, with what goes around it
MOST_NOTES = 200  # of a job: refusals that nobody was asked about; the others are counted
_STILL_THERE_S = 0.2
_LONGEST_ADDRESS = 128
_REMEMBERED_S = 0.5  # that a folder lies inside: a guess may be as old as that
_TEMPORARY_FILE = 0o20000000
# What the C library asks for names and logs before all else: it was never to be had, and it goes on without.
_LOOKED_UP = ("/run/nscd", "/run/systemd", "/var/lib/sss", "/run/avahi-daemon", "/dev")
# The kernel's own, and devices: they are what the grant says, and nothing to ask about in the name of a program.
_NEVER_ASKED = ("/proc", "/sys", "/dev")


def broker(worker: int, channel: socket.socket, hears: socket.socket, woken: int, roots: tuple[str, ...], hidden: tuple[str, ...]) -> int:
    """Be the broker of `worker` until it ends; return its exit status.

    `hears`: where the worker sends its listener; `roots`: what it may change; `hidden`: what nobody is asked about.
    """
    prctl(SET_DUMPABLE, 0)
    prctl(SET_NO_NEW_PRIVS, 1)
    capabilities.drop(frozenset())
    seccomp.install(seccomp.build(seccomp.Profile(watches=True)))
    return _Broker(channel, hears, woken, roots, hidden).serve(worker)


class _Refused(Exception):
    """The call is refused without a question; the words say why."""


class _Broker:
    def __init__(self, channel: socket.socket, hears: socket.socket, woken: int, roots: tuple[str, ...], hidden: tuple[str, ...]) -> None:
        self._channel, self._hears, self._woken, self._roots, self._hidden = channel, hears, woken, roots, hidden
        self._listener: notify.Listener | None = None
        self._open: dict[int, tuple[notify.Call, dict[str, Any]]] = {}
        self._number = 0
        self._inside: dict[str, bool] = {}
        self._looked_at = 0.0
        self._notes = 0

    def serve(self, worker: int) -> int:
        poller = select.poll()
        for descriptor in (self._channel.fileno(), self._hears.fileno(), self._woken):
            poller.register(descriptor, select.POLLIN)
        while True:
            for descriptor, _ in poller.poll(int(_STILL_THERE_S * 1000) if self._open else None):
                if descriptor == self._woken:
                    os.read(self._woken, 512)
                    if (status := reap(worker)) is not None:
                        return status
                elif descriptor == self._hears.fileno():
                    poller.unregister(descriptor)
                    pid, given = notify.receive_from(self._hears)
                    if given:
                        # In a view it is a child of the worker's that sends it, and goes on as the worker.
                        self._channel.send(json.dumps({"worker": pid}).encode())
                        self._listener = notify.Listener(given[0])
                        poller.register(given[0], select.POLLIN)
                elif descriptor == self._channel.fileno():
                    self._answered()
                elif not self._hear():
                    poller.unregister(descriptor)
            self._withdraw()

    # --- what is heard -------------------------------------------------------------------------------------------

    def _hear(self) -> bool:
        assert self._listener is not None
        try:
            call = self._listener.receive()
        except OSError:
            return False
        if call is None:
            return True
        given: tuple[int, ...] = ()
        try:
            found = self._request(call)
            if found is None:
                self._listener.hand_back(call)
                return True
            request, given = found
            if not self._listener.waits(call):
                return True  # whose memory that was is not known any more
            request["program"], request["pid"] = _program(call.thread), _process(call.thread)
            text = json.dumps(request)
            if len(text) > LARGEST:
                raise _Refused("its name is too long to be asked about")
            self._number += 1
            self._open[self._number] = call, request
            notify.send(self._channel, f'{{"ask":{self._number},"what":{text}}}'.encode(), given)
        except _Refused as why:
            self._note(call, str(why))
            self._listener.reply(call, errno.EACCES)
        except OSError as error:
            # What the program itself would have met: a bad address, a folder that is not there.
            self._listener.reply(call, error.errno or errno.EPERM)
        except Exception as error:
            self._note(call, f"{type(error).__name__} in the broker")
            self._listener.reply(call, errno.EPERM)
        finally:
            for descriptor in given:
                os.close(descriptor)
        return True

    def _request(self, call: notify.Call) -> tuple[dict[str, Any], tuple[int, ...]] | None:
        """Return what a call wants, and descriptors for it; None where the kernel is to decide. Raises _Refused, and OSError for what it gets."""
        if call.name == "connect":
            return self._connection(call)
        if call.name == "kill":
            return self._signal(call)
        return _files.get(call.name, _Broker._nothing)(self, call)

    def _nothing(self, call: notify.Call) -> None:
        raise _Refused(f"{call.name} is nothing that is asked about")

    def _note(self, call: notify.Call, why: str) -> None:
        """Tell of a refusal that nobody was asked about."""
        self._notes += 1
        if self._notes <= MOST_NOTES:
            text = json.dumps({"kind": call.name, "program": _program(call.thread), "why": why})
            notify.send(self._channel, f'{{"note":{text}}}'.encode())

    # --- connections ---------------------------------------------------------------------------------------------

    def _connection(self, call: notify.Call) -> tuple[dict[str, Any], tuple[int, ...]]:
        length = call.arguments[2] & 0xFFFFFFFF
        if not 2 <= length <= _LONGEST_ADDRESS:
            raise OSError(errno.EINVAL, "no address")
        address = notify.memory(call.thread, call.arguments[1], length)
        number = call.signed(0)
        descriptor = notify.descriptor_of(_process(call.thread), number)
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
            raise _Refused(f"{place} is kept from plans")
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
            raise _Refused("an exchange of two names is not asked about")
        return {"kind": "rename", "path": old, "to": new, "keep": bool(flags & 1)}, ()

    # --- signals -------------------------------------------------------------------------------------------------

    def _signal(self, call: notify.Call) -> tuple[dict[str, Any], tuple[int, ...]] | None:
        if os.stat(f"/proc/{call.thread}/ns/pid").st_ino != os.stat("/proc/self/ns/pid").st_ino:
            return None  # it counts processes by itself, and reaches no others
        pid, number = call.signed(0), call.signed(1)
        # What it started itself, and groups: Landlock keeps those to the worker's own. Both arguments are registers.
        if pid <= 0 or not 0 <= number <= 64 or _is_below(pid, os.getpid()):
            return None
        if _is_below(os.getpid(), pid):
            raise _Refused("that is nlsh itself, or what it runs in")
        from nlsh.steps.handles import started_ticks

        try:
            began = started_ticks(pid)
        except Exception:
            raise OSError(errno.ESRCH, "there is none") from None
        return {"kind": "kill", "target": pid, "began": began, "signal": number, "name": _program(pid)}, ()

    # --- answers -------------------------------------------------------------------------------------------------

    def _answered(self) -> None:
        assert self._listener is not None
        data, given = notify.receive(self._channel)
        if not data:
            raise OSError(errno.EPIPE, "the supervisor is gone")
        try:
            answer = json.loads(data)
            number = answer.get("answer", answer.get("came"))
            call, request = self._open.get(number, (None, {}))
            if call is None:
                return
            if "answer" in answer:
                if answer["yes"]:
                    if self._listener.waits(call):
                        notify.send(self._channel, json.dumps({"go": number}).encode())
                    return
                else:
                    self._listener.reply(call, errno.EACCES if request["kind"] in ("connect", "open") else errno.EPERM)
            elif given and request["kind"] == "connect":
                self._listener.give(call, given[0], at=request["at"], inherited=request["inherited"])
                self._listener.reply(call, answer["error"])
            elif given:
                self._listener.reply(call, value=self._listener.give(call, given[0], inherited=request["inherited"]))
            else:
                self._listener.reply(call, answer["error"])
            del self._open[number]
        except OSError:
            # The caller has gone, or has no room for another descriptor: it gets what it gets then.
            self._listener.reply(call, errno.EMFILE)
            del self._open[number]
        finally:
            for descriptor in given:
                os.close(descriptor)

    def _withdraw(self) -> None:
        """Take back the questions whose callers have gone."""
        for number, (call, _) in list(self._open.items()):
            assert self._listener is not None
            if not self._listener.waits(call):
                del self._open[number]
                notify.send(self._channel, json.dumps({"gone": number}).encode())


_files: dict[str, Any] = {
    "openat": _Broker._open_at,
    "open": _Broker._open_plain,
    "unlink": lambda b, c: b._one(c, "unlink", None, 0),
    "rmdir": lambda b, c: b._one(c, "rmdir", None, 0),
    "unlinkat": _Broker._unlink_at,
    "mkdir": lambda b, c: b._make_folder(c, None, 0),
    "mkdirat": lambda b, c: b._make_folder(c, 0, 1),
    "rename": lambda b, c: b._rename(c, (None, None), (0, 1)),
    "renameat": lambda b, c: b._rename(c, (0, 2), (1, 3)),
    "renameat2": lambda b, c: b._rename(c, (0, 2), (1, 3), c.arguments[4] & 0xFFFFFFFF),
}


def _destination(call: notify.Call, address: bytes, copy: socket.socket) -> dict[str, Any]:
    """Return where an address leads, in the words that are shown and that the hand goes by. Raises _Refused, and OSError for a bad one."""
    (family,) = struct.unpack_from("=H", address)
    if family != copy.family or copy.type != socket.SOCK_STREAM:
        raise _Refused("only a stream can be connected, and to an address of its own kind")
    if family == socket.AF_UNIX:
        name = address[2:]
        if not name or name[0] == 0:
            raise _Refused("a socket without a path is not asked about")
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
            raise _Refused("an address of one network card only is not asked about")
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


def _process(thread: int) -> int:
    return int(_fields(f"/proc/{thread}/status")["Tgid"])


def _umask(thread: int) -> int:
    return int(_fields(f"/proc/{thread}/status")["Umask"], 8)


def _program(thread: int) -> str:
    """Return the name of the program that runs: of its file, which is harder to forge than what it calls itself."""
    with contextlib.suppress(OSError):
        return os.path.basename(os.readlink(f"/proc/{thread}/exe").removesuffix(" (deleted)"))[:80]
    return "a program"


def _is_below(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        try:
            pid = int(_fields(f"/proc/{pid}/status")["PPid"])
        except OSError:
            return False
    return False


def reap(worker: int, ended: Callable[[int], None] | None = None) -> int | None:
    """Collect every child that has ended, telling `ended` of it; return the worker's status once it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == worker:
            found = os.waitstatus_to_exitcode(status)
        elif ended is not None:
            ended(pid)
