"""device.label: give the file system on a disk or stick a name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.device import _storage
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import Device
from nlsh.plan.values import Name
from nlsh.steps.storage import LabelVolume, RunOnDevice
from nlsh.world import World, tools, volumes

# file system: (its tool, package, how the name is given, how it is taken away, the longest name in bytes)
_TOOLS = {
    "ext2": ("e2label", "e2fsprogs", ("{node}", "{name}"), ("{node}", ""), 16),
    "ext3": ("e2label", "e2fsprogs", ("{node}", "{name}"), ("{node}", ""), 16),
    "ext4": ("e2label", "e2fsprogs", ("{node}", "{name}"), ("{node}", ""), 16),
    "vfat": ("fatlabel", "dosfstools", ("{node}", "{name}"), ("--reset", "{node}"), 11),
    "exfat": ("exfatlabel", "exfatprogs", ("{node}", "{name}"), ("{node}", ""), 22),
    "ntfs": ("ntfslabel", "ntfs-3g", ("{node}", "{name}"), ("{node}", ""), 255),
    "xfs": ("xfs_admin", "xfsprogs", ("-L", "{name}", "{node}"), ("-L", "--", "{node}"), 12),
    "btrfs": ("btrfs", "btrfs-progs", ("filesystem", "label", "{node}", "{name}"), ("filesystem", "label", "{node}", ""), 255),
}


class Label(Action):
    """Name the file system on a disk or stick."""

    name = "device.label"
    effects = ("dev.read", "dev.control", "bus.call", "tool.run", "priv.root")

    class Args(BaseArgs):
        device = arg(Device(), "The device.", required=True)
        to = arg(Name(), "The new name.", required=True)

    def look(self, args: Any, world: World) -> Any:
        meant = volumes.choose(args.device, world, volumes.volumes(), _storage.holds_files, "holds no file system that could be named")
        if args.to == meant.label:
            raise Refused(f"{meant.node} is called “{args.to}” already.", hint=_storage.NOTHING)
        tool = _TOOLS.get(meant.file_system)
        if tool is not None and len(args.to.encode()) > tool[4]:
            raise Refused(f"“{args.to}” is too long: {meant.file_system} takes names of at most {tool[4]} bytes.", hint=_storage.NOTHING)
        if _storage.need_service_or_root("name a file system"):
            return LabelVolume(*_storage.known(meant), meant.label, args.to)
        if tool is None:
            raise NotPossible(f"Without the disk service, nlsh cannot name a {meant.file_system} file system.", hint=_storage.NOTHING)
        if meant.mounts:
            raise Refused(f"{meant.node} is mounted on {', '.join(meant.mounts)}: it is named when it is not.", hint=f"{_storage.NOTHING} Unmount it first.")
        if args.to.startswith("-") or meant.label.startswith("-"):
            raise Refused("A name that starts with a dash would be taken for an option.", hint=_storage.NOTHING)
        return self._by_tool(meant, args.to, tool)

    @staticmethod
    def _by_tool(meant: volumes.Volume, to: str, tool: tuple[str, str, tuple[str, ...], tuple[str, ...], int]) -> Step:
        program = tools.find(tool[0], why=f"name a {meant.file_system} file system", install=tool[1])

        def command(name: str) -> tuple[str, ...]:
            return (program, *(p.replace("{node}", meant.node) if "{node}" in p else p.replace("{name}", name) for p in (tool[2] if name else tool[3])))

        def words(before: str, after: str) -> str:
            return LabelVolume(meant.node, "", meant.shown(), before, after).describe()

        return RunOnDevice(
            *_storage.known(meant), command(to), words(meant.label, to), "dev.control", command(meant.label), words(to, meant.label)
        )  # fmt: skip

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("call the usb stick PHOTOS", "rename my usb stick to PHOTOS", "label the stick PHOTOS", "给U盘起名叫PHOTOS"),
            plan='device.label("the usb stick", to="PHOTOS")',
            may_lack=True,
        ),
        Example(say=("label /dev/sdz9 BACKUP", "把/dev/sdz9的卷标改成BACKUP"), plan='device.label("/dev/sdz9", to="BACKUP")', refused="world.not-found"),
    )
