"""text.search: the lines that hold a text."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from nlsh.actions.file import _search
from nlsh.plan.action import BaseArgs, Example, arg
from nlsh.plan.errors import BadArgument
from nlsh.plan.records import Match, Record
from nlsh.plan.values import Flag, Kind, Paths, Text
from nlsh.steps import handles
from nlsh.world import World
from nlsh.world.files import walk

if TYPE_CHECKING:
    from nlsh.world.documents import Reader

# What finds lines in a file, given its path and whether its name is that of a document; and in the lines of a document.
_InFile = Callable[[str, bool], Iterable[tuple[int, str]]]
_InLines = Callable[[Iterable[str]], Iterable[tuple[int, str]]]

_TREE = {
    "src/main.py": "import os\n# TODO tidy\nprint(os.name)\n",
    "src/deep/util.py": "x = 1  # todo later\n",
    "notes.md": "TODO: ring mum\n",
    "image.bin": b"\x00TODO\x00",
    ".cache/x": "TODO hidden\n",
}


class Search(_search.Below):
    """Find the lines in which a text stands, everywhere below a folder or in files."""

    name = "text.search"

    class Args(BaseArgs):
        text = arg(Text(), "The text, taken literally.")
        under = arg(Paths(), "Files, or folders with all below them.", default=(".",))
        kind = arg(Kind(), "Only in files of this kind.")
        ignore_case = arg(Flag(), "Capitals and small letters are the same.", default=False)
        hidden = arg(Flag(), "Also names that start with a dot, and what is below them.", default=False)
        regex = arg(Text(), "A regular expression that a part of the line must match, instead of the text.")
        need_one_of = ("text", "regex")

    def look(self, args: Any, world: World) -> Any:
        if args.regex:
            from nlsh.world.patterns import compiled

            if args.text:
                raise BadArgument("text.search takes a text or a regular expression, not both.", hint="Say one of them.")
            compiled(args.regex)
        return super().look(args, world)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.contents import Sought, fitting, lines_that, matching_lines, means_any_case

        if args.regex:
            from nlsh.world.patterns import bounded, compiled

            with bounded(compiled(args.regex, re.IGNORECASE if args.ignore_case else 0)) as fits:
                yield from self._found(args, seen, lambda path, document: lines_that(path, fits, document=document), lambda lines: fitting(lines, fits))
            return
        # As for names: without a capital, any case is meant.
        any_case = args.ignore_case or means_any_case(args.text)
        sought = Sought.of(args.text, ignore_case=any_case)

        def in_document(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
            from nlsh.world.documents import Phrase

            return Phrase(args.text, ignore_case=any_case).lines_of(lines)

        yield from self._found(args, seen, lambda path, document: matching_lines(path, sought, document=document), in_document)

    def _found(self, args: Any, seen: Any, in_file: _InFile, in_lines: _InLines) -> Iterator[Record]:
        from nlsh.world.contents import READ_ENDINGS, SHOWN, Packed, is_document

        endings = _search.endings(args.kind)
        skipped: list[str] = []
        unread: Counter[str] = Counter()
        reader: Reader | None = None
        # To read documents takes long: it is done where they are asked for, and not in every search through all there is.
        asked = any(e in READ_ENDINGS for e in endings)
        meter = handles.Meter(unit="files")
        for root in seen["roots"]:
            named = asked or not os.path.isdir(root)
            for path in _files(root, args.hidden, endings, skipped):
                try:
                    for number, text in in_file(path, is_document(path)):
                        yield Match(path, number, text)
                except Packed:
                    if not named:
                        unread[os.path.splitext(path)[1].lower()] += 1
                        continue
                    if reader is None:
                        from nlsh.world.documents import Reader

                        reader = Reader(unread, asked=True, opening=handles.checkpoint)
                    try:
                        for number, text in in_lines(reader.lines(path)):
                            yield Match(path, number, text[:SHOWN])
                    except OSError:
                        skipped.append(path)
                except FileNotFoundError:
                    continue  # vanished meanwhile
                except OSError:
                    skipped.append(path)
                meter.came()
        yield from _search.left_out(skipped)
        yield from _search.unopened(unread, asked=asked or reader is not None)

    examples = (
        Example(
            say=("search for TODO in here", "grep TODO", "which lines say TODO", "在这里搜索TODO"),
            plan='text.search("TODO")',
            given=_TREE,
            result=("notes.md", "src/main.py"),
        ),
        Example(
            say=(
                "find todo in the python files under src, upper or lower case",
                "case-insensitive search for todo in src's python files",
                "在src的python文件里搜todo，忽略大小写",
            ),
            plan='text.search("todo", kind="python files", under="src", ignore_case=true)',
            given=_TREE,
            result=("src/main.py", "src/deep/util.py"),
        ),
        Example(
            say=("where does notes.md mention mum", "look for mum in notes.md", "在notes.md里找mum"),
            plan='text.search("mum", under="notes.md")',
            given=_TREE,
            result=("notes.md",),
        ),
        Example(
            say=(
                r"which lines here match the regex ^TODO:?\s",
                r"grep -E '^TODO:?\s'",
                r"search the files with the regular expression ^TODO:?\s",
                r"用正则^TODO:?\s搜索这里的文件内容",
            ),
            plan=r'text.search(regex="^TODO:?\\s")',
            given=_TREE,
            result=("notes.md",),
        ),
        Example(
            say=(r"lines in src matching todo|import, any case", r"在src里用正则搜todo|import，不分大小写"),
            plan='text.search(regex="todo|IMPORT", under="src", ignore_case=true)',
            given=_TREE,
            result=("src/main.py", "src/main.py", "src/deep/util.py"),
        ),
        Example(
            say=("search for TODO in the attic folder", "grep TODO in attic", "在attic里搜索TODO"),
            plan='text.search("TODO", under="attic")',
            given=_TREE,
            refused="world.not-found",
        ),
    )


def _files(root: str, hidden: bool, endings: tuple[str, ...], skipped: list[str]) -> Iterator[str]:
    if not os.path.isdir(root):
        yield root
        return
    for entry in walk(root, hidden=hidden, skipped=skipped):
        if endings and not entry.name.lower().endswith(endings):
            continue
        try:
            if entry.is_file(follow_symlinks=False):
                yield entry.path
        except OSError:
            continue
