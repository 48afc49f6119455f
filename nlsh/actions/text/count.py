"""text.count: how long a text is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from nlsh.actions.file import _search
from nlsh.actions.text import _text
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Note, Record, Tally, TextCount
from nlsh.plan.values import Choice, Paths, Rows
from nlsh.world import World


class TextLength(Action):
    """Count the lines, words and characters of text files."""

    name = "text.count"
    effects = ("fs.read",)

    class Args(BaseArgs):
        paths = arg(Paths(or_lines=True), "The text files.", required=True)
        unit = arg(Choice("lines", "words", "characters"), "What to count; left out: all three.")

    def look(self, args: Any, world: World) -> Any:
        if isinstance(args.paths, Rows):
            return {"paths": [_text.lines_of(args.paths)]}
        found = [os.path.realpath(p) for p in world.matches(args.paths)]
        for path in found:
            if os.path.isdir(path):
                raise NotPossible(f"{path} is a folder, not a text.", hint="Nothing was changed. Name files, or find them with file.find.")
        return {"paths": list(dict.fromkeys(found))}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _text.reads(seen["paths"])

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        """One file and one unit: the number. Several files: a row for each, and with a unit their sum at the end."""
        from nlsh.world.contents import count_text
        from nlsh.world.texts import encoding_in
        from nlsh.world.texts import lines as lines_of

        several = len(seen["paths"]) > 1
        total = dense = 0
        skipped: list[str] = []
        for path in seen["paths"]:
            try:
                counted = TextCount(path, *count_text(path, encoding_in(path))) if isinstance(path, str) else _counted(path)
            except OSError as error:
                if not several:
                    raise NotPossible(f"{path} cannot be read: {error.strerror}.", hint="Nothing was changed. See who may read it with file.info.") from error
                skipped.append(path)
                continue
            if several or args.unit is None:
                yield counted
            total += getattr(counted, args.unit) if args.unit else 0
            if args.unit == "characters":
                # What a writer is paid for has no blanks in it; wc counts them, and line ends.
                with suppress(NotPossible):  # what is no text has only characters to be counted
                    dense += sum(len("".join(text.split())) for text in lines_of(path))
        if args.unit is not None:
            of = seen["paths"][0]
            yield Tally(total, args.unit, "" if several or not isinstance(of, str) else of)
        if dense and dense != total:
            yield Note(f"{dense:,} of them are no blanks or line ends.")
        yield from _search.left_out(skipped)

    examples = (
        Example(
            say=("how many lines does main.py have", "count the lines of main.py", "number of lines in main.py", "main.py有多少行"),
            plan='text.count("main.py", unit="lines")',
            given={"main.py": "a\nb\nc\n"},
            result=(3,),
        ),
        Example(
            say=("how many words are in essay.txt", "word count of essay.txt", "essay.txt有多少个词"),
            plan='text.count("essay.txt", unit="words")',
            given={"essay.txt": "to be or\nnot to be"},
            result=(6,),
        ),
        Example(
            say=("how many characters are in essay.txt", "essay.txt多少字"),
            plan='text.count("essay.txt", unit="characters")',
            given={"essay.txt": "今天 很好\n再见\n"},
            result=(9,),
        ),
        Example(
            say=("how long is essay.txt: lines, words and characters", "wc essay.txt", "统计essay.txt的行数、词数和字数"),
            plan='text.count("essay.txt")',
            given={"essay.txt": "to be or\nnot to be"},
            result=("essay.txt",),
        ),
        Example(
            say=("count the lines of all python files in src", "how many lines of python are in src", "src里所有python文件一共多少行"),
            plan='a = file.find(under="src", kind="python files"); text.count(a, unit="lines")',
            given={"src/a.py": "1\n2\n", "src/sub/b.py": "3\n"},
            result=("src/a.py", "src/sub/b.py", 3),
        ),
        Example(
            say=("how many lines does the src folder have", "count lines of src", "src有多少行"),
            plan='text.count("src", unit="lines")',
            given={"src/a.py": "1\n"},
            refused="world.not-possible",
        ),
    )


def _counted(lines: list[str]) -> TextCount:
    """Return the length of a text that is no file: its line ends count as characters, as a file's do."""
    return TextCount("", len(lines), sum(len(line.split()) for line in lines), sum(len(line) + 1 for line in lines))
