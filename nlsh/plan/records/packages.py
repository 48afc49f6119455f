"""Records of software packages."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
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
