"""device.health: whether a disk says that it is healthy."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.records import Record
from nlsh.plan.records.devices import DiskHealth
from nlsh.plan.terms import Device
from nlsh.steps._bus import asked
from nlsh.world import World, disk_health, tools, udisks, volumes

_WHY = "disks tell their health to root only (CAP_SYS_RAWIO CAP_SYS_ADMIN)"


class Health(Action):
    """Show whether disks say that they are healthy, with their temperature and hours of use where they tell."""

    name = "device.health"
    effects = ("dev.read", "bus.read", "tool.read", "dev.control", "priv.root")

    class Args(BaseArgs):
        device = arg(Device(), "The disk; left out: all.")

    def look(self, args: Any, world: World) -> Any:
        found = volumes.volumes()
        disks = [v for v in found if v.kind == "disk" and not v.name.startswith(("zram", "ram", "md"))]
        if args.device:
            disk = volumes.choose(args.device, world, found).disk
            disks = [v for v in disks if v.node == disk]
        if not disks:
            raise NotPossible("Not available here, because there is no disk of its own that could be asked.", hint="Nothing was changed.")
        by_service = _service_is_there()
        tool = not by_service and os.geteuid() == 0 and tools.present("smartctl") is not None
        return {"disks": [[d.node, d.model] for d in disks], "by": "service" if by_service else "tool" if tool else "kernel"}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        if seen["by"] == "service":
            return (Effect("dev.read", "block"), Effect("bus.read", "system"))
        if seen["by"] == "kernel":
            return (Effect("dev.read", "block"),)
        nodes = [node for node, _ in seen["disks"]]
        asks = (Effect("tool.read", shlex.join(disk_health.command(node))) for node in nodes)
        # To ask a disk is an order to it: without the right to give any, it may not even be opened for that.
        return (Effect("dev.read", "block"), *asks, *(Effect("dev.control", node) for node in nodes), Effect("priv.root", _WHY))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        told: dict[str, DiskHealth] = {}
        if seen["by"] == "service":
            with asked("system", udisks.SERVICE, "the disk service") as bus:
                told = udisks.health(bus)
        for node, model in seen["disks"]:
            name = os.path.basename(node)
            if seen["by"] == "tool":
                told[node] = disk_health.by_smartctl(node)
            yield told.get(node) or disk_health.by_kernel(name, model) or DiskHealth(name, "unknown", model, detail=_silence(seen["by"]))

    examples = (
        Example(
            say=("is the disk healthy", "check the health of my drives", "is the hard disk about to fail", "硬盘健康吗"),
            plan="device.health()",
            may_lack=True,
        ),
        Example(say=("is the drive nlsh-none still good", "检查nlsh-none的健康"), plan='device.health("nlsh-none")', refused="world.not-found"),
    )


def _silence(by: str) -> str:
    if by == "service":
        return "it does not tell: a virtual disk or a simple stick"
    return "not known: it takes UDisks, or root rights and smartctl (smartmontools), to ask it"


def _service_is_there() -> bool:
    try:
        with asked("system", udisks.SERVICE, "the disk service"):
            return True
    except NlshError:
        return False
