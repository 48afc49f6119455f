"""text.unique: the lines of a file without repeats; the file stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Line, Note, Record
from nlsh.plan.values import Path
from nlsh.steps import handles
from nlsh.world import World


class Unique(Action):
    """Show the lines of a file, each only once."""

    name = "text.unique"
    effects = ("fs.read",)

    class Args(BaseArgs):
        path = arg(Path(or_lines=True), "The text file.", required=True)

    def look(self, args: Any, world: World) -> Any:
        return _text.one(args.path, world)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen.values())

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.texts import lines

        # Of each line a hash is kept, not the line: a hundred bytes for each different one, however long.
        known: set[bytes] = set()
        number = 0
        for number, text in enumerate(lines(seen["path"], handles.progress_in_bytes), start=1):
            mark = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            if mark not in known:
                known.add(mark)
                yield Line(text, number)
        if again := number - len(known):
            yield Note(f"{again:,} repeated line{' is' if again == 1 else 's are'} not shown.")
        if number:
            yield from _text.stays(seen["path"])

    examples = (
        Example(
            say=(
                "show the unique lines of list.txt",
                "list.txt without duplicate lines",
                "each line of list.txt only once",
                "显示list.txt里不重复的行",
                "list.txt去重",
            ),
            plan='text.unique("list.txt")',
            given={"list.txt": "b\na\nb\n\na\n\n"},
            result=("b", "a", ""),
        ),
        Example(
            say=("distinct lines in 名单.txt", "名单.txt去掉重复的行"),
            plan='text.unique("名单.txt")',
            given={"名单.txt": "张三\n李四\n张三\n".encode("gb18030")},
            result=("张三", "李四"),
        ),
        Example(
            say=("unique lines of program.bin", "program.bin里不重复的行"),
            plan='text.unique("program.bin")',
            given={"program.bin": b"\x7fELF\x00\x01"},
            refused="world.not-possible",
        ),
    )
