"""text.encoding: write text files in another character encoding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import ENCODINGS, Among
from nlsh.plan.values import Paths
from nlsh.steps.content import kept
from nlsh.steps.texts import ConvertEncoding
from nlsh.world import World, texts

_NAMES = "张三\n李四\n"


class Encoding(Action):
    """Convert the character encoding of text files."""

    name = "text.encoding"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "The text files.", required=True)
        to = arg(Among(ENCODINGS), "UTF-8, GBK, Latin-1, UTF-16, …", required=True)

    def look(self, args: Any, world: World) -> Any:
        """Leave out what is in that encoding already. What it is in now is judged by its beginning, and said in the preview."""
        found: list[ConvertEncoding] = []
        taken: set[str] = set()
        paths = _text.several(args.paths, world)
        for path in paths:
            old = texts.encoding_or_refuse(path, texts.sample(path))
            # Plain ASCII is the same in all but these.
            if old != args.to and not (old == "ascii" and args.to not in ("utf-16", "utf-8-sig")):
                found.append(ConvertEncoding(old="utf-8" if old == "ascii" else old, to=args.to, **kept(path, world, taken)))
        if not found:
            what = f"{paths[0]} is" if len(paths) == 1 else "They are all"
            raise Refused(f"{what} in {args.to} already.", hint="Nothing was changed.")
        return tuple(found)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("convert names.txt to utf-8", "names.txt should be in UTF-8", "change the encoding of names.txt to utf8", "把names.txt转成utf-8编码"),
            plan='text.encoding("names.txt", to="utf-8")',
            given={"names.txt": _NAMES.encode("gb18030")},
            after={"names.txt": _NAMES},
        ),
        Example(
            say=("convert names.txt to gbk", "save names.txt as GBK", "把names.txt转成gbk"),
            plan='text.encoding("names.txt", to="gbk")',
            given={"names.txt": _NAMES},
            after={"names.txt": _NAMES.encode("gb18030")},
        ),
        Example(
            say=("turn letter.txt into utf-16", "re-encode letter.txt as utf-16", "把letter.txt改成utf-16"),
            plan='text.encoding("letter.txt", to="utf-16")',
            given={"letter.txt": "hi\n"},
            after={"letter.txt": "hi\n".encode("utf-16")},
        ),
        Example(
            say=("convert plain.txt to utf8", "plain.txt转成utf8"),
            plan='text.encoding("plain.txt", to="utf8")',
            given={"plain.txt": "é"},
            refused="action.refused",
        ),
    )
