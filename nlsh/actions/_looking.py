"""The base of actions that look into each file they are given: what a picture is, what a document holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from typing import Any

from nlsh.plan.action import Action
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.records import Record
from nlsh.steps import handles
from nlsh.world import World


def files(written: tuple[str, ...], world: World, pattern: str) -> list[str]:
    """Return the real files that are meant; `pattern` is how several are named. Raises NotFound, and Refused for folders."""
    found = [os.path.realpath(p) for p in world.matches(written)]
    for path in found:
        if os.path.isdir(path):
            raise Refused(f"{path} is a folder.", hint=f"Nothing was changed. Name the files, or a pattern such as {pattern}.")
    return list(dict.fromkeys(found))


def joined(first: str, world: World, ending: str | None = None) -> str:
    """Return the path of what is made of the file `first` and others where no name is said: beside it, joined.pdf, or joined-2.pdf where that is taken.

    `ending`: of the new file, with its dot; None: that of `first`.
    """
    folder, ending = os.path.dirname(first), os.path.splitext(first)[1] if ending is None else ending
    names = (f"joined{f'-{n}' if n > 1 else ''}{ending}" for n in count(1))
    return next(path for name in names if not world.exists(path := os.path.join(folder, name)))


class LooksInto(Action):
    """Base: `pattern` is how several such files are named, `_record` says what one of them is. Its `Args` have `paths`."""

    effects = ("fs.read",)
    pattern: str

    def look(self, args: Any, world: World) -> Any:
        return {"paths": files(args.paths, world, self.pattern)}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return tuple(Effect("fs.read", p) for p in seen["paths"])

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        for number, path in enumerate(seen["paths"], start=1):
            try:
                yield self._record(path)
            except OSError as error:
                raise NotPossible(f"{path} cannot be read: {error.strerror or error}.", hint="Nothing was changed.") from error
            handles.progress(number, len(seen["paths"]))

    def _record(self, path: str) -> Record:
        raise NotImplementedError
