"""Records about single processes: who started whom, what one has open, what it was started with, how it may go on."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class Branch(Record):
    """A process in the tree of who started whom; `depth` counts from 0, and `tree` draws the branch before the name."""

    pid: int
    tree: str
    name: str
    depth: int
    parent: int
    user: str = ""
    command: str = ""
    columns: ClassVar = ("pid", "tree", "user", "command")


@frozen()
class ProcessInfo(Record):
    """All about one process. What only its owner may see is None for others. `cpu_seconds` is what it has used since it started."""

    pid: int
    name: str
    command: str
    user: str
    status: str
    parent: int
    parent_name: str
    started_at: float
    running_seconds: float
    cpu_percent: float
    cpu_seconds: float
    memory_bytes: int
    memory_percent: float
    swap_bytes: int
    threads: int
    nice: int
    cores: str
    program: str | None = None
    folder: str | None = None
    files: int | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    ports: str | None = None
    service: str | None = None
    columns: ClassVar = ("pid", "name", "status", "user", "cpu_percent", "memory_bytes", "command")


@frozen()
class OpenFile(Record):
    """Something that a process holds open. `kind`: file, folder, device, pipe, socket, program, working folder or other; `descriptor` is its number."""

    path: str
    kind: str
    access: str
    pid: int
    process: str
    descriptor: int | None = None
    size_bytes: int | None = None
    columns: ClassVar = ("path", "kind", "access", "pid", "process")


@frozen()
class Variable(Record):
    """An environment variable with which a process was started; `masked`: its value is kept back, as its name says that it is a secret."""

    name: str
    value: str
    pid: int
    masked: bool = False
    columns: ClassVar = ("name", "value")


@frozen()
class ProcessLimit(Record):
    """A limit that a process runs under: the value that holds (`soft`) and the one up to which it may raise it itself (`hard`); None: no limit."""

    name: str
    soft: int | None
    hard: int | None
    unit: str
    pid: int
    process: str
    columns: ClassVar = ("name", "soft", "hard", "unit", "pid")


@frozen()
class Ended(Record):
    """A process that was waited for, and how long that took."""

    pid: int
    name: str
    waited_seconds: float
    columns: ClassVar = ("pid", "name", "waited_seconds")


@frozen()
class Started(Record):
    """A program that was started and goes on without nlsh; what it prints is in `log`."""

    pid: int
    name: str
    log: str
    command: str
    running: bool = True
    columns: ClassVar = ("pid", "name", "log")
