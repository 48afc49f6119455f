"""Records: the typed results of actions. A table on a terminal, plain lines on a pipe, objects with `--json`.

Sizes are bytes, times are seconds since the epoch, durations are seconds, shares are per cent: the field names say so.
Here are those that several rooms use; a room's own stand in a module of this package that is called after it.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any, ClassVar

from nlsh.plan.frozen import frozen

RECORD_TYPES: dict[str, type[Record]] = {}


class Record:
    """Base of all results. `line` names the field that a plain line shows first, and that a later call takes."""

    columns: ClassVar[tuple[str, ...]] = ()
    heads: ClassVar[bool] = True  # whether a table of these says above each column what it is
    on_disk: ClassVar[bool] = True  # whether its `path` is a place here, that a later call may take, and not a name in some file

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A dataclass with slots is built twice; two classes of one name would be taken for each other.
        if RECORD_TYPES.setdefault(cls.__name__, cls).__module__ != cls.__module__:
            raise TypeError(f"{cls.__name__} is a record of {RECORD_TYPES[cls.__name__].__module__} already")
        RECORD_TYPES[cls.__name__] = cls

    def plain(self) -> str:
        """Return the line for a pipe: the columns, separated by tabs."""
        return "\t".join(_plain(getattr(self, c)) for c in self.columns)

    def as_data(self) -> dict[str, Any]:
        """Return JSON-able data; `record_from_data` is its inverse. Fields are flat: a search sends a hundred thousand of these."""
        kind: Any = type(self)  # mypy takes no class for hashable
        return {"record": kind.__name__, **{name: getattr(self, name) for name in _field_names(kind)}}


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.1f}"
    return str(value)


@cache
def _field_names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


def record_from_data(data: dict[str, Any]) -> Record:
    """Rebuild a record sent by a worker."""
    given = dict(data)
    name = given.pop("record")
    if name not in RECORD_TYPES:
        _import_all()
    kind = RECORD_TYPES[name]
    for name, value in given.items():
        if type(value) is list:
            given[name] = tuple(value)
    return kind(**given)


@cache
def _import_all() -> None:
    import importlib
    from pathlib import Path

    for file in Path(__file__).parent.glob("[a-z]*.py"):
        importlib.import_module(f"{__name__}.{file.stem}")


@frozen()
class File(Record):
    """A file, folder or link. `type` is file, folder, link or other."""

    path: str
    type: str = "file"
    size_bytes: int = 0
    modified_at: float = 0.0
    mode: int = 0
    owner: str = ""
    columns: ClassVar = ("path",)


@frozen()
class FileInfo(Record):
    """Everything there is to say about one file."""

    path: str
    type: str
    size_bytes: int
    mode: int
    owner: str
    group: str
    modified_at: float
    accessed_at: float
    created_at: float | None
    links: int
    inode: int
    target: str | None = None
    content_type: str | None = None
    columns: ClassVar = ("path", "type", "size_bytes", "mode", "owner", "modified_at")


@frozen()
class Size(Record):
    """How much a folder holds. `size_bytes` is what is on disk in it, `files` how many."""

    path: str
    size_bytes: int
    files: int
    columns: ClassVar = ("path", "size_bytes")


@frozen()
class Tally(Record):
    """A count of something."""

    count: int
    of: str
    path: str = ""
    columns: ClassVar = ("count",)


@frozen()
class TextCount(Record):
    """Lines, words, characters of a text file."""

    path: str
    lines: int
    words: int
    characters: int
    columns: ClassVar = ("path", "lines", "words", "characters")


@frozen()
class Line(Record):
    """One line of a text, without its line end. `number` counts from 1; `path` is empty when there is just one file."""

    text: str
    number: int = 0
    path: str = ""
    columns: ClassVar = ("text",)


@frozen()
class Match(Record):
    """A line of a file in which a text was found."""

    path: str
    number: int
    text: str
    columns: ClassVar = ("path", "number", "text")


@frozen()
class Member(Record):
    """A member of an archive."""

    path: str
    size_bytes: int
    type: str = "file"
    on_disk: ClassVar = False
    columns: ClassVar = ("path", "size_bytes")


@frozen()
class Process(Record):
    """A running process. `cpu_percent` is of one core, over the sampling time; `memory_bytes` is resident."""

    pid: int
    name: str
    user: str = ""
    cpu_percent: float = 0.0
    memory_bytes: int = 0
    memory_percent: float = 0.0
    status: str = ""
    started_at: float = 0.0
    command: str = ""
    port: int | None = None
    columns: ClassVar = ("pid", "name", "user", "cpu_percent", "memory_bytes", "command")


@frozen()
class Cpu(Record):
    """Use of the processor (`core` is 'all' or a number)."""

    core: str
    used_percent: float
    mhz: float | None = None
    load_1m: float | None = None
    load_5m: float | None = None
    load_15m: float | None = None
    columns: ClassVar = ("core", "used_percent")


@frozen()
class Memory(Record):
    """Use of memory (`kind` is memory or swap)."""

    kind: str
    total_bytes: int
    used_bytes: int
    available_bytes: int
    used_percent: float
    columns: ClassVar = ("kind", "total_bytes", "used_bytes", "available_bytes", "used_percent")


@frozen()
class Disk(Record):
    """How full a file system is."""

    mount: str
    device: str
    total_bytes: int
    used_bytes: int
    free_bytes: int
    used_percent: float
    type: str = ""
    columns: ClassVar = ("mount", "device", "total_bytes", "used_bytes", "free_bytes", "used_percent")


@frozen()
class Mount(Record):
    """A mounted file system."""

    mount: str
    device: str
    type: str
    options: str = ""
    columns: ClassVar = ("mount", "device", "type", "options")


@frozen()
class Device(Record):
    """A block, USB or graphics device."""

    name: str
    kind: str
    description: str = ""
    size_bytes: int | None = None
    detail: str = ""
    columns: ClassVar = ("name", "kind", "description", "size_bytes", "detail")


@frozen()
class Socket(Record):
    """A listening socket and who owns it."""

    port: int
    protocol: str
    address: str
    pid: int | None = None
    process: str = ""
    columns: ClassVar = ("port", "protocol", "address", "pid", "process")


@frozen()
class Address(Record):
    """An address of a network interface."""

    interface: str
    family: str
    address: str
    up: bool = True
    columns: ClassVar = ("interface", "family", "address")


@frozen()
class Fact(Record):
    """A named fact about the system."""

    name: str
    value: str
    columns: ClassVar = ("name", "value")


@frozen()
class Change(Record):
    """A change that was made: the words of its step, and the path or process it left behind."""

    what: str
    path: str = ""
    columns: ClassVar = ("what",)


@frozen()
class Note(Record):
    """Something a person must know beside the result (folders that could not be read): shown on stderr, never part of the result."""

    text: str
    columns: ClassVar = ()


@frozen()
class Exit(Record):
    """How a raw command ended."""

    status: int
    columns: ClassVar = ()


@frozen()
class Kept(Record):
    """What the shell of a raw command has when it ends (folder, variables, functions), as it said it itself: for the next line, never part of the result."""

    state: str
    columns: ClassVar = ()


@frozen()
class HistoryEntry(Record):
    """A run of the journal. `status`: running, done, partly, failed, cancelled or interrupted; `undo`: yes, or why not."""

    run: int
    at: float
    request: str
    plan: str
    status: str
    done: int
    total: int
    undo: str
    columns: ClassVar = ("run", "at", "status", "request", "undo")
