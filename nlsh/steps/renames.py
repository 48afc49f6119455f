"""RenamePath: give one thing another name in the folder it is in. Of many at once, each is one such step."""

from __future__ import annotations

import os
from dataclasses import dataclass

from nlsh.plan.effects import Effect
from nlsh.plan.steps import Step
from nlsh.steps import _fs
from nlsh.world.files import Identity, is_same


@dataclass(frozen=True)
class RenamePath(Step):
    """Rename a file, link or folder within its folder; never over something that exists."""

    source: str
    target: str
    identity: Identity

    applies_checked = True
    quick = True

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.delete", self.source), Effect("fs.write", self.target))

    def describe(self) -> str:
        return f"rename {self.source} to {os.path.basename(self.target)}"

    def check(self) -> None:
        with _fs.explained(f"look at {self.source}"), _fs.parent_of(self.source) as (folder, name):
            _fs.still(folder, name, self.identity, self.source)
            _fs.must_be_free_at(folder, os.path.basename(self.target), self.target)

    def apply(self) -> None:
        new = os.path.basename(self.target)
        with _fs.explained(f"rename {self.source} to {new}"), _fs.parent_of(self.source) as (folder, name):
            _fs.still(folder, name, self.identity, self.source)
            _fs.rename(folder, name, folder, new)

    def inverse(self) -> Step:
        return RenamePath(self.target, self.source, self.identity)

    def state(self) -> str:
        # In a row of renames another one may have either name by now: what it is decides, not that something is there.
        if self._is_at(self.target):
            return "done"
        return "undone" if self._is_at(self.source) else "unknown"

    def _is_at(self, path: str) -> bool:
        try:
            return is_same(os.lstat(path), self.identity)
        except OSError:
            return False

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.source),)

    def makes(self) -> tuple[tuple[str, str], ...]:
        return ((self.target, "folder" if len(self.identity) == 2 else "file"),)
