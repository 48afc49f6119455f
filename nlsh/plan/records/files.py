"""What is found out about files beside their status: trees, copies, checksums, differences, events and attributes."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class TreeEntry(Record):
    """A line of a tree. `entry` is the name with the branches before it, `depth` 0 for the folder that was asked for."""

    entry: str
    path: str
    type: str
    depth: int
    target: str | None = None
    columns: ClassVar = ("entry",)
    heads: ClassVar = False


@frozen()
class Duplicate(Record):
    """A file that has the content of an older one, `same_as`: what is left over, so that a later call never takes all copies."""

    path: str
    same_as: str
    size_bytes: int
    columns: ClassVar = ("path", "same_as", "size_bytes")


@frozen()
class Checksum(Record):
    """The checksum of a file in hexadecimal. `matches`: whether it is the one that was expected, None where none was."""

    checksum: str
    path: str
    algorithm: str
    matches: bool | None = None
    columns: ClassVar = ("checksum", "path")


@frozen()
class Comparison(Record):
    """What two files or folders are to each other. `result`: same, different, only here or only there; `byte` and `line` count from 1."""

    result: str
    path: str
    detail: str = ""
    byte: int | None = None
    line: int | None = None
    columns: ClassVar = ("result", "path", "detail")


@frozen()
class RecentFile(Record):
    """A file that was opened or changed, whichever was later, and when."""

    path: str
    at: float
    what: str
    columns: ClassVar = ("path", "at", "what")


@frozen()
class FileEvent(Record):
    """Something that happened to a file or folder: created, changed, removed, renamed (from `before`) or attributes."""

    what: str
    path: str
    at: float
    before: str | None = None
    columns: ClassVar = ("what", "path", "before")
    heads: ClassVar = False


@frozen()
class FileAttribute(Record):
    """An attribute of a file. `kind`: attribute (an extended one), access, default access, or flags."""

    path: str
    kind: str
    name: str
    value: str
    columns: ClassVar = ("path", "kind", "name", "value")
