"""text.frequency: how often each word, line or character occurs in a file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Note, Record
from nlsh.plan.records.text import Occurrence
from nlsh.plan.values import Choice, Path
from nlsh.steps import handles
from nlsh.world import World

# LIMIT: Chinese and Japanese are written without blanks, and telling their words apart needs a dictionary: each character counts as one.
_WORD = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\u3040-\u30ff]|[^\W_\u3400-\u4dbf\u4e00-\u9fff\u3040-\u30ff]+(?:['’-][^\W_]+)*")
_MOST_DIFFERENT = 5_000_000
_SHOWN = 20


class Frequency(Action):
    """Count how often each word or line occurs in a file."""

    name = "text.frequency"
    effects = ("fs.read",)

    class Args(BaseArgs):
        path = arg(Path(or_lines=True), "The text file.", required=True)
        unit = arg(Choice("words", "lines", "characters"), "Of what; words in capitals and small letters are the same.", default="words")
        limit = arg(Count(), "The most frequent so many; left out: 20 words or characters, all lines.")

    def look(self, args: Any, world: World) -> Any:
        return _text.one(args.path, world)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen.values())

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.texts import lines

        counts: Counter[str] = Counter()
        for text in lines(seen["path"], handles.progress_in_bytes):
            if args.unit == "words":
                counts.update(_WORD.findall(text.lower()))
            elif args.unit == "lines":
                counts[text] += 1
            else:
                counts.update(c for c in text if not c.isspace())
            if len(counts) > _MOST_DIFFERENT:
                raise NotPossible(f"There are more than {_MOST_DIFFERENT:,} different {args.unit} in it.", hint="Nothing was changed. Filter it first.")
        # What is as frequent stands in the order in which it was met.
        limit = args.limit if args.limit is not None or args.unit == "lines" else _SHOWN
        for text, count in counts.most_common(limit):
            yield Occurrence(text, count)
        if limit is not None and len(counts) > limit:
            yield Note(f"These are {limit:,} of {len(counts):,} different {args.unit}.")

    examples = (
        Example(
            say=(
                "which words are most frequent in essay.txt",
                "count how often each word occurs in essay.txt",
                "word frequency of essay.txt",
                "统计essay.txt的词频",
            ),
            plan='text.frequency("essay.txt")',
            given={"essay.txt": "To be, or not to be:\nthat is it. Don't!\n"},
            result=("to", "be", "or", "not", "that", "is", "it", "don't"),
        ),
        Example(
            say=("the 2 most common words in essay.txt", "top 2 words of essay.txt", "essay.txt里出现最多的2个词"),
            plan='text.frequency("essay.txt", limit="2")',
            given={"essay.txt": "b a b a b c"},
            result=("b", "a"),
        ),
        Example(
            say=("how often does each line occur in list.txt", "count the repeated lines of list.txt", "list.txt每一行出现了几次"),
            plan='text.frequency("list.txt", unit="lines")',
            given={"list.txt": "x\ny y\nx\n"},
            result=("x", "y y"),
        ),
        Example(say=("word frequency of the src folder", "src文件夹的词频"), plan='text.frequency("src")', given={"src": None}, refused="world.not-possible"),
    )
