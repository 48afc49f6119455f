"""StashChanges: put what is not committed away in git's stash. PopStash: bring the latest of it back. Each takes the other back."""

from __future__ import annotations

import os
from dataclasses import dataclass

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, Refused, StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs
from nlsh.steps._git import STALE, GitStep, Pairs, run
from nlsh.world import git_changes
from nlsh.world.git import Repository


@dataclass(frozen=True)
class StashChanges(GitStep):
    """Put the changes of `names` away under `message`, new files too. `known`: what they are known by (empty: their names alone).

    `at` is the time of the stash in seconds, by which it is known again.
    """

    repository: Pairs
    names: tuple[str, ...]
    message: str
    at: int
    known: str = ""
    options: tuple[str, ...] = ()

    @property
    def _command(self) -> tuple[str, ...]:
        return (*self.options, "stash", "push", "-q", "--include-untracked", f"--message={self.message}")

    def effects(self) -> tuple[Effect, ...]:
        return self._effects(*self._command, files=True)

    def describe(self) -> str:
        return f"put the changes to {git_changes.listed(self.names)} away in git's stash, as “{self.message}”"

    def check(self) -> None:
        git = self._git
        if not self._same or set(git_changes.changed(git)) != set(self.names):
            raise self._stale()

    def drift(self) -> None:
        if not self._same or git_changes.altered(self._git) - set(self.names):
            raise self._stale()

    @property
    def _same(self) -> bool:
        return not self.known or git_changes.fingerprint(self._git.top, self.names) == self.known

    def _stale(self) -> StaleStep:
        return StaleStep(f"What has changed in {self._git.top} is not what it was.", hint=STALE)

    def apply(self) -> None:
        with _fs.explained(self.describe()):
            when = {f"GIT_{role}_DATE": f"@{self.at} +0000" for role in ("AUTHOR", "COMMITTER")}
            # Git names the top to itself in a way that it would take literally, too, and leave new files where they are.
            run(self._git, *self._command, extra=when, literal=False)

    def inverse(self) -> Step:
        return PopStash(self.repository, self.names, self.message, self.at, options=self.options)

    def state(self) -> str:
        try:
            return "done" if latest(self._git)[1] == self.at else "undone"
        except (NlshError, OSError):
            return "unknown"


@dataclass(frozen=True)
class PopStash(GitStep):
    """Bring back the latest stash, made at `at`, with its files `names`; `id` is its commit, where that is known."""

    repository: Pairs
    names: tuple[str, ...]
    message: str
    at: int
    id: str = ""
    options: tuple[str, ...] = ()

    @property
    def _command(self) -> tuple[str, ...]:
        return (*self.options, "stash", "pop", "-q", "--index")

    def effects(self) -> tuple[Effect, ...]:
        return self._effects(*self._command, files=True)

    def describe(self) -> str:
        return f"bring back the stash “{self.message}”: {git_changes.listed(self.names)}"

    def check(self) -> None:
        self._check(read=True)

    def drift(self) -> None:
        self._check(read=False)

    def _check(self, *, read: bool) -> None:
        git = self._git
        id, at, _ = latest(git)
        if at != self.at or (self.id and id != self.id):
            raise StaleStep(f"“{self.message}” is not the latest stash in {git.top} any more.", hint=STALE)
        refuse_to_mix(git, id, self.names, read=read)

    def apply(self) -> None:
        with _fs.explained(self.describe()):
            run(self._git, *self._command)

    def inverse(self) -> Step:
        return StashChanges(self.repository, self.names, self.message, self.at, options=self.options)

    def state(self) -> str:
        try:
            return "undone" if latest(self._git)[1] == self.at else "done"
        except (NlshError, OSError):
            return "unknown"


def latest(git: Repository) -> tuple[str, int, str]:
    """Return id, time and message of the latest stash; empty, -1 and empty where there is none."""
    said = git.output("log", "-1", "--no-show-signature", "--format=%H%x00%ct%x00%gs%x00%s", "-g", "refs/stash", ok=(0, 128)).rstrip("\n")
    if not said:
        return "", -1, ""
    id, at, told, subject = said.split("\0")
    return id, int(at), told or subject


def files_of(git: Repository, id: str) -> tuple[str, ...]:
    """Return the files that a stash changes or brings, relative to the top."""
    found = dict.fromkeys(git_changes.differing(git, f"{id}^1", id))
    parents = git.output("rev-parse", f"{id}^@").split()
    if len(parents) == 3:  # new files are a commit of their own
        found.update(dict.fromkeys(n for n in git.output("ls-tree", "-r", "-z", "--name-only", parents[2]).split("\0") if n))
    return tuple(found)


def refuse_to_mix(git: Repository, id: str, names: tuple[str, ...], *, read: bool = True) -> None:
    """Raise Refused where bringing a stash back would have to mix it with other changes: nlsh leaves no file half merged."""
    git_changes.refuse_in_the_way(git, names, "bringing them back", read=read)
    tracked = set(git_changes.differing(git, f"{id}^1", id))
    moved = set(git_changes.differing(git, f"{id}^1", git.head()))
    there = {n for n in names if n not in tracked and os.path.lexists(os.path.join(git.top, n))}
    if mixed := sorted((moved | there) & set(names)):
        raise Refused(
            f"{git_changes.listed(mixed)} {'has' if len(mixed) == 1 else 'have'} changed since it was stashed, and would have to be merged.",
            hint="Nothing was changed; the stash is kept. Do it with git: git stash pop.",
        )
