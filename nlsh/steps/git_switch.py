"""SwitchBranch: check another branch out, made anew where that was asked for. Taken back, the one before is checked out, and what was made is gone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs
from nlsh.steps._git import STALE, GitStep, Pairs, run
from nlsh.world import git_changes


@dataclass(frozen=True)
class SwitchBranch(GitStep):
    """Go from the branch `old` (empty: none), whose last commit is `before`, to `new`, whose last commit is `after`; `anew`: it is made there.

    `written` are the files that differ between the two.
    """

    repository: Pairs
    old: str
    new: str
    before: str
    after: str
    anew: bool = False
    origin: str = ""
    written: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    left_out: str = ""
    back: bool = False

    @property
    def _command(self) -> tuple[str, ...]:
        if self.back:
            return ("switch", "-q", "--no-guess", self.old) if self.old else ("switch", "-q", "--detach", self.before)
        if self.anew:
            return ("switch", "-q", "--no-track", "-c", self.new, self.after)
        return ("switch", "-q", "--no-guess", self.new)

    def effects(self) -> tuple[Effect, ...]:
        return self._effects(*self._command, files=True)

    def describe(self) -> str:
        if self.back:
            return f"go back to {self.old or self.before[:10]}{f' and remove the branch {self.new}' if self.anew else ''}"
        files = f"; {len(self.written)} files change" if len(self.written) > 1 else f"; {self.written[0]} changes" if self.written else ""
        start = f" as {self.origin} is" if self.origin else ""
        return f"{f'make the branch {self.new}{start} and switch to it' if self.anew else f'switch to the branch {self.new}'}{files}{self.left_out}"

    def check(self) -> None:
        self._check(read=True)

    def drift(self) -> None:
        self._check(read=False)

    def _check(self, *, read: bool) -> None:
        git = self._git
        wanted = (self.new, self.after) if self.back else (self.old, self.before)
        if self._head() != wanted:
            more = " It has new commits." if self.back and self._head()[0] == self.new else ""
            raise StaleStep(f"{git.top} is not at {wanted[0] or wanted[1][:10]} as it was.{more}", hint=STALE)
        other = f"refs/heads/{self.old}" if self.back and self.old else "" if self.back or self.anew else f"refs/heads/{self.new}"
        if other and git.output("rev-parse", "-q", "--verify", other, ok=(0, 1, 128)).strip() != (self.before if self.back else self.after):
            raise StaleStep(f"{other.removeprefix('refs/heads/')} points to another commit than when it was approved.", hint=STALE)
        git_changes.refuse_in_the_way(git, self.written, "switching", read=read)

    def apply(self) -> None:
        with _fs.explained(self.describe()):
            run(self._git, *self.options, *self._command)
            if self.back and self.anew:
                # With the old value: it stays where somebody has committed to it meanwhile.
                run(self._git, "update-ref", "-d", f"refs/heads/{self.new}", self.after)

    def inverse(self) -> Step:
        return replace(self, back=not self.back)

    def state(self) -> str:
        try:
            found = self._head()
        except NlshError:
            return "unknown"
        places = {(self.old, self.before): "undone", (self.new, self.after): "done"}
        now = places.get(found, "unknown")
        return {"done": "undone", "undone": "done"}.get(now, now) if self.back else now
