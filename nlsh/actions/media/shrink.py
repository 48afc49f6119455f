"""media.shrink: a smaller copy of a sound or video file, beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.image import _chosen
from nlsh.actions.media import _made
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Bytes
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import Pixels
from nlsh.plan.values import Paths
from nlsh.steps.media_edits import ShrinkMedia
from nlsh.world import World


class Shrink(Action):
    """Make smaller copies of sound and video files."""

    name = "media.shrink"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        paths = arg(Paths(), "The files. Each stays; the smaller one is made beside it: film-small.mp4, talk-small.mp3 of a wav, flac or aiff.", required=True)
        to = arg(Bytes(), "At most so much: 25MB; left out: with lesser quality.")
        height = arg(Pixels(), "At most so many pixels on the shorter side, as in 720p, where no size is said.", default=720)

    def look(self, args: Any, world: World) -> Any:
        small = next((p for p in _chosen.files(args.paths, world) if args.to and os.path.getsize(p) <= args.to), "")
        if small:
            raise Refused(f"{small} is not larger than that.", hint="Nothing was changed. Leave it out.")
        return list(_made.beside(args.paths, world, "small", "make recordings smaller", ShrinkMedia, _smaller, size=args.to or 0, height=args.height))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("make the video clips/sea.y4m smaller, 8px high", "compress clips/sea.y4m to 8px high", "把视频clips/sea.y4m压缩到8px高"),
            plan='media.shrink("clips/sea.y4m", height="8px")',
            given={"clips/sea.y4m": _made.FILM},
            after={"clips/sea-small.y4m": {}, "clips/sea.y4m": _made.FILM},
            may_lack=True,
        ),
        Example(
            say=("make the recording Music/talk.wav smaller", "compress the audio of Music/talk.wav", "把录音Music/talk.wav压小"),
            plan='media.shrink("Music/talk.wav")',
            given={"Music/talk.wav": _made.BEEP},
            after={"Music/talk-small.mp3": {}, "Music/talk.wav": _made.BEEP},
            may_lack=True,
        ),
        Example(
            say=("squeeze the recording Music/talk.wav to under 1GB", "把录音Music/talk.wav压到1GB以内"),
            plan='media.shrink("Music/talk.wav", to="1GB")',
            given={"Music/talk.wav": _made.BEEP},
            refused="action.refused",
        ),
        Example(
            say=(
                "compress the film clips/gone.mp4 to 20MB",
                "make the video clips/gone.mp4 small enough for an e-mail, 20MB at most",
                "把clips/gone.mp4压到20MB，好发邮件",
            ),
            plan='media.shrink("clips/gone.mp4", to="20MB")',
            refused="world.not-found",
        ),
        Example(
            say=("compress every film in nowhere to 10MB", "把nowhere里的影片都压到10MB"),
            plan='media.shrink("nowhere/*.mp4", to="10MB")',
            refused="world.not-found",
        ),
    )


def _smaller(ending: str) -> str:
    """Return the ending of what a file with this one is made smaller as: what holds sound as it is takes as much of it in any quality."""
    return ".mp3" if ending.lower() in (".wav", ".flac", ".aif", ".aiff") else ending
