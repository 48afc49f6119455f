"""Records of the archive actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlsh.plan.records import Record


@dataclass(frozen=True, slots=True)
class Whole(Record):
    """An archive that was read to its end and is whole. `files` is how many it holds, `size_bytes` how much they are unpacked."""

    path: str
    files: int
    size_bytes: int
    columns: ClassVar = ("path", "files", "size_bytes")
