"""device.eject: put a disc out, or make a stick safe to pull."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.device import _storage
from nlsh.actions.device.unmount import read_only
from nlsh.plan.action import Action, BaseArgs, Example, Never, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import Device
from nlsh.steps._bus import asked
from nlsh.steps.storage import EjectVolume, UnmountVolume
from nlsh.world import World, udisks, volumes
from nlsh.world.volumes import Volume


class Eject(Action):
    """Eject a disc or make a stick safe to pull out: what is mounted from it is unmounted first."""

    name = "device.eject"
    effects = ("dev.read", "dev.control", "bus.call")
    undo = Never("it has to be put in again by hand")

    class Args(BaseArgs):
        device = arg(Device(), "The device; left out: the only one that can be ejected.")

    def look(self, args: Any, world: World) -> Any:
        found = volumes.volumes()
        disk = self._disk(args.device, world, found)
        _storage.not_of_the_system(disk, "ejected")
        _storage.need_service("eject a device")
        with asked("system", udisks.SERVICE, "the disk service") as bus:
            _, drive = udisks.drive_of(bus, disk.node)
        method = "Eject" if drive.get("Ejectable") else "PowerOff" if drive.get("CanPowerOff") else ""
        if not method:
            raise Refused(f"{disk.shown()} cannot be ejected: it is built in.", hint=_storage.NOTHING)
        mounted = [v for v in found if v.disk == disk.node and v.mounts]
        return {"mounted": [(*_storage.known(v), read_only(v.mounts)) for v in mounted], "disk": _storage.known(disk), "method": method}

    def _disk(self, written: str | None, world: World, found: list[Volume]) -> Volume:
        if written:
            node = volumes.choose(written, world, found).disk
            return next(v for v in found if v.node == node)
        there = [v for v in found if v.node == v.disk and not v.system and (v.external or v.removable or v.kind == "rom") and (v.size_bytes or v.made_of)]
        if not there:
            raise NotPossible("Not available here, because nothing that could be ejected is plugged in.", hint=_storage.NOTHING)
        if len(there) > 1:
            raise Refused(f"{len(there)} devices could be ejected: {'; '.join(v.shown() for v in there)}.", hint=f"{_storage.NOTHING} Say which.")
        return there[0]

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        for volume in seen["mounted"]:
            yield UnmountVolume(*volume)
        yield EjectVolume(*(*seen["disk"], seen["method"]))

    examples = (
        Example(say=("eject the disc", "i want to pull the stick out", "safely remove the usb drive", "安全弹出U盘"), plan="device.eject()", may_lack=True),
        Example(say=("eject /dev/sdz", "弹出/dev/sdz"), plan='device.eject("/dev/sdz")', refused="world.not-found"),
    )
