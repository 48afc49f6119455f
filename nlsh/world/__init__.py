"""Read-only facts about this machine: what `look` and `observe` may call."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any

from nlsh.plan.frozen import frozen
from nlsh.plan.steps import Step


@frozen(slots=False)
class World:
    """The machine as one request sees it: where it stands, whose home it is, and what was done before.

    `history` gives the journalled run that undo would take back: None for the last one, or a run's number; the kernel sets it.
    `layer` is where a raw command is to be tried: what it changes goes there; `tried` is what it changed, once it was, which is then to be kept.
    `planned` are the paths that earlier calls of the same plan will have made by then: path → 'file' or 'folder'; see `expecting`.
    """

    cwd: str = field(default_factory=os.getcwd)
    home: str = field(default_factory=lambda: os.path.expanduser("~"))
    history: Callable[[int | None], Any] | None = None
    layer: str = ""
    tried: Any = None
    planned: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def expecting(self, steps: Iterable[Step]) -> World:
        """Return this world as a later call of the same plan is to see it: with what `steps` will have made."""
        made = dict(pair for step in steps for pair in step.makes())
        return replace(self, planned=MappingProxyType({**self.planned, **made})) if made else self

    def exists(self, path: str) -> bool:
        """Return whether something is at `path`, or will be when this call's turn comes; links are not followed."""
        return path in self.planned or os.path.lexists(path)

    def is_folder(self, path: str) -> bool:
        """Return whether a folder (or a link to one) is at `path`, or will be when this call's turn comes."""
        return self.planned.get(path) == "folder" or os.path.isdir(path)

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def resolve(self, written: str, *, must_exist: bool = True) -> str:
        """Return the absolute path that `written` means here; see `nlsh.world.places.resolve`."""
        from nlsh.world.places import resolve

        return resolve(written, cwd=self.cwd, home=self.home, must_exist=must_exist)

    def matches(self, written: tuple[str, ...]) -> tuple[str, ...]:
        """Return the existing absolute paths that paths, names and patterns mean; see `nlsh.world.places.matches`."""
        from nlsh.world.places import matches

        return matches(written, cwd=self.cwd, home=self.home)
