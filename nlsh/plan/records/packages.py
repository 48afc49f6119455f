"""Records of software packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlsh.plan.records import Record


@dataclass(frozen=True, slots=True)
class Package(Record):
    """A package. `version` is what is installed, or, of one that is not, what there is; `new_version` what it could be updated to."""

    name: str
    version: str = ""
    summary: str = ""
    installed: bool = True
    new_version: str = ""
    size_bytes: int | None = None
    backend: str = ""
    columns: ClassVar = ("name", "version", "new_version", "installed", "summary")
