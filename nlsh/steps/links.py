"""Steps that make links: a pointer to a name (`MakeLink`), or a second name for a file (`AddName`); and those that take them away again."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from nlsh.plan.effects import Effect
from nlsh.plan.errors import StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs
from nlsh.world.files import Identity


def _leads_to(path: str, goal: str) -> bool:
    try:
        return os.readlink(path) == goal
    except OSError:
        return False


@dataclass(frozen=True)
class MakeLink(Step):
    """Make the link `path`, which leads to `goal`, written as it is to stand in it."""

    path: str
    goal: str

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.write", self.path),)

    def describe(self) -> str:
        return f"make the link {self.path}, which leads to {self.goal}"

    def check(self) -> None:
        _fs.must_be_free(self.path)

    def apply(self) -> None:
        with _fs.explained(f"make the link {self.path}"), _fs.parent_of(self.path) as (folder, name):
            os.symlink(self.goal, name, dir_fd=folder)

    def inverse(self) -> Step:
        return RemoveLink(self.path, self.goal)

    def state(self) -> str:
        return "done" if _leads_to(self.path, self.goal) else "undone" if _fs.is_free(self.path) else "unknown"

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.path),)

    def makes(self) -> tuple[tuple[str, str], ...]:
        return ((self.path, "file"),)


@dataclass(frozen=True)
class RemoveLink(Step):
    """Remove a link, if it still leads to `goal`; what it leads to stays."""

    path: str
    goal: str

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.delete", self.path),)

    def describe(self) -> str:
        return f"remove the link {self.path}"

    def check(self) -> None:
        if not _leads_to(self.path, self.goal):
            raise StaleStep(f"{self.path} is not the link to {self.goal} any more.", hint="Nothing was removed.")

    def apply(self) -> None:
        with _fs.explained(f"remove the link {self.path}"), _fs.parent_of(self.path) as (folder, name):
            if os.readlink(name, dir_fd=folder) != self.goal:
                raise StaleStep(f"{self.path} leads elsewhere now.", hint="Nothing was removed.")
            os.unlink(name, dir_fd=folder)

    def inverse(self) -> Step:
        return MakeLink(self.path, self.goal)

    def state(self) -> str:
        return "undone" if _leads_to(self.path, self.goal) else "done" if _fs.is_free(self.path) else "unknown"

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.path),)


@dataclass(frozen=True)
class AddName(Step):
    """Give the file `source` a second name, `target`, on the same file system (a hard link)."""

    source: str
    target: str
    identity: Identity

    def effects(self) -> tuple[Effect, ...]:
        # Through its second name it can be written: where that may be done, it must be allowed for the first one, too.
        return (Effect("fs.write", self.source), Effect("fs.write", self.target))

    def describe(self) -> str:
        return f"give {self.source} the second name {self.target}"

    def check(self) -> None:
        _fs.still_there(self.source, self.identity)
        _fs.must_be_free(self.target)

    def apply(self) -> None:
        doing = _fs.explained(f"give {self.source} the second name {self.target}")
        with doing, _fs.parent_of(self.source) as (old_folder, old), _fs.parent_of(self.target) as (new_folder, new):
            _fs.still(old_folder, old, self.identity, self.source)
            os.link(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder, follow_symlinks=False)

    def inverse(self) -> Step:
        return RemoveName(self.source, self.target, self.identity)

    def state(self) -> str:
        return "done" if _same(self.source, self.target) else "undone" if _fs.is_free(self.target) else "unknown"

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.target),)

    def makes(self) -> tuple[tuple[str, str], ...]:
        return ((self.target, "file"),)


def _same(one: str, other: str) -> bool:
    try:
        first, second = os.lstat(one), os.lstat(other)
    except OSError:
        return False
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


@dataclass(frozen=True)
class RemoveName(Step):
    """Remove the name `target` of a file that is also called `source`: what is in it stays there."""

    source: str
    target: str
    identity: Identity

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.delete", self.target),)

    def describe(self) -> str:
        return f"remove {self.target}, the second name of {self.source}"

    def check(self) -> None:
        # Whoever writes to the file writes under both names: only that it is the same one matters.
        if not _same(self.source, self.target):
            raise StaleStep(f"{self.target} is not the same file as {self.source} any more.", hint="Nothing was removed.")

    def apply(self) -> None:
        doing = _fs.explained(f"remove {self.target}")
        with doing, _fs.parent_of(self.source) as (old_folder, old), _fs.parent_of(self.target) as (folder, name):
            status, other = _fs.status_at(folder, name), _fs.status_at(old_folder, old)
            if (status.st_dev, status.st_ino) != (other.st_dev, other.st_ino) or stat.S_ISDIR(status.st_mode):
                raise StaleStep(f"{self.target} is not the same file as {self.source} any more.", hint="Nothing was removed.")
            os.unlink(name, dir_fd=folder)

    def inverse(self) -> Step:
        return AddName(self.source, self.target, self.identity)

    def state(self) -> str:
        return "undone" if _same(self.source, self.target) else "done" if _fs.is_free(self.target) else "unknown"

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.target),)
