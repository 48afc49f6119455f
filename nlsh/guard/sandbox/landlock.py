"""Landlock by ctypes: which version this kernel has, and a ruleset that confines this process for good.

It owns the kernel's numbers and the splitting of a readable root around what must stay hidden; which paths are granted is `grant`'s.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache

from nlsh.guard.sandbox.kernel import raw, syscall
from nlsh.guard.secrets import above

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every architecture
_VERSION = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_OPENAT2 = 437
_HERE = -100
_NO_MAGICLINKS, _NO_SYMLINKS = 2, 4

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE = 1 << 4, 1 << 5
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (1 << n for n in range(6, 13))
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15

READ = READ_FILE | READ_DIR
REMOVE = REMOVE_DIR | REMOVE_FILE | REFER
# No device nodes: nothing nlsh does makes them.
CHANGE = WRITE_FILE | TRUNCATE | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM | REMOVE
DEVICE = READ_FILE | WRITE_FILE | IOCTL_DEV
_ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

_HANDLED = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_HANDLED_NOW = (1 << 16) - 1
BIND, CONNECT = 1, 2
_SCOPE_ABSTRACT_UNIX, _SCOPE_SIGNAL = 1, 2

# Tests lower this to stand on an older kernel. Deliberately not an environment variable: nothing outside the program lowers enforcement.
ceiling: int | None = None


def abi() -> int:
    """Return the version of Landlock that this kernel enforces, 0 for none."""
    try:
        found = syscall(_CREATE, None, 0, _VERSION)
    except OSError:
        found = 0
    return found if ceiling is None else min(found, ceiling)


class Ruleset:
    """Rules being collected for `enforce`. What no rule allows is refused to this process and its children from then on."""

    def __init__(self, version: int, *, net: int = BIND | CONNECT, scope_signals: bool = True) -> None:
        """Create an empty ruleset; `net` is which of BIND and CONNECT it is to refuse where no rule allows. Raises OSError."""
        self._handled = _HANDLED.get(version, _HANDLED_NOW)
        self._rights: dict[str, int] = {}
        self._net = net if version >= 4 else 0
        data = struct.pack("=Q", self._handled)
        if version >= 4:
            data += struct.pack("=Q", self._net)
        if version >= 6:
            data += struct.pack("=Q", _SCOPE_ABSTRACT_UNIX | (_SCOPE_SIGNAL if scope_signals else 0))
        # SAFETY: the kernel reads exactly the given size from the buffer.
        self.descriptor = syscall(_CREATE, ctypes.create_string_buffer(data, len(data)), len(data), 0)

    def allow(self, path: str, rights: int) -> None:
        """Add `rights` on `path` and everything below it. A path that is missing or leads through a link gives nothing."""
        self._rights[path] = self._rights.get(path, 0) | rights

    def allow_port(self, port: int, right: int) -> None:
        """Allow to BIND, or CONNECT to, TCP `port`, whatever the host. Raises OSError."""
        if self._net & right:
            syscall(_ADD, self.descriptor, _NET_PORT, ctypes.create_string_buffer(struct.pack("=QQ", right, port), 16), 0)

    def finish(self) -> None:
        """Hand the collected paths to the kernel. Raises OSError."""
        rule = ctypes.create_string_buffer(12)
        rule_at = ctypes.byref(rule)
        write = struct.Struct("=Qi").pack_into
        for path, rights in self._rights.items():
            # SAFETY: the structure outlives the call; the kernel reads its 24 bytes.
            descriptor = raw(_OPENAT2, _HERE, os.fsencode(path), _how_at, 24, 0, 0)
            if descriptor < 0 and (descriptor := _open_otherwise(path)) < 0:
                continue
            try:
                if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                    rights &= _ON_FILES
                if rights := rights & self._handled:
                    write(rule, 0, rights, descriptor)
                    # SAFETY: a packed landlock_path_beneath_attr of twelve bytes, which the kernel copies.
                    if raw(_ADD, self.descriptor, _PATH_BENEATH, rule_at, 0, 0, 0) < 0:
                        raise OSError(error := ctypes.get_errno(), os.strerror(error))
            finally:
                os.close(descriptor)

    def enforce(self) -> None:
        """Confine this thread and all its future children. Raises OSError."""
        syscall(_RESTRICT, self.descriptor, 0)
        os.close(self.descriptor)


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_how = _How(os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW, 0, _NO_SYMLINKS | _NO_MAGICLINKS)
_how_at = ctypes.byref(_how)


def _open_otherwise(path: str) -> int:
    """Return an O_PATH descriptor where there is no openat2, or -1: nothing is there, or a folder on the way has become a link since the path was resolved."""
    if ctypes.get_errno() != errno.ENOSYS:
        return -1
    # In a worker that runs programs, whose filter has no openat2: what it allows to them is never more than it has itself.
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return -1


def split(root: str, hidden: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Yield (path, whole) that together cover `root` but for what is `hidden`.

    `whole` false: only the names in this folder. Landlock cannot deny below an allowance, so what lies beside a hidden path is allowed
    piece by piece; what comes to be there later is not covered.
    """
    closed = frozenset(hidden)
    if "/" in closed or not closed.isdisjoint(above(root)):
        return
    around = _around(closed)
    if root.rstrip("/") not in around:
        yield root, True
        return
    yield root, False
    folders = [root]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                found = [e.path for e in entries if not e.is_symlink()]
        except OSError:
            continue
        for path in found:
            if path in around:
                if path not in closed:
                    folders.append(path)
            else:
                yield path, True


@lru_cache(8)
def _around(closed: frozenset[str]) -> frozenset[str]:
    """Return these paths and all that is above them, where there are any; `/` as an empty one."""
    return frozenset[str]().union(*map(above, closed))


def within(path: str, root: str) -> bool:
    """Whether `path` is `root` or lies below it."""
    return path == root or root == "/" or path.startswith(root + "/")
