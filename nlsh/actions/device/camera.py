"""device.camera: the cameras of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, hardware


class Camera(Action):
    """List cameras."""

    name = "device.camera"
    effects = ("dev.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("dev.read", "camera"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from hardware.cameras()

    examples = (
        Example(
            say=("is there a webcam", "list cameras", "which cameras does this computer see", "有摄像头吗"),
            plan="device.camera()",
            may_lack=True,
        ),
    )
