"""folder.size: how much of the disk a folder takes."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _search
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record, Size
from nlsh.plan.values import Flag, Paths
from nlsh.steps import handles
from nlsh.world import World
from nlsh.world.files import tree_size
from nlsh.world.machine import amount

_TREE = {"big/a": "x" * 300_000, "small/b": "x", "middle/deep/c": "x" * 60_000}
_MOST_FILES = 20  # of those directly in the folders, on lines of their own; the rest is summed up


class FolderSize(Action):
    """Measure how much of the disk folders take, hidden files included."""

    name = "folder.size"
    effects = ("fs.read",)

    class Args(BaseArgs):
        paths = arg(Paths(), "The folders to measure.", default=(".",), common=("~",))
        each = arg(Flag(), "Each folder in them on its own, the largest first, and the files directly in them that are among the largest.", default=False)
        limit = arg(Count(), "At most this many folders, and the files among so many largest things.")

    def look(self, args: Any, world: World) -> Any:
        return {"roots": list(dict.fromkeys(os.path.realpath(p) for p in world.matches(args.paths)))}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _search.reads(seen)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        skipped: list[str] = []
        meter = handles.Meter(unit="folders")
        if not args.each:
            yield from (Size(f, *tree_size(f, skipped, meter.came)) for f in seen["roots"][: args.limit])
        else:
            folders: list[str] = []
            files = _Files(_MOST_FILES if args.limit is None else args.limit)
            for root in seen["roots"]:
                folders += _in(root, files, skipped)
            yield from _largest([Size(f, *tree_size(f, skipped, meter.came)) for f in folders], files, args.limit)
        yield from _search.left_out(skipped)

    examples = (
        Example(
            say=("how big is the big folder", "how much space does big take", "size of big", "big文件夹有多大"),
            plan='folder.size("big")',
            given=_TREE,
            result=("big",),
        ),
        Example(
            say=("which folders here take the most space", "size of every subfolder", "how much does each folder in here take", "每个子文件夹分别多大"),
            plan='folder.size("data", each=true)',
            given={f"data/{k}": v for k, v in _TREE.items()},
            result=("data/big", "data/middle", "data/small"),
        ),
        Example(
            say=("how much does each thing in data take", "du of every entry in data", "data里每样东西各占多少"),
            plan='folder.size("data", each=true)',
            given={f"data/{k}": v for k, v in {**_TREE, "film.mkv": "x" * 900_000, "scan.pdf": "x" * 150_000}.items()},
            result=("data/film.mkv", "data/big", "data/scan.pdf", "data/middle", "data/small"),
        ),
        Example(
            say=("the two largest folders in data", "top 2 subfolders of data by size", "data里最大的两个文件夹"),
            plan='folder.size("data", each=true, limit="2")',
            given={f"data/{k}": v for k, v in _TREE.items()},
            result=("data/big", "data/middle"),
        ),
        Example(
            say=("how big is the attic folder", "size of attic", "attic有多大"),
            plan='folder.size("attic")',
            given=_TREE,
            refused="world.not-found",
        ),
    )


class _Files:
    """The files directly in the folders that are measured: the largest `most` of them, and how many the others are and take together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.largest: list[tuple[int, str]] = []  # a heap, the smallest first
        self.others = self.others_bytes = 0

    def came(self, path: str, size_bytes: int) -> None:
        if len(self.largest) < self._most:
            heapq.heappush(self.largest, (size_bytes, path))
        else:
            self.left(heapq.heappushpop(self.largest, (size_bytes, path))[0])

    def left(self, size_bytes: int) -> None:
        self.others += 1
        self.others_bytes += size_bytes


def _in(root: str, files: _Files, skipped: list[str]) -> list[str]:
    """Return the folders directly in `root`, and tell `files` of the files there; a file alone is one of them."""
    if not os.path.isdir(root):
        files.came(root, tree_size(root)[0])
        return []
    folders = []
    names: set[tuple[int, int]] = set()
    try:
        with os.scandir(root) as scan:
            for entry in scan:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue  # vanished meanwhile
                if status.st_nlink > 1:
                    if (status.st_dev, status.st_ino) in names:
                        continue  # another name of the same file
                    names.add((status.st_dev, status.st_ino))
                files.came(entry.path, status.st_blocks * 512)
    except OSError:
        skipped.append(root)
    return folders


def _largest(folders: list[Size], files: _Files, limit: int | None) -> Iterator[Record]:
    """Yield the folders, or the largest `limit` of them, and the files that stand among so many largest things; then what the other files take."""
    found = sorted([*folders, *(Size(path, size_bytes, 1) for size_bytes, path in files.largest)], key=lambda s: (-s.size_bytes, s.path))
    kept = {s.path for s in sorted(folders, key=lambda s: (-s.size_bytes, s.path))[:limit]}
    kept.update(s.path for s in found[:limit])
    yield from (s for s in found if s.path in kept)
    for size_bytes, path in files.largest:
        if path not in kept:
            files.left(size_bytes)
    if files.others:
        one = files.others == 1
        yield Note(f"{files.others:,} smaller file{'' if one else 's'} directly in there {'takes' if one else 'take together'} {amount(files.others_bytes)}.")
