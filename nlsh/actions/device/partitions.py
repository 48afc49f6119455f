"""device.partitions: the partitions of a disk and the file systems on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.records.devices import Partition
from nlsh.plan.terms import Device
from nlsh.world import World, volumes
from nlsh.world.volumes import Volume


class Partitions(Action):
    """List the partitions of a disk, with their file systems, names and where they are mounted."""

    name = "device.partitions"
    effects = ("dev.read",)

    class Args(BaseArgs):
        device = arg(Device(), "The disk; left out: all.")

    def look(self, args: Any, world: World) -> Any:
        # lsblk knows the names of file systems from the device manager, or, for root, from the disks: a confined worker may not open those.
        found = volumes.volumes()
        if args.device:
            disk = volumes.choose(args.device, world, found).disk
            found = [v for v in found if v.disk == disk]
        return [
            [v.name, v.disk.removeprefix("/dev/"), v.size_bytes, v.file_system, v.label or v.part_label, ", ".join(v.mounts), v.kind, v.uuid]
            for v in found
            if _holds_something(v)
        ]

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("dev.read", "block"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        for row in seen:
            yield Partition(*row)

    examples = (
        Example(
            say=("list the partitions", "how are the disks divided", "which partitions are there and what is on them", "看看磁盘分区"),
            plan="device.partitions()",
            may_lack=True,
        ),
    )


def _holds_something(volume: Volume) -> bool:
    """Whether it is a partition, or a disk used as one; a disk that is divided is shown by its partitions."""
    return volume.node != volume.disk or bool(volume.file_system or volume.mounts)
