"""A file that grows: its last lines, what is added to it, and what becomes of it when it is cut off or another one takes its place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType

from nlsh.world import inotify
from nlsh.world.contents import CHUNK, decoded, last_lines, open_text

_LONGEST_LINE = 1 << 20


class Followed:
    """A file that is followed by its name, from its last `lines` lines on. Use it as a context manager. Raises OSError where it cannot be opened.

    `descriptors` can be read when there may be something new; where the kernel has no inotify to give, there are none, and it must be asked again.
    """

    def __init__(self, path: str, lines: int = 10) -> None:
        self._path = path
        self._descriptor = open_text(path)
        self._inotify: inotify.Inotify | None = None
        self._rest = b""
        self._shut = False
        self._first, _ = last_lines(self._descriptor, lines)
        self._position = os.fstat(self._descriptor).st_size
        # What has no line end yet is shown when it has one.
        if self._first and self._position and os.pread(self._descriptor, 1, self._position - 1) != b"\n":
            self._rest = os.fsencode(self._first.pop())
        # On network file systems inotify is silent about what others write: who follows asks now and then, too.
        with suppress(OSError):
            self._inotify = inotify.Inotify()
            self._watch()

    @property
    def descriptors(self) -> list[int]:
        """What to wait for."""
        return [self._inotify.descriptor] if self._inotify is not None else []

    def __enter__(self) -> Followed:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._descriptor)
        if self._inotify is not None:
            self._inotify.__exit__(kind, error, trace)

    def _watch(self) -> None:
        assert self._inotify is not None
        self._inotify.add(self._path, inotify.MODIFY | inotify.ATTRIB | inotify.MOVE_SELF | inotify.DELETE_SELF)
        self._inotify.add(os.path.dirname(self._path), inotify.CREATE | inotify.MOVED_TO)

    def news(self) -> Iterator[tuple[str, str]]:
        """Yield what is new: ("line", text), ("cut", "") when it was cut off, ("new", "") when another file has its name.

        ("shut", "") where that other file may not be read; the old one is gone on with.
        """
        if self._inotify is not None:
            for _ in self._inotify.read():
                continue  # that something happened is enough: the file says what
        yield from (("line", text) for text in self._first)
        self._first = []
        yield from self._grown()
        try:
            ours, theirs = os.fstat(self._descriptor), os.stat(self._path)
            if (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino):
                return
            fresh = open_text(self._path)
        except PermissionError:
            if not self._shut:
                self._shut = True
                yield "shut", ""
            return
        except OSError:
            return  # gone, or not yet there again: what is written to the old one still comes
        yield from self._grown()
        yield from self.rest()
        os.close(self._descriptor)
        self._descriptor, self._position = fresh, 0
        if self._inotify is not None:
            with suppress(OSError):
                self._watch()
        yield "new", ""
        yield from self._grown()

    def rest(self) -> Iterator[tuple[str, str]]:
        """Yield what stands at the end without a line end, if anything."""
        if self._rest:
            yield "line", decoded(self._rest)
            self._rest = b""

    def _grown(self) -> Iterator[tuple[str, str]]:
        if os.fstat(self._descriptor).st_size < self._position:
            self._position, self._rest = 0, b""
            yield "cut", ""
        while block := os.pread(self._descriptor, CHUNK, self._position):
            self._position += len(block)
            *whole, self._rest = (self._rest + block).split(b"\n")
            yield from (("line", decoded(line.removesuffix(b"\r"))) for line in whole)
            if len(self._rest) > _LONGEST_LINE:
                yield from self.rest()
