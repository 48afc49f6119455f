"""Commit: make a commit of what was shown. Taken back, the branch points to the commit before; the changes stay."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, Refused, StaleStep
from nlsh.plan.steps import Step
from nlsh.steps import _fs
from nlsh.steps._git import STALE, GitStep, Pairs, index_kept, run
from nlsh.world import git_changes


@dataclass(frozen=True)
class Commit(GitStep):
    """Commit the files `names`, which are known by `known`, on top of the commit `parent` (empty: the first one).

    `whole`: they are all that has changed, so that what is staged goes with them. `options` are git's own before its command; `left_out` says
    what git itself would do besides. `at` is the commit's time in seconds, and with `parent` what undo knows it by.
    """

    repository: Pairs
    branch: str
    parent: str
    message: str
    names: tuple[str, ...]
    known: str
    whole: bool
    author: str
    email: str
    at: int
    options: tuple[str, ...] = ()
    left_out: str = ""
    back: bool = False

    @property
    def _subject(self) -> str:
        return self.message.strip().splitlines()[0]

    def effects(self) -> tuple[Effect, ...]:
        return self._effects("update-ref", "HEAD", self.parent or "-d") if self.back else self._effects("commit", f"--message={self.message}")

    def describe(self) -> str:
        if self.back:
            return f"take back the commit “{self._subject}” and keep its changes"
        return f"commit {git_changes.listed(self.names)} as “{self._subject}”{f', {self.left_out}' if self.left_out else ''}"

    def check(self) -> None:
        self._check(read=True)

    def drift(self) -> None:
        self._check(read=False)

    def _check(self, *, read: bool) -> None:
        git = self._git
        if self.back:
            if not self._ours():
                raise StaleStep(f"“{self._subject}” is not the last commit in {git.top} any more.", hint="Nothing was changed by this step.")
            if known := git.output("for-each-ref", "--contains=HEAD", "--count=1", "--format=%(refname:lstrip=2)", "refs/remotes").strip():
                raise Refused(
                    f"“{self._subject}” is on {known} already: others may have it.", hint="Nothing was changed. `git revert HEAD` takes it back openly."
                )
            return
        if self._head() != (self.branch, self.parent):
            raise StaleStep(f"{git.top} has another last commit than when it was approved.", hint=STALE)
        named = set(self.names)
        others = self.whole and (set(git_changes.changed(git)) != named if read else git_changes.altered(git) - named)
        if others or git_changes.fingerprint(git.top, self.names) != self.known:
            raise StaleStep(f"Files in {git.top} have changed since it was approved.", hint=STALE)

    def _ours(self) -> str:
        """Return the id of the last commit where it is the one that this step makes, or an empty text."""
        branch, head = self._head()
        if not head or branch != self.branch:
            return ""
        parents, at, subject = self._git.output("log", "-1", "--no-show-signature", "--format=%P%x00%ct%x00%s", head).rstrip("\n").split("\0")
        return head if (parents, at) == (self.parent, str(self.at)) and subject else ""

    def apply(self) -> None:
        git = self._git
        with _fs.explained(self.describe()):
            if self.back:
                note = ("-m", f"nlsh: take back “{self._subject}”")
                run(git, "update-ref", *note, *(("HEAD", self.parent, self._ours()) if self.parent else ("-d", "HEAD", self._ours())))
                return
            said = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in self._who()}
            with index_kept(git):
                run(git, *self.options, "update-index", "--add", "--remove", "--replace", "-z", "--stdin", told=self.names)
                only = None if self.whole else self.names
                run(git, *self.options, "commit", "-q", "--no-verify", "--no-gpg-sign", f"--message={self.message}", *(() if self.whole else ("--only",)),
                    names=only, extra=said)  # fmt: skip

    def _who(self) -> tuple[tuple[str, str], ...]:
        return ("NAME", self.author), ("EMAIL", self.email), ("DATE", f"@{self.at} +0000")

    def inverse(self) -> Step:
        return replace(self, back=not self.back)

    def state(self) -> str:
        try:
            head = self._git.head()
            ours = bool(self._ours())
        except (NlshError, OSError):
            return "unknown"
        if ours:
            return "undone" if self.back else "done"
        return ("done" if self.back else "undone") if head == self.parent else "unknown"
