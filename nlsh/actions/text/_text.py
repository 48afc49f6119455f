"""What the actions on texts have in common: which files are meant, and that they are texts that can be read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.records import Note
from nlsh.world import World
from nlsh.world.texts import encoding_or_refuse, sample

_UNCHANGED = "Nothing was changed."
_START = 8192
# What is sorted is held in memory.
MOST_SORTED = 256 << 20


def one(written: str, world: World) -> dict[str, Any]:
    """Return the real path of the one text file that is meant. Raises NotFound, and NotPossible for what is no text."""
    path = os.path.realpath(world.resolve(written))
    refuse_other(path)
    return {"path": path}


def several(written: tuple[str, ...], world: World) -> tuple[str, ...]:
    """Return the real paths of the text files that are meant. Raises NotFound, and NotPossible for what is no text."""
    found = tuple(dict.fromkeys(os.path.realpath(p) for p in world.matches(written)))
    for path in found:
        refuse_other(path)
    return found


def refuse_other(path: str) -> None:
    """Raise NotPossible for a folder, and for what is no text or cannot be read."""
    if os.path.isdir(path):
        raise NotPossible(f"{path} is a folder, not a text.", hint=f"{_UNCHANGED} Name files, or find them with file.find.")
    encoding_or_refuse(path, sample(path, _START))


def refuse_unsortable(path: str) -> None:
    """Raise NotPossible for a file that is too large to be sorted: what only reads may make no files on the way, so it is held in memory."""
    size = os.stat(path).st_size
    if size > MOST_SORTED:
        raise NotPossible(f"{path} has {size >> 20} MB; up to {MOST_SORTED >> 20} MB can be sorted.", hint=f"{_UNCHANGED} Filter it first, or use sort(1).")


def reads(paths: Iterable[str]) -> tuple[Effect, ...]:
    """Return the effects of reading files."""
    return tuple(Effect("fs.read", p) for p in paths)


def stays(path: str) -> Note:
    """Return the note behind what was only shown: the sentence may have been meant as a change."""
    return Note(f"{os.path.basename(path)} stays as it is.")


def left_out(errors: Sequence[NlshError]) -> Iterator[Note]:
    """Yield a note for each file that was left out, and why."""
    for error in errors[:5]:
        yield Note(f"Left out: {error.message}")
    if len(errors) > 5:
        yield Note(f"And {len(errors) - 5} more were left out.")
