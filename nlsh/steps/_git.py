"""What steps on repositories share: the repository as data, git run with what it is to be told, and how git's index is put back where it fails."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, StaleStep
from nlsh.plan.steps import Step
from nlsh.world import tools
from nlsh.world.git import Repository

STALE = "Nothing was changed by this step. Ask again."
Pairs = tuple[tuple[str, Any], ...]


class GitStep(Step):
    """Base: `repository` is a `Repository` as pairs."""

    repository: Pairs

    @property
    def _git(self) -> Repository:
        return Repository.from_data(dict(self.repository))

    def _effects(self, *arguments: str, files: bool = False) -> tuple[Effect, ...]:
        """Return the effects of a command that changes the repository; `files`: and those that are checked out."""
        git = self._git
        written = dict.fromkeys((git.git_dir, git.common_dir, *((git.top,) if files else ())))
        ignored = (git.ignored,) if git.ignored != "/dev/null" else ()
        return (
            Effect("tool.run", shlex.join(git.argv(*arguments))), *(Effect("fs.read", f) for f in (git.top, *git.folders, *ignored)),
            *(Effect("fs.write", f) for f in written),
        )  # fmt: skip

    def _head(self) -> tuple[str, str]:
        """Return the branch and the last commit, both empty where there is none. Raises StaleStep."""
        git = self._git
        try:
            return git.output("symbolic-ref", "-q", "--short", "HEAD", ok=(0, 1)).strip(), git.head()
        except (NlshError, OSError) as error:
            raise StaleStep(f"The repository {git.top} cannot be read any more.", hint=STALE) from error


def run(
    git: Repository, *arguments: str, names: tuple[str, ...] | None = None, told: tuple[str, ...] = (), extra: Mapping[str, str] | None = None,
    literal: bool = True,
) -> str:  # fmt: skip
    """Run git and return what it says. Raises tools.ToolFailed.

    `names` are told it as the paths that it is about, taken as they are written where it is `literal`; `told` as whatever it reads.
    """
    command = git.argv(*arguments, *(("--pathspec-from-file=-", "--pathspec-file-nul") if names is not None else ()))
    command = tuple(c for c in command if literal or c != "--literal-pathspecs")
    fed = b"".join(os.fsencode(n) + b"\0" for n in (*(names or ()), *told))
    env = tools.environment({**git.environment(), **(extra or {})})
    done = subprocess.run(command, cwd=git.top, env=env, input=fed, capture_output=True, check=False)
    if done.returncode:
        raise tools.failed(command, done.returncode, done.stderr or done.stdout)
    return os.fsdecode(done.stdout)


@contextmanager
def index_kept(git: Repository) -> Iterator[None]:
    """Put back what was staged where the block fails."""
    path = os.path.join(git.git_dir, "index")
    try:
        with open(path, "rb") as file:
            before: bytes | None = file.read()
    except FileNotFoundError:
        before = None
    try:
        yield
    except BaseException:
        with suppress(OSError):
            if before is None:
                os.unlink(path)
            else:
                beside = f"{path}.nlsh-{os.getpid()}"
                with open(beside, "xb") as file:
                    file.write(before)
                os.rename(beside, path)
        raise
