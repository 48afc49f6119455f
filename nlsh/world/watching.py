"""Folders that are watched with all below them: what is created, changed, renamed and removed there, several events of one thing as one."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType

from nlsh.world import inotify
from nlsh.world.files import walk

# Each takes about a kilobyte of the kernel's memory.
MOST_FOLDERS = 65_536
_WANTED = (
    inotify.CREATE | inotify.DELETE | inotify.MOVED_FROM | inotify.MOVED_TO | inotify.MODIFY | inotify.CLOSE_WRITE | inotify.ATTRIB
    | inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.ONLY_FOLDER | inotify.EXCEPT_UNLINKED
)  # fmt: skip
# What is written to all the time is told of this often.
_AGAIN_S = 1.0
_REMEMBERED = 10_000

Happened = dict[str, str]


@dataclass
class _Batch:
    """What has happened to which path, in order: the same thing twice in a row is once."""

    found: list[tuple[str, str, str | None]] = field(default_factory=list)
    last: Happened = field(default_factory=dict)

    def add(self, what: str, path: str, before: str | None = None) -> None:
        known = self.last.get(path)
        if what == known or (what == "changed" and known in ("created", "renamed")) or (what == "attributes" and known not in (None, "removed")):
            return
        self.last[path] = what
        self.found.append((what, path, before))


class Watched:
    """Files and folders that are watched. Use it as a context manager. Raises OSError where the kernel gives no inotify.

    Hidden folders are left out, unless they are what is to be watched. `left_out` counts the folders for which there was no watch any more.
    """

    def __init__(self, paths: tuple[str, ...], most: int = MOST_FOLDERS) -> None:
        self._inotify = inotify.Inotify()
        self._most = most
        self._folders: dict[int, str] = {}
        self._only: dict[int, set[str] | None] = {}  # in the folder of a file that is watched: which names; None: all
        self._told: dict[str, float] = {}
        self._late: set[str] = set()
        self.left_out = 0
        self.unreadable: list[str] = []
        for path in paths:
            if os.path.isdir(path):
                for _ in self._enter(path):
                    continue
            else:
                self._add(os.path.dirname(path), os.path.basename(path))

    @property
    def descriptor(self) -> int:
        """What can be read when something has happened."""
        return self._inotify.descriptor

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._inotify.__exit__(kind, error, trace)

    def _add(self, folder: str, only: str | None = None) -> bool:
        if len(self._folders) >= self._most:
            self.left_out += 1
            return False
        try:
            watch = self._inotify.add(folder, _WANTED)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                self._most = len(self._folders)  # as many as this user may have
                self.left_out += 1
            elif error.errno not in (errno.ENOENT, errno.ENOTDIR):
                self.unreadable.append(folder)
            return False
        names = self._only.get(watch, set())
        self._only[watch] = None if only is None or names is None else names | {only}
        self._folders[watch] = folder
        return True

    def _enter(self, folder: str) -> Iterator[str]:
        """Watch a folder and those below it; yield the paths of what is in them."""
        self._add(folder)
        # A folder is watched before it is read: what comes meanwhile is told of twice rather than not at all.
        for entry in walk(folder, enter=self._may_enter, skipped=self.unreadable):
            yield entry.path

    def _may_enter(self, entry: os.DirEntry[str]) -> bool:
        return entry.name[0] != "." and self._add(entry.path)

    def take(self) -> list[inotify.Event]:
        """Return what the kernel has told since it was last asked."""
        return list(self._inotify.read())

    def meaning(self, events: list[inotify.Event]) -> tuple[list[tuple[str, str, str | None]], bool]:
        """Return (what, path, former path) of what happened, and whether the kernel had to leave something out."""
        batch, overflow = _Batch(), False
        moved: dict[int, str] = {}
        for event in events:
            if event.what & inotify.OVERFLOW:
                overflow = True
                continue
            folder = self._folders.get(event.watch)
            if folder is None:
                continue
            if event.what & inotify.IGNORED:
                self._folders.pop(event.watch)
                self._only.pop(event.watch, None)
                continue
            if not event.name:
                # The folder itself: what is above it tells, where that is watched.
                if event.what & (inotify.DELETE_SELF | inotify.MOVE_SELF) and os.path.dirname(folder) not in self._folders.values():
                    batch.add("removed", folder)
                continue
            names = self._only.get(event.watch)
            if names is None or event.name in names:
                self._one(event, os.path.join(folder, event.name), batch, moved)
        for path in moved.values():
            self._leave(path)
            batch.add("removed", path)
        return [one for one in batch.found if one[0] != "changed" or self._is_due(one[1])], overflow

    def _one(self, event: inotify.Event, path: str, batch: _Batch, moved: dict[int, str]) -> None:
        what, is_folder = event.what, bool(event.what & inotify.IS_FOLDER)
        if what & inotify.MOVED_FROM:
            moved[event.cookie] = path
        elif what & inotify.MOVED_TO and event.cookie in moved:
            before = moved.pop(event.cookie)
            self._rename(before, path)
            batch.add("renamed", path, before)
        elif what & (inotify.CREATE | inotify.MOVED_TO):
            batch.add("created", path)
            if is_folder and event.name[0] != ".":
                for inner in self._enter(path):
                    batch.add("created", inner)
        elif what & inotify.DELETE:
            batch.add("removed", path)
        elif what & (inotify.MODIFY | inotify.CLOSE_WRITE):
            batch.add("changed", path)
        elif what & inotify.ATTRIB:
            batch.add("attributes", path)

    def _is_due(self, path: str) -> bool:
        """Return whether a change is to be told now; else it is told by `late`."""
        now = time.monotonic()
        if now - self._told.get(path, -_AGAIN_S) < _AGAIN_S:
            self._late.add(path)
            return False
        if len(self._told) > _REMEMBERED:
            self._told.clear()
        self._told[path] = now
        return True

    def late(self) -> tuple[list[str], float | None]:
        """Return the paths whose changes were held back and are due now, and when (time.monotonic) to ask again, None where nothing is left."""
        now = time.monotonic()
        due = sorted(p for p in self._late if now - self._told.get(p, -_AGAIN_S) >= _AGAIN_S)
        self._late.difference_update(due)
        self._told.update(dict.fromkeys(due, now))
        return due, now + _AGAIN_S if self._late else None

    def held_back(self) -> list[str]:
        """Return the paths whose changes have not been told, due or not."""
        return sorted(self._late)

    def _rename(self, before: str, path: str) -> None:
        for watch, folder in self._folders.items():
            if folder == before or folder.startswith(before + "/"):
                self._folders[watch] = path + folder[len(before) :]

    def _leave(self, path: str) -> None:
        """Watch no more what was moved to elsewhere."""
        for watch, folder in list(self._folders.items()):
            if folder == path or folder.startswith(path + "/"):
                self._inotify.remove(watch)
