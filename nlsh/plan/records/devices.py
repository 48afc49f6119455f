"""Records of devices: partitions, the health of disks, printers, what is paired over Bluetooth."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class Partition(Record):
    """A partition, or a disk that holds a file system without any. `mount` is where it is mounted, places separated by commas."""

    name: str
    disk: str
    size_bytes: int
    file_system: str = ""
    label: str = ""
    mount: str = ""
    type: str = ""
    uuid: str = ""
    columns: ClassVar = ("name", "size_bytes", "file_system", "label", "mount")


@frozen()
class DiskHealth(Record):
    """What a disk says of itself: `health` is healthy, failing or unknown; `source` is who told it."""

    name: str
    health: str
    model: str = ""
    temperature_celsius: float | None = None
    powered_on_hours: int | None = None
    worn_percent: float | None = None
    detail: str = ""
    source: str = ""
    columns: ClassVar = ("name", "health", "model", "temperature_celsius", "powered_on_hours", "detail")


@frozen()
class Printer(Record):
    """A printer. `state` is idle, printing or stopped; `jobs` are those that wait or print."""

    name: str
    state: str
    description: str = ""
    jobs: int = 0
    accepts_jobs: bool = True
    is_default: bool = False
    detail: str = ""
    columns: ClassVar = ("name", "state", "jobs", "description", "detail")


@frozen()
class BluetoothDevice(Record):
    """A Bluetooth device that this machine knows. `battery_percent` is None where it does not tell."""

    name: str
    address: str
    kind: str = ""
    connected: bool = False
    paired: bool = False
    battery_percent: int | None = None
    columns: ClassVar = ("name", "address", "kind", "connected", "paired", "battery_percent")
