"""media.info: length, format and streams of sound and video files."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from nlsh.actions.image._chosen import files
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.values import Paths
from nlsh.steps import handles
from nlsh.world import World, media


class Info(Action):
    """Show length, format and streams of sound and video files."""

    name = "media.info"
    effects = ("fs.read", "tool.read")

    class Args(BaseArgs):
        paths = arg(Paths(), "The files.", required=True)

    def look(self, args: Any, world: World) -> Any:
        return {"paths": files(args.paths, world), "ffprobe": media.program("ffprobe", "look into sound and video")}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        ffprobe = seen["ffprobe"]
        commands = (Effect("tool.read", shlex.join(media.probing(ffprobe, p))) for p in seen["paths"])
        return (*commands, *(Effect("fs.read", p) for p in (*seen["paths"], *media.outside_the_system(ffprobe))))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        for number, path in enumerate(seen["paths"], start=1):
            yield media.look(seen["ffprobe"], path)
            handles.progress(number, len(seen["paths"]))

    examples = (
        Example(
            say=("how long is beep.wav", "what format is beep.wav", "show details of the recording beep.wav", "beep.wav有多长"),
            plan='media.info("beep.wav")',
            # One second of silence: 8,000 samples of one byte.
            given={"beep.wav": b"RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x40\x1f\0\0" + b"\x80" * 8000},
            result=("beep.wav",),
            may_lack=True,
        ),
        Example(
            say=("how long is nowhere.mp4", "length of the video nowhere.mp4", "nowhere.mp4的时长"),
            plan='media.info("nowhere.mp4")',
            refused="world.not-found",
        ),
    )
