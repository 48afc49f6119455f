"""folder.size: how much of the disk a folder takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _search
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record, Size
from nlsh.plan.values import Flag, Paths
from nlsh.steps import handles
from nlsh.world import World
from nlsh.world.files import tree_size

_TREE = {"big/a": "x" * 300_000, "small/b": "x", "middle/deep/c": "x" * 60_000, "loose.txt": "x"}


class FolderSize(Action):
    """Measure how much of the disk folders take, hidden files included."""

    name = "folder.size"
    effects = ("fs.read",)

    class Args(BaseArgs):
        paths = arg(Paths(), "The folders to measure.", default=(".",), common=("~",))
        each = arg(Flag(), "Each folder in them on its own, the largest first.", default=False)
        limit = arg(Count(), "At most this many.")

    def look(self, args: Any, world: World) -> Any:
        return {"roots": list(dict.fromkeys(os.path.realpath(p) for p in world.matches(args.paths)))}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _search.reads(seen)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        skipped: list[str] = []
        folders = [f for root in seen["roots"] for f in (_folders_in(root, skipped) if args.each else (root,))]
        meter = handles.Meter(unit="folders")
        sizes = [Size(f, *tree_size(f, skipped, meter.came)) for f in folders]
        if args.each:
            sizes.sort(key=lambda size: -size.size_bytes)
        yield from sizes[: args.limit]
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


def _folders_in(root: str, skipped: list[str]) -> list[str]:
    try:
        with os.scandir(root) as scan:
            return sorted(e.path for e in scan if e.is_dir(follow_symlinks=False))
    except OSError:
        skipped.append(root)
        return []
