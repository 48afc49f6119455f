"""Records about how the machine is used: rates, pressure, sensors, graphics cards, and how it went over the last minutes."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class SwapUse(Record):
    """How much of a process is in swap."""

    pid: int
    name: str
    user: str
    swap_bytes: int
    columns: ClassVar = ("pid", "name", "user", "swap_bytes")


@frozen()
class DiskRate(Record):
    """How fast a disk reads and writes; `busy_percent` is the share of time in which it had something to do."""

    device: str
    read_bytes_per_s: float
    write_bytes_per_s: float
    operations_per_s: float
    busy_percent: float
    columns: ClassVar = ("device", "read_bytes_per_s", "write_bytes_per_s", "operations_per_s", "busy_percent")


@frozen()
class ProcessRate(Record):
    """How fast a process reads from disks and writes to them."""

    pid: int
    name: str
    user: str
    read_bytes_per_s: float
    write_bytes_per_s: float
    command: str = ""
    columns: ClassVar = ("pid", "name", "user", "read_bytes_per_s", "write_bytes_per_s", "command")


@frozen()
class NetworkRate(Record):
    """How fast data comes and goes: of an interface, or of all that lead out of the machine together ('all')."""

    interface: str
    received_bytes_per_s: float
    sent_bytes_per_s: float
    received_total_bytes: int
    sent_total_bytes: int
    errors: int = 0
    dropped: int = 0
    columns: ClassVar = ("interface", "received_bytes_per_s", "sent_bytes_per_s", "received_total_bytes", "sent_total_bytes")


@frozen()
class Pressure(Record):
    """The share of time in which work had to wait: `tasks` 'some' (at least one task waited) or 'all' (none could go on)."""

    resource: str
    tasks: str
    last_10s_percent: float
    last_1m_percent: float
    last_5m_percent: float
    waited_seconds: float
    columns: ClassVar = ("resource", "tasks", "last_10s_percent", "last_1m_percent", "last_5m_percent")


@frozen()
class LoadAverage(Record):
    """How many tasks wanted to run, on average over 1, 5 and 15 minutes, and how many cores there are for them."""

    load_1m: float
    load_5m: float
    load_15m: float
    cores: int
    running: int
    tasks: int
    columns: ClassVar = ("load_1m", "load_5m", "load_15m", "cores", "running")


@frozen()
class Temperature(Record):
    """A temperature in degrees Celsius, with what is high and what is critical for that sensor where it says so."""

    sensor: str
    label: str
    celsius: float
    high_celsius: float | None = None
    critical_celsius: float | None = None
    columns: ClassVar = ("sensor", "label", "celsius", "high_celsius", "critical_celsius")


@frozen()
class Fan(Record):
    """How fast a fan turns, in revolutions per minute."""

    sensor: str
    label: str
    rpm: int
    columns: ClassVar = ("sensor", "label", "rpm")


@frozen()
class Battery(Record):
    """A battery. `status`: charging, discharging, full, not charging or unknown; `left_seconds` until it is empty, or full when it charges.

    `health_percent` is what it holds today of what it held when it was new.
    """

    name: str
    charge_percent: float | None
    status: str
    left_seconds: float | None = None
    left: str = ""
    power_watts: float | None = None
    health_percent: float | None = None
    cycles: int | None = None
    model: str = ""
    columns: ClassVar = ("name", "charge_percent", "status", "left", "health_percent")


@frozen()
class UserUse(Record):
    """What all processes of a user take together; `cpu_percent` is of one core, over the sampling time."""

    user: str
    cpu_percent: float
    memory_bytes: int
    memory_percent: float
    processes: int
    columns: ClassVar = ("user", "cpu_percent", "memory_bytes", "memory_percent", "processes")


@frozen()
class GpuUse(Record):
    """The use of a graphics card; what its driver does not tell is None."""

    name: str
    model: str
    load_percent: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    celsius: float | None = None
    power_watts: float | None = None
    fan_percent: float | None = None
    driver: str = ""
    columns: ClassVar = ("name", "model", "load_percent", "memory_used_bytes", "memory_total_bytes", "celsius", "power_watts")


@frozen()
class GpuProcess(Record):
    """A process that uses a graphics card, and how much of the card's memory it has."""

    pid: int
    name: str
    gpu: str
    memory_bytes: int | None = None
    columns: ClassVar = ("pid", "name", "gpu", "memory_bytes")


@frozen()
class Course(Record):
    """How something went: `series` holds its means over `step_seconds` each, the oldest first, None where nothing was recorded; `course` draws it.

    `of`: cpu and memory in per cent, load in tasks.
    """

    of: str
    course: str
    latest: float
    lowest: float
    mean: float
    highest: float
    since_at: float
    step_seconds: float
    series: tuple[float | None, ...] = ()
    columns: ClassVar = ("of", "course", "latest", "lowest", "mean", "highest", "since_at")


@frozen()
class ModelFit(Record):
    """Whether a model fits on graphics cards ('yes', 'split' over several, 'no'), where, what it needs, and the part of it that fits."""

    path: str
    fits: str
    where: str
    needs_bytes: int
    part_percent: float
    columns: ClassVar = ("path", "fits", "where", "needs_bytes", "part_percent")
