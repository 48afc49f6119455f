"""Records of services, timers and cron."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class Service(Record):
    """A service. `state` is systemd's active state (active, inactive, failed, …), `detail` its sub-state; `at_start`: enabled, disabled, static, masked, …"""

    name: str
    state: str
    detail: str = ""
    at_start: str = ""
    description: str = ""
    pid: int | None = None
    memory_bytes: int | None = None
    since: float | None = None
    path: str = ""
    columns: ClassVar = ("name", "state", "detail", "at_start", "description")


@frozen()
class Timer(Record):
    """A timer, what it starts, and when it does: None where it is not known, or not planned."""

    name: str
    starts: str
    next_at: float | None = None
    last_at: float | None = None
    description: str = ""
    columns: ClassVar = ("name", "starts", "next_at", "last_at")


@frozen()
class CronEntry(Record):
    """What cron runs, when (in cron's own notation, or hourly, daily, weekly, monthly), as whom, and the file that says so."""

    when: str
    user: str
    command: str
    path: str = ""
    columns: ClassVar = ("when", "user", "command", "path")
