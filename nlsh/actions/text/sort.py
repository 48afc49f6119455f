"""text.sort: the lines of a file in order; the file stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Line, Record
from nlsh.plan.values import Flag, Path
from nlsh.steps import handles
from nlsh.world import World


class Sort(Action):
    """Show the lines of a file in order."""

    name = "text.sort"
    effects = ("fs.read",)

    class Args(BaseArgs):
        path = arg(Path(), "The text file.", required=True)
        reverse = arg(Flag(), "The last one first.", default=False)
        numeric = arg(Flag(), "By the first number in each line, not by letters.", default=False)

    def look(self, args: Any, world: World) -> Any:
        seen = _text.one(args.path, world)
        _text.refuse_unsortable(seen["path"])
        return seen

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen.values())

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.texts import lines

        found = list(enumerate(lines(seen["path"], handles.progress_in_bytes), start=1))
        if args.numeric:
            numbered = [(value, number, text) for number, text in found if (value := _first_number(text)) is not None]
            numbered.sort(key=lambda item: item[0], reverse=args.reverse)
            without = {number for _, number, _ in numbered}
            # Lines without a number have no place in the order: they come last, as they stand.
            ordered = [(number, text) for _, number, text in numbered] + [item for item in found if item[0] not in without]
        else:
            ordered = sorted(found, key=lambda item: (item[1].casefold(), item[1]), reverse=args.reverse)
        for number, text in ordered:
            yield Line(text, number)

    examples = (
        Example(
            say=("sort names.txt", "show the lines of names.txt in alphabetical order", "names.txt sorted", "把names.txt按字母排序显示"),
            plan='text.sort("names.txt")',
            given={"names.txt": "bob\nAlice\ncarol\n"},
            result=("Alice", "bob", "carol"),
        ),
        Example(
            say=("sort names.txt backwards", "names.txt from z to a", "倒序排列names.txt的行"),
            plan='text.sort("names.txt", reverse=true)',
            given={"names.txt": "bob\nAlice\ncarol\n"},
            result=("carol", "bob", "Alice"),
        ),
        Example(
            say=("sort sizes.txt by number", "order the lines of sizes.txt numerically", "把sizes.txt按数字排序"),
            plan='text.sort("sizes.txt", numeric=true)',
            given={"sizes.txt": "10 b\n9 a\nnone\n-1.5 c\n"},
            result=("-1.5 c", "9 a", "10 b", "none"),
        ),
        Example(say=("sort the lines of missing.txt", "对missing.txt排序"), plan='text.sort("missing.txt")', given={"a": "a"}, refused="world.not-found"),
    )


# A number by itself goes before digits in a word: of “v2 10 MB” it is 10, of “img10.png”, which holds nothing else, 10 as well.
_NUMBERS = (re.compile(r"(?<![\w.])-?(?:\d{1,300}(?:\.\d{1,300})?|\.\d{1,300})"), re.compile(r"\d{1,300}(?:\.\d{1,300})?"))


def _first_number(text: str) -> Decimal | None:
    """Return the number as it is written: a float would take long ones for the same."""
    found = next((f for pattern in _NUMBERS if (f := pattern.search(text))), None)
    return Decimal(found[0]) if found else None
