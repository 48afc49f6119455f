"""MoveBranch: let the branch that is checked out point to another commit; the files and what is staged stay as they are (a soft reset)."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs
from nlsh.world.git import Repository

_SHOWN_FILES = 5


@dataclass(frozen=True)
class MoveBranch(Step):
    """Take back the commit `commit`, so that its parent `parent` is the last one; `back`: put it back.

    `repository` is a `Repository` as pairs; `branch` the full name of the branch, empty where none is checked out. `ref_mtime_ns` is the time
    of the file that names the branch's commit (-1: there is none): git writes it anew, and undo gives it its time again.
    """

    repository: tuple[tuple[str, Any], ...]
    branch: str
    commit: str
    parent: str
    subject: str
    files: tuple[str, ...]
    ref_mtime_ns: int = -1
    back: bool = False

    @property
    def _git(self) -> Repository:
        return Repository.from_data(dict(self.repository))

    @property
    def _ref_file(self) -> str:
        git = self._git
        return os.path.join(git.common_dir, self.branch) if self.branch else os.path.join(git.git_dir, "HEAD")

    @property
    def _arguments(self) -> tuple[str, ...]:
        new, old = (self.commit, self.parent) if self.back else (self.parent, self.commit)
        # With the old value: it is refused where another program was faster.
        return ("update-ref", "-m", "nlsh: put the commit back" if self.back else "nlsh: take back the last commit", "HEAD", new, old)

    def effects(self) -> tuple[Effect, ...]:
        git = self._git
        written = dict.fromkeys((git.git_dir, git.common_dir))
        return (
            Effect("tool.run", shlex.join(git.argv(*self._arguments))), *(Effect("fs.read", f) for f in (git.top, *git.folders)),
            *(Effect("fs.write", f) for f in written),
        )  # fmt: skip

    def describe(self) -> str:
        what = f"commit {self.commit[:10]} “{self.subject}”"
        if self.back:
            return f"put {what} back"
        shown = ", ".join(self.files[:_SHOWN_FILES]) + (f" and {len(self.files) - _SHOWN_FILES} more" if len(self.files) > _SHOWN_FILES else "")
        return f"take back {what} and keep its changes{f' to {shown}' if shown else ''}"

    def check(self) -> None:
        git = self._git
        wanted = self.parent if self.back else self.commit
        try:
            found = (git.output("symbolic-ref", "-q", "HEAD", ok=(0, 1)).strip(), git.head())
        except (NlshError, OSError) as error:
            raise StaleStep(f"The repository {git.top} cannot be read any more.", hint="Nothing was changed by this step. Ask again.") from error
        if found != (self.branch, wanted):
            raise StaleStep(f"{git.top} has another last commit than when it was approved.", hint="Nothing was changed by this step. Ask again.")

    def apply(self) -> None:
        with _fs.explained(self.describe()):
            self._git.output(*self._arguments)
            if self.back and self.ref_mtime_ns >= 0:
                with suppress(OSError):
                    os.utime(self._ref_file, ns=(self.ref_mtime_ns, self.ref_mtime_ns))

    def inverse(self) -> Step:
        return replace(self, back=not self.back)

    def state(self) -> str:
        try:
            head = self._git.head()
        except (NlshError, OSError):
            return "unknown"
        before, after = (self.parent, self.commit) if self.back else (self.commit, self.parent)
        return {before: "undone", after: "done"}.get(head, "unknown")

    def touches(self) -> tuple[str, ...]:
        git = self._git
        return tuple(dict.fromkeys((git.git_dir, git.common_dir, os.path.dirname(self._ref_file))))
