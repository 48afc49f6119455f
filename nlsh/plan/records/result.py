"""Records of what is done with results."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class Grouped(Record):
    """How many rows of a result share something, and how many bytes they are together (None where they have no size)."""

    name: str
    count: int
    size_bytes: int | None = None
    columns: ClassVar = ("name", "count", "size_bytes")
