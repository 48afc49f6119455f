"""text.replace: one text in place of another, in files or everywhere below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _search
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotFound, NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Flag, Kind, Paths, Text
from nlsh.steps.content import kept
from nlsh.steps.texts import ReplaceText
from nlsh.world import World
from nlsh.world.contents import blocks, looks_binary, open_text
from nlsh.world.files import walk
from nlsh.world.replacing import Replacer

_UNCHANGED = "Nothing was changed."
# What a preview reads to count: more than this must be named file by file, and is then counted while it is done.
_MOST_BYTES = 64 << 20
_MOST_FILES = 20_000


class Replace(Action):
    """Replace a text in files."""

    name = "text.replace"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        text = arg(Text(), "The text, taken literally.", required=True)
        by = arg(Text(), "What to put instead.", required=True)
        under = arg(Paths(), "Files, or folders with all below them, hidden ones left out.", required=True)
        kind = arg(Kind(), "Only in files of this kind.")
        ignore_case = arg(Flag(), "Capitals and small letters are the same.", default=False)

    def look(self, args: Any, world: World) -> Any:
        if args.text == args.by:
            raise Refused("Both texts are the same.", hint=_UNCHANGED)
        endings = _search.endings(args.kind)
        found: list[ReplaceText] = []
        taken: set[str] = set()
        left = [_MOST_BYTES, _MOST_FILES]
        for root in _search.roots(args.under, world):
            alone = not os.path.isdir(root)
            for path in (root,) if alone else _files(root, endings):
                if (counted := _counted(path, args, left, alone=alone)) is not None:
                    fields = {"text": args.text, "by": args.by, "ignore_case": args.ignore_case, "count": counted[0], "shown": counted[1], "inside": counted[2]}
                    found.append(ReplaceText(**fields, **kept(path, world, taken)))
        if not found:
            raise NotFound(f"“{args.text}” does not stand in {', '.join(args.under)}.", hint=f"{_UNCHANGED} text.search looks for it elsewhere.")
        return tuple(found)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=(
                "replace colour with color in essay.txt",
                "change every colour to color in essay.txt",
                "swap colour for color in essay.txt",
                "把essay.txt里的colour都换成color",
            ),
            plan='text.replace("colour", by="color", under="essay.txt")',
            given={"essay.txt": "my colour\nno\nyour colour, their colour\n"},
            after={"essay.txt": "my color\nno\nyour color, their color\n"},
        ),
        Example(
            say=(
                "in the src folder, replace old_name by new_name in the python files",
                "rename old_name to new_name in all python files under src",
                "把src里所有python文件中的old_name替换成new_name",
            ),
            plan='text.replace("old_name", by="new_name", kind="python files", under="src")',
            given={"src/a.py": "old_name = 1\n", "src/deep/b.py": "print(old_name)\n", "src/c.txt": "old_name\n", "src/d.py": "nothing\n"},
            after={"src/a.py": "new_name = 1\n", "src/deep/b.py": "print(new_name)\n", "src/c.txt": "old_name\n", "src/d.py": "nothing\n"},
        ),
        Example(
            say=(
                "replace localhost by example.org everywhere in conf, whatever the case",
                "in conf turn localhost into example.org ignoring case",
                "把conf里的localhost都改成example.org，不分大小写",
            ),
            plan='text.replace("localhost", by="example.org", under="conf", ignore_case=true)',
            given={"conf/a.ini": {"text": "host=LocalHost\n", "mode": "600"}, "conf/b.bin": b"\x00localhost"},
            after={"conf/a.ini": {"text": "host=example.org\n", "mode": "600"}, "conf/b.bin": b"\x00localhost"},
        ),
        Example(
            say=("replace foo with bar in notes.txt", "put bar instead of foo in notes.txt", "把notes.txt里的foo换成bar"),
            plan='text.replace("foo", by="bar", under="notes.txt")',
            given={"notes.txt": "nothing here\n"},
            refused="world.not-found",
        ),
        Example(
            say=("replace a with b in photo.jpg", "swap a for b in photo.jpg", "把photo.jpg里的a替换成b"),
            plan='text.replace("a", by="b", under="photo.jpg")',
            given={"photo.jpg": b"\xff\xd8\x00a"},
            refused="world.not-possible",
        ),
    )


def _files(root: str, endings: tuple[str, ...]) -> Iterator[str]:
    for entry in walk(root, hidden=False, skipped=[]):
        if endings and not entry.name.lower().endswith(endings):
            continue
        try:
            if entry.is_file(follow_symlinks=False):
                yield entry.path
        except OSError:
            continue


def _counted(path: str, args: Any, left: list[int], *, alone: bool) -> tuple[int, tuple[str, ...], int] | None:
    """Return how often the text stands in a file, with a few lines, and how often inside a longer word; None where it does not stand there.

    -1 is for a file too large to be counted. `left` is how many bytes and files may still be read. Raises NotPossible and Refused for a file named
    alone (`alone`) that cannot be changed.
    """
    replacer = Replacer(args.text, args.by, ignore_case=args.ignore_case)
    try:
        descriptor = open_text(path)
    except OSError as error:
        if alone:
            raise NotPossible(f"{path} cannot be read: {error.strerror}.", hint=f"{_UNCHANGED} See who may read it with file.info.") from error
        return None
    try:
        size = os.fstat(descriptor).st_size
        left[0], left[1] = left[0] - size, left[1] - 1
        if min(left) < 0:
            if alone:
                return -1, (), 0
            raise NotPossible(
                f"There is too much below that folder to count it first: more than {_MOST_FILES:,} files or {_MOST_BYTES >> 20} MB.",
                hint=f"{_UNCHANGED} Say a kind of file or a smaller folder, or name the files.",
            )
        first = True
        for block in blocks(descriptor):
            if first and looks_binary(block[:8192]):
                if alone:
                    raise NotPossible(f"{path} is not a text file: it holds zero bytes.", hint=f"{_UNCHANGED} Name a text file.")
                return None
            first = False
            replacer.feed(block)
        replacer.finish()
    finally:
        os.close(descriptor)
    if replacer.unsafe:
        raise Refused(replacer.why_unsafe(path), hint=f"{_UNCHANGED} Convert it with text.encoding first, or leave it out.")
    return (replacer.count, tuple(replacer.samples), replacer.inside) if replacer.count else None
