"""What the kernel tells of files as it happens: a small wrapper around inotify."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from types import TracebackType

from nlsh.plan.frozen import frozen

MODIFY, ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF = 0x2, 0x4, 0x8, 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
OVERFLOW, IGNORED, ONLY_FOLDER, NO_FOLLOW, EXCEPT_UNLINKED, IS_FOLDER = 0x4000, 0x8000, 0x1000000, 0x2000000, 0x4000000, 0x40000000
_HEAD = struct.Struct("=iIII")


@frozen()
class Event:
    """One event: the watch it came from, what happened (bits), the cookie that joins two halves of a renaming, and the name in the folder."""

    watch: int
    what: int
    cookie: int
    name: str


class Inotify:
    """An instance of inotify; use it as a context manager. Raises OSError where the kernel has none or gives no more of them."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        # SAFETY: inotify_init1(int flags) takes no pointers.
        self.descriptor: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def __enter__(self) -> Inotify:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self.descriptor)

    def add(self, path: str, what: int) -> int:
        """Watch `path` and return the number of the watch. Raises OSError: ENOSPC where the user may have no more."""
        # SAFETY: inotify_add_watch(int, const char *, uint32_t); the kernel keeps no pointer.
        watch = int(self._libc.inotify_add_watch(self.descriptor, os.fsencode(path), ctypes.c_uint32(what)))
        if watch < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), path)
        return watch

    def remove(self, watch: int) -> None:
        """End a watch; one that has ended already is left alone."""
        # SAFETY: inotify_rm_watch(int, int) takes no pointers.
        self._libc.inotify_rm_watch(self.descriptor, watch)

    def read(self) -> Iterator[Event]:
        """Yield what has happened, without waiting for more."""
        try:
            data = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return
        at = 0
        while at < len(data):
            watch, what, cookie, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            yield Event(watch, what, cookie, os.fsdecode(data[at : at + length].rstrip(b"\0")))
            at += length
