"""device.unmount: let go of a disk or stick."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.device import _storage
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.steps import Step
from nlsh.plan.terms import Device
from nlsh.steps.storage import UnmountVolume
from nlsh.world import World, machine, volumes


class Unmount(Action):
    """Unmount a disk or stick; what was not written to it yet is written first."""

    name = "device.unmount"
    effects = ("dev.read", "dev.control", "bus.call")

    class Args(BaseArgs):
        device = arg(Device(), "The device, or the folder it is mounted on.", required=True)

    def look(self, args: Any, world: World) -> Any:
        meant = volumes.choose(args.device, world, volumes.volumes(), lambda v: bool(v.mounts), "is not mounted")
        _storage.not_of_the_system(meant, "unmounted")
        _storage.need_service("unmount a disk")
        return (*_storage.known(meant), read_only(meant.mounts))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield UnmountVolume(*seen)

    examples = (
        Example(
            say=("unmount the usb stick", "let go of my usb stick", "umount the stick", "卸载U盘"),
            plan='device.unmount("the usb stick")',
            may_lack=True,
        ),
        Example(say=("unmount /dev/sdz9", "取消挂载/dev/sdz9"), plan='device.unmount("/dev/sdz9")', refused="world.not-found"),
    )


def read_only(places: tuple[str, ...]) -> str:
    """Return "ro" where what is mounted there may only be read: the options to mount it with again."""
    return "ro" if any(m.mount in places and "ro" in m.options.split(",") for m in machine.mounts()) else ""
