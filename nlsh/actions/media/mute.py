"""media.mute: a video without its sound, as a new file beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.media import _made
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.steps import Step
from nlsh.plan.values import Paths
from nlsh.steps.media_edits import MuteMedia
from nlsh.world import World


class Mute(Action):
    """Take the sound out of videos."""

    name = "media.mute"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        paths = arg(Paths(), "The videos. Each stays; the silent one is made beside it: film-silent.mp4.", required=True)

    def look(self, args: Any, world: World) -> Any:
        _made.refuse_sound(args.paths, world, "nothing would be left of it")
        return list(_made.beside(args.paths, world, "silent", "take sound out of videos", MuteMedia))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=(
                "remove the sound from clips/sea.mkv",
                "make a silent version of the video clips/sea.mkv",
                "mute the video clips/sea.mkv",
                "去掉视频clips/sea.mkv的声音",
            ),
            plan='media.mute("clips/sea.mkv")',
            given={"clips/sea.mkv": _made.CLIP},
            after={"clips/sea-silent.mkv": {}, "clips/sea.mkv": _made.CLIP},
            may_lack=True,
        ),
        Example(
            say=("strip the audio track from every video in clips", "把clips里的视频都去掉声音"),
            plan='a = file.find(under="clips", named="*.mkv"); media.mute(a)',
            given={"clips/sea.mkv": _made.CLIP, "clips/sky.mkv": _made.CLIP},
            after={"clips/sea-silent.mkv": {}, "clips/sky-silent.mkv": {}},
            may_lack=True,
        ),
        Example(
            say=("take the sound out of Music/talk.wav", "去掉Music/talk.wav的声音"),
            plan='media.mute("Music/talk.wav")',
            given={"Music/talk.wav": _made.BEEP},
            refused="action.refused",
        ),
        Example(
            say=("mute the video clips/sea.mkv once more", "再把clips/sea.mkv静音一次"),
            plan='media.mute("clips/sea.mkv")',
            given={"clips/sea.mkv": _made.CLIP, "clips/sea-silent.mkv": "an older one"},
            refused="action.refused",
        ),
    )
