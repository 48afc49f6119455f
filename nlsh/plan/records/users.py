"""Records of users, groups, sessions and logins."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class User(Record):
    """A user of this machine. `kind` is person or system."""

    name: str
    id: int
    kind: str = "person"
    full_name: str = ""
    home: str = ""
    login_shell: str = ""
    columns: ClassVar = ("name", "id", "kind", "full_name", "home")


@frozen()
class UserGroup(Record):
    """A group that a user is in; `main`: the one his new files get."""

    name: str
    id: int
    main: bool = False
    columns: ClassVar = ("name", "id")


@frozen()
class Login(Record):
    """A login: who, where, from which host, since when, and until when (None: still, or not known)."""

    user: str
    terminal: str = ""
    host: str = ""
    at: float | None = None
    ended_at: float | None = None
    columns: ClassVar = ("user", "terminal", "host", "at", "ended_at")
