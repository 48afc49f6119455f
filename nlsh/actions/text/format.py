"""text.format: lay out JSON, YAML or XML files neatly, with the same data in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible
from nlsh.plan.steps import Step
from nlsh.plan.values import Paths
from nlsh.steps.content import kept
from nlsh.steps.texts import LayOut
from nlsh.world import World, data, texts

# YAML is laid out by a slower way, which knows where in the text it is.
_MOST_BYTES = {"json": data.MOST_BYTES, "yaml": 2 << 20, "xml": 8 << 20}


class Format(Action):
    """Lay out JSON, YAML or XML files neatly."""

    name = "text.format"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "The files.", required=True)

    def look(self, args: Any, world: World) -> Any:
        found: list[LayOut] = []
        taken: set[str] = set()
        for path in _text.several(args.paths, world):
            format = data.format_of(path, texts.sample(path, 100))
            if format not in _MOST_BYTES:
                raise NotPossible(f"{path} is not JSON, YAML or XML.", hint="Nothing was changed. Those are the formats that nlsh can lay out.")
            if (size := os.stat(path).st_size) > _MOST_BYTES[format]:
                raise NotPossible(
                    f"{path} has {size >> 20} MB; {format.upper()} of up to {_MOST_BYTES[format] >> 20} MB can be laid out.", hint="Nothing was changed."
                )
            found.append(LayOut(format=format, **kept(path, world, taken)))
        return tuple(found)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("format data.json", "pretty-print data.json in place", "tidy up the layout of data.json", "把data.json格式化"),
            plan='text.format("data.json")',
            given={"data.json": '{"name":"张三","price":1.10,"tags":[],"big":12345678901234567890}'},
            after={"data.json": '{\n  "name": "张三",\n  "price": 1.10,\n  "tags": [],\n  "big": 12345678901234567890\n}\n'},
        ),
        Example(
            say=("format menu.xml and list.yaml", "lay out menu.xml and list.yaml neatly", "格式化menu.xml和list.yaml"),
            plan='text.format(["menu.xml", "list.yaml"])',
            given={"menu.xml": "<menu><item n='1'>tea</item><!-- more --><item/></menu>", "list.yaml": "a:    1\nb:\n      - 'x'\n"},
            after={"menu.xml": '<menu>\n  <item n="1">tea</item>\n  <!-- more -->\n  <item/>\n</menu>\n', "list.yaml": "a: 1\nb:\n- 'x'\n"},
        ),
        Example(say=("format notes.txt", "格式化notes.txt"), plan='text.format("notes.txt")', given={"notes.txt": "hi"}, refused="world.not-possible"),
    )
