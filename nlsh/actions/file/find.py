"""file.find: what is below a folder, by name, kind, size, age, owner and content."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nlsh.actions.file import _search
from nlsh.plan.action import Action, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.plan.values import Choice
from nlsh.world import World
from nlsh.world.files import record

if TYPE_CHECKING:
    import os

_TREE = {
    "Downloads/film.mkv": {"size": "700MB", "age": "40d"},
    "Downloads/paper.pdf": {"text": "On shells", "age": "2d"},
    "Downloads/old/scan.PDF": {"text": "scanned", "age": "90d"},
    "Downloads/notes.txt": {"text": "buy milk", "age": "1d"},
    "Downloads/empty.log": "",
    "Downloads/.hidden.pdf": "secret",
    "Pictures/cat.jpg": "cat",
}


class Find(Action):
    """Find files and folders, everywhere below a folder."""

    name = "file.find"
    effects = ("fs.read",)

    class Args(_search.SearchArgs):
        sort = arg(Choice("name", "largest", "smallest", "newest", "oldest"), "In which order.")
        limit = arg(Count(), "At most this many.", common=("1",))

    def look(self, args: Any, world: World) -> Any:
        return _search.look(args, world)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _search.reads(seen)

    def is_ordered(self, args: Any) -> bool:
        return args.sort is not None

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        wanted = _search.wanted(args, seen)
        found: Iterator[tuple[str, os.stat_result]] = (hit for root in seen["roots"] for hit in wanted.below(root))
        if args.sort:
            from nlsh.actions.file._order import ordered

            found = ordered(found, args.sort, args.limit)
        elif args.limit:
            from itertools import islice

            found = islice(found, args.limit)
        nothing, is_hidden = True, False
        for path, status in found:
            nothing = False
            is_hidden = is_hidden or (seen["hidden"] and "/." in path)
            yield record(path, status)
        if is_hidden and not args.hidden:
            yield Note("Hidden files and folders were looked into, too: much of what takes room is there.")
        yield from _search.notes(seen, wanted, of_hidden=nothing or args.larger is not None or args.sort == "largest")

    examples = (
        Example(
            say=("find pdfs in my downloads folder", "are there any pdf files under Downloads?", "which pdfs do I have in downloads", "下载文件夹里有哪些pdf"),
            plan='file.find(under="downloads", kind="pdfs")',
            given=_TREE,
            result=("Downloads/paper.pdf", "Downloads/old/scan.PDF"),
        ),
        Example(
            say=(
                "find files larger than 100MB that I haven't touched for a month",
                "anything over 100MB and older than 30 days in here?",
                "找出30天没动过的超过100MB的文件",
            ),
            plan='file.find(larger="100MB", older="30d")',
            given=_TREE,
            result=("Downloads/film.mkv",),
        ),
        Example(
            say=("what's the biggest file in Downloads", "show the largest file under Downloads", "Downloads里最大的文件是哪个"),
            plan='file.find(under="Downloads", sort="largest", limit="1")',
            given=_TREE,
            result=("Downloads/film.mkv",),
        ),
        Example(
            say=(
                "which files in Downloads changed in the last 3 days",
                "recently changed files in Downloads, last three days",
                "Downloads里最近三天改过的文件",
            ),
            plan='file.find(under="Downloads", newer="3 days", sort="newest")',
            given=_TREE,
            result=("Downloads/empty.log", "Downloads/notes.txt", "Downloads/paper.pdf"),
        ),
        Example(
            say=("find notes.txt", "where is notes.txt", "locate the file notes.txt for me", "notes.txt在哪里"),
            plan='file.find(named="notes.txt")',
            given=_TREE,
            result=("Downloads/notes.txt",),
        ),
        Example(
            say=("which files in here mention milk", "find every file that contains milk", "哪些文件里写了milk"),
            plan='file.find(containing="milk")',
            given=_TREE,
            result=("Downloads/notes.txt",),
        ),
        Example(
            say=("find empty folders", "list directories with nothing in them", "找出空文件夹"),
            plan='file.find(type="folder", empty=true)',
            given={"full/a.txt": "a", "bare": None, "full/also bare": None},
            result=("bare", "full/also bare"),
        ),
        Example(
            say=("find hidden pdfs too in Downloads", "all pdf files in Downloads including hidden ones", "包括隐藏文件，找Downloads里的pdf"),
            plan='file.find(under="Downloads", kind="pdf", hidden=true)',
            given=_TREE,
            result=("Downloads/.hidden.pdf", "Downloads/paper.pdf", "Downloads/old/scan.PDF"),
        ),
        Example(
            say=("find broken links in here", "which symlinks lead nowhere?", "dangling links under this folder", "找出失效的链接"),
            plan='file.find(type="broken link")',
            given={"a.txt": "a", "good": {"link": "a.txt"}, "bad": {"link": "gone.txt"}, "sub/round": {"link": "round"}},
            result=("bad", "sub/round"),
        ),
        Example(
            say=(r"find files whose names match ^IMG_\d+\.jpg$", r"files matching the regex ^IMG_\d+\.jpg$", r"找出名字符合正则^IMG_\d+\.jpg$的文件"),
            plan=r'file.find(regex="^IMG_\\d+\\.jpg$")',
            given={"IMG_12.jpg": "1", "IMG_x.jpg": "2", "pics/IMG_7.jpg": "3", "my IMG_7.jpg": "4"},
            result=("IMG_12.jpg", "pics/IMG_7.jpg"),
        ),
        Example(
            say=("which files here are executable", "find executable files", "找出可执行的文件"),
            plan='file.find(mode="executable")',
            given={"run.sh": {"text": "#!/bin/sh", "mode": "700"}, "notes.txt": "n", "bin/tool": {"text": "t", "mode": "755"}},
            result=("run.sh", "bin/tool"),
        ),
        Example(
            say=("find files with mode 600", "which files here have permissions 600", "权限是600的文件"),
            plan='file.find(mode="600")',
            given={"key.txt": {"text": "k", "mode": "600"}, "open.txt": "o"},
            result=("key.txt",),
        ),
        Example(
            say=("which files in Downloads have I not opened for 30 days", "files in Downloads nobody opened in 30 days", "Downloads里30天没打开过的文件"),
            plan='file.find(under="Downloads", unused="30 days")',
            given=_TREE,
            result=("Downloads/film.mkv", "Downloads/old/scan.PDF"),
        ),
        Example(
            say=(
                "pdfs directly in Downloads, not in its subfolders",
                "find pdfs in Downloads without going into subfolders",
                "只找Downloads这一层的pdf，不进子文件夹",
            ),
            plan='file.find(under="Downloads", kind="pdfs", depth="1")',
            given=_TREE,
            result=("Downloads/paper.pdf",),
        ),
        Example(
            say=("find txt files here, at most 2 levels deep", "txt files no deeper than 2 folders", "最多两层深，找txt文件"),
            plan='file.find(kind="txt", depth="2")',
            given={"a.txt": "a", "one/b.txt": "b", "one/two/c.txt": "c"},
            result=("a.txt", "one/b.txt"),
        ),
        Example(
            say=("find pdfs in the attic folder", "any pdf files under attic?", "attic文件夹里有没有pdf"),
            plan='file.find(under="attic", kind="pdfs")',
            given={"a.pdf": "a"},
            refused="world.not-found",
        ),
    )
