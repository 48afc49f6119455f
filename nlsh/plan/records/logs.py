"""Records of what was logged."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class LogEntry(Record):
    """An entry of a log. `level` is emergency, alert, critical, error, warning, notice, info or debug; empty where the log does not say."""

    at: float | None
    source: str
    text: str
    level: str = ""
    pid: int | None = None
    unit: str = ""
    columns: ClassVar = ("at", "source", "level", "text")
