"""Records of users, groups, sessions and logins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlsh.plan.records import Record


@dataclass(frozen=True, slots=True)
class User(Record):
    """A user of this machine. `kind` is person or system."""

    name: str
    id: int
    kind: str = "person"
    full_name: str = ""
    home: str = ""
    login_shell: str = ""
    columns: ClassVar = ("name", "id", "kind", "full_name", "home")


@dataclass(frozen=True, slots=True)
class UserGroup(Record):
    """A group that a user is in; `main`: the one his new files get."""

    name: str
    id: int
    main: bool = False
    columns: ClassVar = ("name", "id")


@dataclass(frozen=True, slots=True)
class Login(Record):
    """A login: who, where, from which host, since when, and until when (None: still, or not known)."""

    user: str
    terminal: str = ""
    host: str = ""
    at: float | None = None
    ended_at: float | None = None
    columns: ClassVar = ("user", "terminal", "host", "at", "ended_at")
