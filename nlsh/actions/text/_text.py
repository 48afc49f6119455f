"""What the actions on texts have in common: which files are meant, and that they are texts that can be read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.records import Line, Note
from nlsh.plan.values import Rows
from nlsh.world import World
from nlsh.world.texts import encoding_or_refuse, sample

Source = str | list[str]  # of a text: a file's path, or the lines of a result
_UNCHANGED = "Nothing was changed."
_START = 8192
# What is sorted is held in memory.
MOST_SORTED = 256 << 20


def one(written: str | Rows, world: World) -> dict[str, Any]:
    """Return the real path of the one text file that is meant, or the lines of a result. Raises NotFound, and NotPossible for what is no text."""
    if isinstance(written, Rows):
        return {"path": lines_of(written)}
    path = os.path.realpath(world.resolve(written))
    refuse_other(path)
    return {"path": path}


def several(written: tuple[str, ...], world: World) -> tuple[str, ...]:
    """Return the real paths of the text files that are meant. Raises NotFound, and NotPossible for what is no text."""
    found = tuple(dict.fromkeys(os.path.realpath(p) for p in world.matches(written)))
    for path in found:
        refuse_other(path)
    return found


def lines_of(rows: Rows) -> list[str]:
    """Return the lines of a result that is text."""
    return [row.text for row in rows.records if isinstance(row, Line)]


def refuse_other(path: str) -> None:
    """Raise NotPossible for a folder, and for what is no text or cannot be read."""
    if os.path.isdir(path):
        raise NotPossible(f"{path} is a folder, not a text.", hint=f"{_UNCHANGED} Name files, or find them with file.find.")
    encoding_or_refuse(path, sample(path, _START))


def refuse_unsortable(path: Source) -> None:
    """Raise NotPossible for a file that is too large to be sorted: what only reads may make no files on the way, so it is held in memory."""
    if not isinstance(path, str):
        return  # its lines are in memory as it is
    size = os.stat(path).st_size
    if size > MOST_SORTED:
        raise NotPossible(f"{path} has {size >> 20} MB; up to {MOST_SORTED >> 20} MB can be sorted.", hint=f"{_UNCHANGED} Filter it first, or use sort(1).")


def reads(paths: Iterable[Source]) -> tuple[Effect, ...]:
    """Return the effects of reading files; the lines of a result were read before."""
    return tuple(Effect("fs.read", p) for p in paths if isinstance(p, str))


def stays(path: Source) -> Iterator[Note]:
    """Yield the note behind what was only shown of a file: the sentence may have been meant as a change."""
    if isinstance(path, str):
        yield Note(f"{os.path.basename(path)} stays as it is.")


def name_of(path: Source) -> str:
    """Return what a text is called in a message."""
    return path if isinstance(path, str) else "the text"


def left_out(errors: Sequence[NlshError]) -> Iterator[Note]:
    """Yield a note for each file that was left out, and why."""
    for error in errors[:5]:
        yield Note(f"Left out: {error.message}")
    if len(errors) > 5:
        yield Note(f"And {len(errors) - 5} more were left out.")
