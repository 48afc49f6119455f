"""CloneRepository, PullBranch, PushBranch: get a repository, get what is new in a branch, and give what is new."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible, Refused, StaleStep
from nlsh.plan.records import Note, Record
from nlsh.plan.steps import Step
from nlsh.steps import _fs, handles
from nlsh.steps._git import STALE, GitStep, Pairs, run
from nlsh.world import git, git_changes, tools
from nlsh.world.git import Repository
from nlsh.world.git_remotes import THEIRS, Way, explained


def pairs_of(way: Way) -> Pairs:
    """Return a way as a step holds it."""
    return tuple(asdict(way).items())


def _way(pairs: Pairs) -> Way:
    fields: dict[str, Any] = dict(pairs)
    return Way(**fields)


@dataclass(frozen=True)
class CloneRepository(Step):
    """Clone the repository that `way` leads to into the new folder `target`. `back`: remove it, if nothing has been done in it."""

    git: str
    way: Pairs
    target: str
    back: bool = False

    def _argv(self, into: str) -> tuple[str, ...]:
        # Links to another repository's objects would break when that is gone; no hook comes from a template.
        options = ("--no-hardlinks", "--no-local", "--template=", "--no-recurse-submodules", "--upload-pack", THEIRS["--upload-pack"])
        return (self.git, "--no-pager", "clone", "--quiet", *options, "--", _way(self.way).url, into)

    def effects(self) -> tuple[Effect, ...]:
        if self.back:
            return (Effect("tool.read", shlex.join((self.git, "status"))), Effect("fs.read", self.target), Effect("fs.delete", self.target))
        return (Effect("tool.run", shlex.join(self._argv(self.target))), *_way(self.way).effects(), Effect("fs.write", os.path.dirname(self.target)))

    def describe(self) -> str:
        url = _way(self.way).url
        return f"remove {self.target}, the clone of {url}" if self.back else f"clone {url} into {self.target}"

    def check(self) -> None:
        if not self.back:
            _fs.must_be_free(self.target)
            return
        found = self._untouched()
        if found.output("status", "--porcelain", "-z", "--untracked-files=all", "--ignored"):
            raise self._used()

    def drift(self) -> None:
        if not self.back:
            self.check()
        elif git_changes.altered(found := self._untouched()) or found.output("ls-files", "-z", "--others"):
            raise self._used()

    def _untouched(self) -> Repository:
        """Return the clone, in which nothing was committed or stashed. Raises StaleStep, and what `git.find` raises."""
        found = git.find(self.target)
        own = found.output("log", "-1", "--format=%h", "--branches", "HEAD", "--not", "--remotes").strip()
        if found.top != self.target or own or found.output("for-each-ref", "refs/stash"):
            raise self._used()
        return found

    def _used(self) -> StaleStep:
        return StaleStep(f"Something was done in {self.target} since it was cloned.", hint="Nothing was removed. Trash it yourself if you do not need it.")

    def apply(self) -> None:
        with _fs.explained(self.describe()), _fs.parent_of(self.target) as (folder, name):
            if self.back:
                _fs.remove_tree(folder, name)
                return
            # Under a name that says what it is to whoever finds it after a crash, until it is whole.
            scratch = f".nlsh-cloning-{os.getpid()}-{os.urandom(6).hex()}"
            try:
                self._clone(os.path.join(os.path.dirname(self.target), scratch))
                _fs.rename(folder, scratch, folder, name)
            except BaseException:
                if not _fs.is_free(os.path.join(os.path.dirname(self.target), scratch)):
                    _fs.remove_tree(folder, scratch)
                raise

    def _clone(self, scratch: str) -> None:
        way = _way(self.way)
        command = self._argv(scratch)
        env = tools.environment(git.outside(**way.environment()))
        with (
            os.fdopen(os.memfd_create("complaint"), "r+b") as said,
            subprocess.Popen(command, cwd=os.path.dirname(self.target), env=env, stdin=subprocess.DEVNULL, stdout=said, stderr=said) as process,
        ):
            ended = os.pidfd_open(process.pid)
            try:
                handles.wait([ended])
            finally:
                os.close(ended)
                if process.poll() is None:
                    process.terminate()
            status = process.wait()
            if handles.stopping():
                raise NlshError("Not finished: it was cancelled.", hint="Nothing of it was kept.", code="step.cancelled")
            if status:
                said.seek(0)
                raise explained(tools.failed(command, status, said.read(1 << 16)), way, f"git clone {shlex.quote(way.url)}")

    def inverse(self) -> Step:
        return replace(self, back=not self.back)

    def state(self) -> str:
        there = os.path.isdir(self.target)
        return "done" if there is not self.back else "undone"

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.target),)

    def makes(self) -> tuple[tuple[str, str], ...]:
        return () if self.back else ((self.target, "folder"),)


@dataclass(frozen=True)
class PullBranch(GitStep):
    """Get the branch `there` of the remote `remote` and move `branch`, whose last commit is `before`, forward to it; never a merge.

    `back`: move it back to `before`; what was got stays in the repository.
    """

    repository: Pairs
    branch: str
    before: str
    remote: str
    there: str
    way: Pairs
    options: tuple[str, ...] = ()
    left_out: str = ""
    back: bool = False

    @property
    def _tracking(self) -> str:
        return f"refs/remotes/{self.remote}/{self.there}"

    @property
    def _fetch(self) -> tuple[str, ...]:
        return (
            "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--upload-pack", THEIRS["--upload-pack"], _way(self.way).url,
            f"+refs/heads/{self.there}:{self._tracking}",
        )  # fmt: skip

    def effects(self) -> tuple[Effect, ...]:
        if self.back:
            return self._effects("reset", "--keep", self.before, files=True)
        return (*self._effects(*self._fetch, files=True), *_way(self.way).effects())

    def describe(self) -> str:
        if self.back:
            return f"move {self.branch} back to {self.before[:10]}, where it was before it got what was new"
        return f"get what is new in {self.there} of {self.remote} ({_way(self.way).url}) and move {self.branch} forward to it{self.left_out}"

    def check(self) -> None:
        self._check(read=True)

    def drift(self) -> None:
        self._check(read=False)

    def _check(self, *, read: bool) -> None:
        git_ = self._git
        branch, head = self._head()
        if branch != self.branch or (not self.back and head != self.before):
            raise StaleStep(f"{git_.top} is not at {self.branch} as it was.", hint=STALE)
        if self.back and head != self.before:
            if head != git_.output("rev-parse", "-q", "--verify", self._tracking, ok=(0, 1, 128)).strip():
                raise StaleStep(f"{self.branch} has got other commits since.", hint="Nothing was changed by this step.")
            git_changes.refuse_in_the_way(git_, git_changes.differing(git_, self.before, head), "going back", read=read)

    def apply(self) -> Iterator[Record] | None:
        with _fs.explained(self.describe()):
            if self.back:
                run(self._git, *self.options, "reset", "-q", "--keep", self.before)
                return None
            return iter(self._pull())

    def _pull(self) -> tuple[Record, ...]:
        git_, way = self._git, _way(self.way)
        try:
            run(git_, *self._fetch, extra=way.environment())
        except tools.ToolFailed as error:
            raise explained(error, way, "git pull --ff-only") from error
        new = git_.output("rev-parse", self._tracking).strip()
        if new == self.before or git_.output("merge-base", self.before, new, ok=(0, 1)).strip() == new:
            return (Note(f"{self.branch} has all that {self.there} of {self.remote} has."),)
        if git_.output("merge-base", self.before, new, ok=(0, 1)).strip() != self.before:
            raise Refused(
                f"{self.branch} and {self.there} of {self.remote} have both gone on: one must be put on top of the other, or be merged.",
                hint="Your files were not changed; the other's commits were got. Do it with git: git rebase, or git merge.",
            )
        names = git_changes.differing(git_, self.before, new)
        git_changes.refuse_filtered(git_, names)
        git_changes.refuse_in_the_way(git_, names, "pulling")
        run(git_, *self.options, "merge", "-q", "--ff-only", "--no-verify", new)
        count = git_.output("rev-list", "--count", f"{self.before}..{new}").strip()
        return (Note(f"{self.branch} moved forward by {count} commits; {len(names)} files changed."),)

    def inverse(self) -> Step:
        return replace(self, back=not self.back)

    def state(self) -> str:
        try:
            head = self._git.head()
        except (NlshError, OSError):
            return "unknown"
        moved = "done" if head != self.before else "undone"
        return {"done": "undone", "undone": "done"}[moved] if self.back else moved


@dataclass(frozen=True)
class PushBranch(GitStep):
    """Give the commits of `branch`, the last of which is `head`, to `there` of the remote `remote`; never by force. `words` say which they are."""

    repository: Pairs
    branch: str
    head: str
    remote: str
    there: str
    way: Pairs
    words: str
    left_out: str = ""

    @property
    def _push(self) -> tuple[str, ...]:
        return (
            "-c", "advice.pushUpdateRejected=false", "push", "--quiet", "--no-verify", "--no-signed", "--recurse-submodules=no",
            "--receive-pack", THEIRS["--receive-pack"], _way(self.way).url,
            f"{self.head}:refs/heads/{self.there}",
        )  # fmt: skip

    def effects(self) -> tuple[Effect, ...]:
        return (*self._effects(*self._push), *_way(self.way).effects(change=True))

    def describe(self) -> str:
        return f"push {self.words} to {self.there} of {self.remote} ({_way(self.way).url}){self.left_out}"

    def no_undo(self) -> str:
        return "others may have fetched it by then"

    def check(self) -> None:
        if self._head() != (self.branch, self.head):
            raise StaleStep(f"{self._git.top} is not at {self.branch} as it was.", hint=STALE)

    def apply(self) -> None:
        git_, way = self._git, _way(self.way)
        try:
            run(git_, *self._push, extra=way.environment())
        except tools.ToolFailed as error:
            said = str(error)
            if "rejected" in said or "fetch first" in said or "failed to push" in said:
                raise NotPossible(
                    f"{self.remote} did not take it: it has commits that {self.branch} has not, or does not let this branch be changed.",
                    hint="Nothing was changed there. Pull first (git.pull), and push again.",
                ) from error
            raise explained(error, way, "git push") from error
        run(git_, "update-ref", "-m", "nlsh: push", f"refs/remotes/{self.remote}/{self.there}", self.head)
