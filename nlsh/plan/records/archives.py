"""Records of the archive actions."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class Whole(Record):
    """An archive that was read to its end and is whole. `files` is how many it holds, `size_bytes` how much they are unpacked."""

    path: str
    files: int
    size_bytes: int
    columns: ClassVar = ("path", "files", "size_bytes")
