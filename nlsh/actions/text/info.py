"""text.info: which encoding, line endings and language a text file has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Record
from nlsh.plan.records.text import TextInfo
from nlsh.plan.values import Paths
from nlsh.world import World

# What is read of a file to judge its line endings; its encoding and language are judged by less.
_MOST_BYTES = 64 << 20


class Info(Action):
    """Say which encoding, line endings and language a text file has."""

    name = "text.info"
    effects = ("fs.read",)

    class Args(BaseArgs):
        paths = arg(Paths(), "The text files.", required=True)

    def look(self, args: Any, world: World) -> Any:
        return {"paths": list(_text.several(args.paths, world))}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen["paths"])

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world import texts

        failed = []
        for path in seen["paths"]:
            try:
                start = texts.sample(path)
                encoding = texts.encoding_or_refuse(path, start)
                endings = texts.kind_of_endings(texts.line_endings(path, _MOST_BYTES))
            except NotPossible as error:
                if len(seen["paths"]) == 1:
                    raise
                failed.append(error)
                continue
            yield TextInfo(path, encoding, endings, texts.language_of(start.decode(encoding, "replace")))
        yield from _text.left_out(failed)

    examples = (
        Example(
            say=("what encoding is letter.txt", "which line endings does letter.txt have", "what language is letter.txt written in", "letter.txt是什么编码"),
            plan='text.info("letter.txt")',
            given={"letter.txt": "The café and the tea are not on the list, but that is as it was.\r\n"},
            result=("letter.txt",),
        ),
        Example(
            say=("encodings of all the txt files", "所有txt文件的编码"),
            plan='text.info("*.txt")',
            given={"a.txt": "a\n", "b.txt": "姓名".encode("gb18030")},
            result=("a.txt", "b.txt"),
        ),
        Example(
            say=("which encoding has photo.jpg", "photo.jpg的编码"),
            plan='text.info("photo.jpg")',
            given={"photo.jpg": b"\x00\x01"},
            refused="world.not-possible",
        ),
    )
