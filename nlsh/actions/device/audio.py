"""device.audio: sound cards, speakers and microphones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, Example
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.world import World, hardware


class Audio(Action):
    """List sound cards, speakers and microphones."""

    name = "device.audio"
    effects = ("dev.read",)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("dev.read", "audio"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from hardware.sound()

    examples = (
        Example(
            say=("which sound cards are there", "list the audio devices", "what speakers and microphones does this machine have", "有哪些声卡"),
            plan="device.audio()",
            may_lack=True,
        ),
    )
