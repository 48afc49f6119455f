"""Records of the git actions."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class GitChange(Record):
    """A file that differs from the last commit. `staged` is what the next commit has of it, `unstaged` what it has not; `was` is its old path."""

    path: str
    staged: str = ""
    unstaged: str = ""
    was: str = ""
    columns: ClassVar = ("path", "staged", "unstaged", "was")


@frozen()
class GitCommit(Record):
    """A commit. `at` is when it was written, in seconds since the epoch."""

    id: str
    at: float
    author: str
    subject: str
    email: str = ""
    columns: ClassVar = ("id", "at", "author", "subject")


@frozen()
class GitBranch(Record):
    """A branch. `ahead` and `behind` count commits against its upstream branch, None where it has none or that is gone."""

    name: str
    current: bool
    at: float
    subject: str
    id: str = ""
    upstream: str = ""
    ahead: int | None = None
    behind: int | None = None
    columns: ClassVar = ("name", "current", "at", "subject", "upstream", "ahead", "behind")
