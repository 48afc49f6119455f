"""Records of what is in the trash."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class TrashedFile(Record):
    """Something in the trash. `path` is where it was (where it is now, if nobody knows that), `deleted_at` when it was thrown away (None: not known).

    `kept` is where it is now; `size_bytes` what it takes on disk.
    """

    path: str
    deleted_at: float | None = None
    size_bytes: int = 0
    type: str = "file"
    kept: str = ""
    columns: ClassVar = ("path", "deleted_at", "size_bytes")
