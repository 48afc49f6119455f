"""file.tree: a folder and all below it, drawn as a tree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _search
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.records.files import TreeEntry
from nlsh.plan.values import Flag, Paths
from nlsh.world import World

_GIVEN = {"site/index.html": "i", "site/img/cat.jpg": "c", "site/img/old/dog.jpg": "d", "site/.env": "e", "site/latest": {"link": "img"}}


class Tree(Action):
    """Show a folder and all below it as a tree."""

    name = "file.tree"
    effects = ("fs.read",)

    class Args(BaseArgs):
        paths = arg(Paths(), "The folders.", default=(".",))
        depth = arg(Count(), "At most this many levels.")
        hidden = arg(Flag(), "Also names that start with a dot.", default=False)

    def look(self, args: Any, world: World) -> Any:
        return {"paths": list(dict.fromkeys(os.path.realpath(p) for p in world.matches(args.paths)))}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return tuple(Effect("fs.read", p) for p in seen["paths"])

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        skipped: list[str] = []
        for path in seen["paths"]:
            yield TreeEntry(path, path, "folder" if os.path.isdir(path) else "file", 0)
            if os.path.isdir(path):
                yield from _below(path, args.depth, args.hidden, skipped)
        yield from _search.left_out(skipped)

    examples = (
        Example(
            say=("show the site folder as a tree", "tree of site", "draw the folder structure of site", "用树状图显示site文件夹"),
            plan='file.tree("site")',
            given=_GIVEN,
            result=("site", "├── img", "│   ├── cat.jpg", "│   └── old", "│       └── dog.jpg", "├── index.html", "└── latest -> img"),
        ),
        Example(
            say=("show the tree of site, only one level deep", "tree of site with depth 1", "site的目录树，只看一层"),
            plan='file.tree("site", depth="1")',
            given=_GIVEN,
            result=("site", "├── img", "├── index.html", "└── latest -> img"),
        ),
        Example(
            say=("tree of site with hidden files", "show all of site as a tree, dotfiles too", "连隐藏文件一起用树状图显示site"),
            plan='file.tree("site", hidden=true, depth="1")',
            given=_GIVEN,
            result=("site", "├── .env", "├── img", "├── index.html", "└── latest -> img"),
        ),
        Example(
            say=("tree of the attic folder", "show attic as a tree", "显示attic的目录树"),
            plan='file.tree("attic")',
            given=_GIVEN,
            refused="world.not-found",
        ),
    )


def _below(root: str, depth: int | None, hidden: bool, skipped: list[str]) -> Iterator[TreeEntry]:
    """Yield what is below a folder, each thing with the branches that lead to it. Links are not followed, so that there are no circles."""
    # One entry for each level that is open: what is left of its names, and the branches before them.
    open_: list[tuple[Iterator[tuple[os.DirEntry[str], bool]], str]] = [(_entries(root, hidden, skipped), "")]
    while open_:
        entries, before = open_[-1]
        entry, is_last = next(entries, (None, True))
        if entry is None:
            open_.pop()
            continue
        level = len(open_)
        kind, target = _kind(entry)
        shown = entry.name if target is None else f"{entry.name} -> {target}"
        yield TreeEntry(f"{before}{'└── ' if is_last else '├── '}{shown}", entry.path, kind, level, target)
        if kind == "folder" and (depth is None or level < depth):
            open_.append((_entries(entry.path, hidden, skipped), before + ("    " if is_last else "│   ")))


def _entries(folder: str, hidden: bool, skipped: list[str]) -> Iterator[tuple[os.DirEntry[str], bool]]:
    try:
        with os.scandir(folder) as scan:
            found = sorted((e for e in scan if hidden or e.name[0] != "."), key=lambda e: e.name)
    except FileNotFoundError:
        return
    except OSError:
        skipped.append(folder)
        return
    yield from ((entry, number == len(found)) for number, entry in enumerate(found, 1))


def _kind(entry: os.DirEntry[str]) -> tuple[str, str | None]:
    try:
        if entry.is_symlink():
            return "link", os.readlink(entry.path)
        if entry.is_dir(follow_symlinks=False):
            return "folder", None
        return "file" if entry.is_file(follow_symlinks=False) else "other", None
    except OSError:
        return "other", None
