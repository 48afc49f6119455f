"""file.recent: the files that were opened or changed last."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _search
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.plan.records.files import RecentFile
from nlsh.plan.values import Kind
from nlsh.world import World
from nlsh.world.files import Wanted

_GIVEN = {
    "letter.odt": {"text": "l", "age": "3d"},
    "Documents/report.pdf": {"text": "r", "age": "1d"},
    "Documents/plan.txt": {"text": "p", "age": "2d"},
    ".cache/thumb.png": {"text": "t", "age": "1h"},
}


class Recent(Action):
    """List the files that were opened or changed last."""

    name = "file.recent"
    effects = ("fs.read",)

    class Args(BaseArgs):
        limit = arg(Count(), "At most this many.", default=20, common=("1",))
        kind = arg(Kind(), "Only files of this kind.")

    def look(self, args: Any, world: World) -> Any:
        from nlsh.world.recent import list_path

        listed = list_path(world.home)
        return {"home": os.path.realpath(world.home), "list": os.path.realpath(listed) if os.path.isfile(listed) else None}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return tuple(Effect("fs.read", p) for p in (seen["home"], seen["list"]) if p)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.recent import opened

        endings = _search.endings(args.kind)
        visited: dict[str, float] = {}
        if seen["list"]:
            try:
                for path, at in opened(seen["list"]):
                    if (not endings or path.lower().endswith(endings)) and os.path.isfile(path):
                        visited[path] = max(at, visited.get(path, 0.0))
            except (OSError, ValueError) as error:
                yield Note(f"The desktop's list of recently used files was left out: {getattr(error, 'strerror', None) or error}.")
        wanted = Wanted(type="file", endings=args.kind or ())
        changed = ((status.st_mtime, path, "changed") for path, status in wanted.below(seen["home"]) if visited.get(path, 0.0) < status.st_mtime)
        newest = heapq.nlargest(args.limit, changed)
        told = {path for _, path, _ in newest}
        for at, path, what in heapq.nlargest(args.limit, [*newest, *((at, path, "opened") for path, at in visited.items() if path not in told)]):
            yield RecentFile(path, at, what)
        yield from _search.left_out(wanted.skipped)

    examples = (
        Example(
            say=("which files did I use last", "my recent files", "what have I been working on lately?", "我最近用过哪些文件"),
            plan="file.recent()",
            given=_GIVEN,
            result=("Documents/report.pdf", "Documents/plan.txt", "letter.odt"),
        ),
        Example(
            say=("show the last 2 files I changed", "the two most recent files", "最近的两个文件"),
            plan='file.recent(limit="2")',
            given=_GIVEN,
            result=("Documents/report.pdf", "Documents/plan.txt"),
        ),
        Example(
            say=("my recent pdfs", "which pdf files did I open lately", "最近打开的pdf"),
            plan='file.recent(kind="pdfs")',
            given={
                **_GIVEN,
                "old/book.pdf": {"text": "b", "age": "90d"},
                ".local/share/recently-used.xbel": (
                    '<?xml version="1.0" encoding="UTF-8"?><xbel version="1.0">'
                    '<bookmark href="file:///nowhere/gone.pdf" added="2030-01-01T00:00:00Z" modified="2030-01-01T00:00:00Z" visited="2030-01-01T00:00:00Z"/>'
                    "</xbel>"
                ),
            },
            result=("Documents/report.pdf", "old/book.pdf"),
        ),
    )
