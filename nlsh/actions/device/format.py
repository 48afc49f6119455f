"""device.format: make a new, empty file system on a device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.device import _storage
from nlsh.plan.action import Action, BaseArgs, Example, Never, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import FILE_SYSTEMS, Among, Device
from nlsh.steps.storage import FormatVolume, RunOnDevice
from nlsh.world import World, tools, volumes
from nlsh.world.volumes import Volume

# file system: (its tool, package, what keeps it from asking)
_TOOLS = {
    "ext4": ("mkfs.ext4", "e2fsprogs", ("-q", "-F")),
    "vfat": ("mkfs.vfat", "dosfstools", ("-I",)),
    "exfat": ("mkfs.exfat", "exfatprogs", ()),
    "ntfs": ("mkfs.ntfs", "ntfs-3g", ("-q", "-F", "-f")),
    "xfs": ("mkfs.xfs", "xfsprogs", ("-q", "-f")),
    "btrfs": ("mkfs.btrfs", "btrfs-progs", ("-q", "-f")),
}
_LIKE = {"ext2": "ext4", "ext3": "ext4", "msdos": "vfat", "fat": "vfat", "ntfs3": "ntfs"}


class Format(Action):
    """Make a new, empty file system on a device: all on it is lost, so that it is refused unless your own policy lets it be asked about."""

    name = "device.format"
    effects = ("dev.read", "dev.format", "bus.call", "tool.run", "priv.root")
    undo = Never("all that was on it is lost")

    class Args(BaseArgs):
        device = arg(Device(), "The device.", required=True)
        format = arg(Among(FILE_SYSTEMS), "ext4, vfat, exfat, …; left out: the one it has now, else exfat on what is plugged in and ext4 on what is built in.")

    def look(self, args: Any, world: World) -> Any:
        found = volumes.volumes()
        meant = _the_one_partition(volumes.choose(args.device, world, found), args.device, found)
        _storage.not_of_the_system(meant, "formatted")
        for volume in [meant, *_on(meant, found)]:
            if volume.mounts:
                raise Refused(f"{volume.node} is mounted on {', '.join(volume.mounts)}: what is in use is not formatted.", hint=_storage.NOTHING)
            if volume.kind not in ("disk", "part", "loop") or volume.file_system.endswith("_member"):
                raise Refused(f"{meant.node} is part of something bigger ({volume.shown()}): it is not formatted.", hint=_storage.NOTHING)
        if meant.read_only:
            raise Refused(f"{meant.shown()} is write-protected.", hint=_storage.NOTHING)
        file_system = args.format or _as_it_was(meant, found)
        if _storage.need_service_or_root("format a device"):
            return FormatVolume(*_storage.known(meant), file_system)
        name, package, flags = _TOOLS[file_system]
        program = tools.find(name, why=f"make a {file_system} file system", install=package)
        words = FormatVolume(meant.node, "", meant.shown(), file_system).describe()
        return RunOnDevice(*_storage.known(meant), (program, *flags, meant.node), words, "dev.format")

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("format the usb stick", "wipe my usb stick and make it empty", "reformat the stick", "把U盘格式化"),
            plan='device.format("the usb stick")',
            may_lack=True,
        ),
        Example(say=("format /dev/sdz9 as ext4", "把/dev/sdz9格式化成ext4"), plan='device.format("/dev/sdz9", format="ext4")', refused="world.not-found"),
    )


def _on(volume: Volume, found: list[Volume]) -> Iterator[Volume]:
    for node in volume.made_of:
        for below in found:
            if below.node == node:
                yield below
                yield from _on(below, found)


def _as_it_was(volume: Volume, found: list[Volume]) -> str:
    """Return the file system that a device has, or its partitions have; where that is none that is made here, one that its other machines read."""
    now = {_LIKE.get(v.file_system, v.file_system) for v in (volume, *_on(volume, found)) if v.file_system}
    if len(now) == 1 and (one := now.pop()) in _TOOLS:
        return one
    return "exfat" if volume.external or volume.removable else "ext4"


def _the_one_partition(volume: Volume, written: str, found: list[Volume]) -> Volume:
    """Return the partition that is meant where a person, not naming a node, says "the stick". Raises Refused where it has several."""
    if volume.name in written or not volume.made_of:
        return volume
    if len(volume.made_of) > 1:
        listed = ", ".join(volume.made_of)
        raise Refused(
            f"{volume.shown()} has {len(volume.made_of)} partitions: {listed}.", hint=f"{_storage.NOTHING} Say which one, or {volume.name} for all of it."
        )
    return next(v for v in found if v.node == volume.made_of[0])
