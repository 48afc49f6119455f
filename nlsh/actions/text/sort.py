"""text.sort: the lines of a file in order; the file stays as it is."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

from nlsh.actions.text import _text
from nlsh.actions.text._order import by_sound, has_rare, order_in
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Line, Note, Record
from nlsh.plan.values import Flag, Path
from nlsh.steps import handles
from nlsh.world import World


class Sort(Action):
    """Show the lines of a file in order."""

    name = "text.sort"
    effects = ("fs.read",)

    class Args(BaseArgs):
        path = arg(Path(or_lines=True), "The text file.", required=True)
        reverse = arg(Flag(), "The last one first.", default=False)
        numeric = arg(Flag(), "By the first number in each line, not by letters.", default=False)

    def look(self, args: Any, world: World) -> Any:
        seen = _text.one(args.path, world)
        _text.refuse_unsortable(seen["path"])
        return seen

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen.values())

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        """Yield the lines in order; Chinese ones by the sound of their characters."""
        from nlsh.world.texts import lines

        found = list(enumerate(lines(seen["path"], handles.progress_in_bytes), start=1))
        rare = False
        if args.numeric:
            read = _reader(_text.name_of(seen["path"]), [text for _, text in found[:20]])
            numbered = [(value, number, text) for number, text in found if (value := read(text)) is not None]
            numbered.sort(key=lambda item: item[0], reverse=args.reverse)
            without = {number for _, number, _ in numbered}
            # Lines without a number have no place in the order: they come last, as they stand.
            ordered = [(number, text) for _, number, text in numbered] + [item for item in found if item[0] not in without]
        else:
            order = order_in([text for _, text in found])
            ordered = sorted(found, key=lambda item: (order(item[1]), item[1]), reverse=args.reverse)
            rare = order is by_sound and any(has_rare(text) for _, text in found)
        for number, text in ordered:
            yield Line(text, number)
        if rare:
            yield Note("Common Chinese characters are in the order of their sound (pinyin); rare and traditional ones stand behind them.")
        if found:
            yield from _text.stays(seen["path"])

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
        Example(
            say=("sort names.txt by pinyin", "names.txt按拼音排序", "把花名册names.txt按音序排"),
            plan='text.sort("names.txt")',
            given={"names.txt": "张三\n李四\n王五\n阿明\n"},
            result=("阿明", "李四", "王五", "张三"),
        ),
        Example(
            say=("order costs.txt by the amounts", "costs.txt按金额从小到大排"),
            plan='text.sort("costs.txt", numeric=true)',
            given={"costs.txt": "rent $1,200\ntea 15\nloan 1,000,000.50\n"},
            result=("tea 15", "rent $1,200", "loan 1,000,000.50"),
        ),
        Example(say=("sort the lines of missing.txt", "对missing.txt排序"), plan='text.sort("missing.txt")', given={"a": "a"}, refused="world.not-found"),
    )


# A number by itself goes before digits in a word: of “v2 10 MB” it is 10, of “img10.png”, which holds nothing else, 10 as well.
# Commas in it stand between thousands: 1,200 is one number, 1,2 and 1,2000 are two.
_PLAIN = r"(?:\d{1,3}(?:,\d{3}){1,90}(?![\d,])|\d{1,300})(?:\.\d{1,300})?"
_NUMBERS = (re.compile(rf"(?<![\w.])-?(?:{_PLAIN}|\.\d{{1,300}})"), re.compile(_PLAIN))


def _first_number(text: str) -> Decimal | None:
    """Return the number as it is written: a float would take long ones for the same."""
    found = next((f for pattern in _NUMBERS if (f := pattern.search(text))), None)
    return Decimal(found[0].replace(",", "")) if found else None


def _reader(path: str, start: list[str]) -> Callable[[str], Decimal | None]:
    """Return what gives the first number of a line. In a CSV file, which begins with the lines `start`, a comma between cells belongs to no number."""
    from nlsh.world.tables import guessed, is_table

    separator = guessed(path, start) if is_table(path) else None
    if separator is None:
        return _first_number

    def first(text: str) -> Decimal | None:
        cells = [text]
        with suppress(csv.Error):
            cells = next(csv.reader([text], delimiter=separator), cells)
        return _first_number("\n".join(cells))

    return first
