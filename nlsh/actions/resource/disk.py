"""resource.disk: how full the disks are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.values import Path
from nlsh.world import World, machine


class DiskUse(Action):
    """Show how full the disks are, or the one that a file or folder lies on."""

    name = "resource.disk"
    effects = ("sys.read",)

    class Args(BaseArgs):
        path = arg(Path(), "only the disk that this lies on")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return {"path": world.resolve(args.path) if args.path else None}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("sys.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        if seen["path"]:
            yield machine.disk_of(seen["path"])
        else:
            yield from machine.disks()

    examples = (
        Example(
            say=("how full is my disk", "how much disk space is left", "free space on this machine", "硬盘还剩多少空间"),
            plan="resource.disk()",
            result=("/", ...),
        ),
        Example(
            say=("how much room is left where photos is", "free space for the photos folder", "photos所在的磁盘还有多少空间"),
            plan='resource.disk("photos")',
            given={"photos": None},
            result=(None,),
        ),
    )
