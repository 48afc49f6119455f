"""device.mount: make the files of a disk or stick reachable."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from nlsh.actions.device import _storage
from nlsh.plan.action import Action, BaseArgs, Example, Looked, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import Device
from nlsh.plan.values import Path
from nlsh.steps.storage import MountVolume
from nlsh.world import World, places, volumes
from nlsh.world.volumes import Volume


class Mount(Action):
    """Mount a disk or stick where the system mounts such things."""

    name = "device.mount"
    effects = ("dev.read", "dev.control", "bus.call")

    class Args(BaseArgs):
        device = arg(Device(), "The device.", required=True)
        to = arg(Path(), "The folder to mount it on; the system picks another, and says which.")

    def look(self, args: Any, world: World) -> Any:
        found = volumes.volumes()
        if (image := _storage.image_at(args.device, world)) and not any(v.model == image for v in found):
            raise NotPossible(f"{image} is an image, and no device shows what is in it.", hint=f"{_storage.NOTHING} Set one up: udisksctl loop-setup -f IMAGE")
        meant = self._meant(args.device, world, found)
        if meant.mounts:
            raise Refused(f"{meant.node} is mounted already, on {', '.join(meant.mounts)}.", hint=_storage.NOTHING)
        _storage.need_service("mount a disk")
        # LIMIT: mount(2) is closed to every worker by Landlock itself, and the disk service takes no folder.
        return Looked((MountVolume(*_storage.known(meant)),), (_elsewhere(meant, args.to, world),) if args.to else ())

    @staticmethod
    def _meant(written: str, world: World, found: list[Volume]) -> Volume:
        """Return what is not mounted yet of what is meant, or else what is."""
        lacking = "holds no file system that could be mounted"
        try:
            return volumes.choose(written, world, found, lambda v: _storage.holds_files(v) and not v.mounts, lacking)
        except Refused:
            return volumes.choose(written, world, found, _storage.holds_files, lacking)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen.steps

    examples = (
        Example(
            say=("mount the usb stick", "i plugged in my usb stick, make its files reachable", "mount the stick please", "挂载U盘"),
            plan='device.mount("the usb stick")',
            may_lack=True,
        ),
        Example(
            say=("mount backup.img", "open the disk image backup.img", "把backup.img挂载上"),
            plan='device.mount("backup.img")',
            given={"backup.img": {"size": "1MB"}},
            may_lack=True,
        ),
        Example(say=("mount /dev/sdz9 on /mnt", "把/dev/sdz9挂到/mnt"), plan='device.mount("/dev/sdz9", to="/mnt")', refused="world.not-found"),
    )


def _elsewhere(volume: Volume, to: str, world: World) -> str:
    command = f"sudo mount {volume.node} {shlex.quote(places.new(to, cwd=world.cwd, home=world.home))}"
    return f"It will not be on {to}: the disk service picks the folder itself, and says which when it is done. For {to}, run yourself: {command}"
