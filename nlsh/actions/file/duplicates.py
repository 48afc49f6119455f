"""file.duplicates: files that have the content of another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _search
from nlsh.plan.action import BaseArgs, Example, arg
from nlsh.plan.amounts import Bytes
from nlsh.plan.records import Record
from nlsh.plan.records.files import Duplicate
from nlsh.plan.values import Kind, Paths
from nlsh.steps import handles
from nlsh.world import World

_GIVEN = {
    "Pictures/cat.jpg": {"text": "meow", "age": "9d"},
    "Pictures/copy of cat.jpg": {"text": "meow", "age": "2d"},
    "Pictures/2023/kitten.JPG": {"text": "meow", "age": "1d"},
    "Pictures/dog.jpg": "woof",
    "Pictures/empty.jpg": "",
    "Pictures/also empty.jpg": "",
    "notes.txt": {"text": "buy milk", "age": "5d"},
    "Pictures/notes.txt": {"text": "buy milk", "age": "4d"},
}


class Duplicates(_search.Below):
    """Find files with the same content."""

    name = "file.duplicates"

    class Args(BaseArgs):
        under = arg(Paths(), "The folders to search, with all below them.", default=(".",), common=("~", "/"))
        kind = arg(Kind(), "Only files of this kind.")
        larger = arg(Bytes(), "Only files larger than this.")

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.sameness import Duplicates as Search

        search = Search(handles.progress_in_bytes, looked=handles.Meter(unit="folders").came)
        endings = _search.endings(args.kind)
        for size, (first, *others) in search.groups(seen["roots"], endings=endings, larger=args.larger or 0):
            # The oldest is not among what is found: a later call that throws these away leaves one of each.
            for path in others:
                yield Duplicate(path, first, size)
        yield from _search.left_out(search.skipped)

    examples = (
        Example(
            say=("find duplicate files in here", "which files here are there twice?", "look for duplicates", "找出这里的重复文件"),
            plan="file.duplicates()",
            given=_GIVEN,
            result=("Pictures/notes.txt", "Pictures/copy of cat.jpg", "Pictures/2023/kitten.JPG"),
        ),
        Example(
            say=("are there duplicate photos under Pictures", "find identical images in Pictures", "Pictures里有没有重复的照片"),
            plan='file.duplicates(under="Pictures", kind="photos")',
            given=_GIVEN,
            result=("Pictures/copy of cat.jpg", "Pictures/2023/kitten.JPG"),
        ),
        Example(
            say=("duplicates larger than 5 bytes here", "find files over 5 bytes that exist more than once", "找出大于5字节的重复文件"),
            plan='file.duplicates(larger="5B")',
            given=_GIVEN,
            result=("Pictures/notes.txt",),
        ),
        Example(
            say=("duplicates in the attic folder", "find duplicate files under attic", "attic里的重复文件"),
            plan='file.duplicates(under="attic")',
            given=_GIVEN,
            refused="world.not-found",
        ),
    )
