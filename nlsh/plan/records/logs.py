"""Records of what was logged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlsh.plan.records import Record


@dataclass(frozen=True, slots=True)
class LogEntry(Record):
    """An entry of a log. `level` is emergency, alert, critical, error, warning, notice, info or debug; empty where the log does not say."""

    at: float | None
    source: str
    text: str
    level: str = ""
    pid: int | None = None
    unit: str = ""
    columns: ClassVar = ("at", "source", "level", "text")
