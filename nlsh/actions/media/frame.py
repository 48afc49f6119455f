"""media.frame: a picture out of a video, beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.media import _made
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.steps import Step
from nlsh.plan.terms import Moment
from nlsh.plan.values import Path
from nlsh.steps.media_edits import TakeFrame, TakeThumbnail, clock
from nlsh.world import World


class Frame(Action):
    """Take a still picture out of a video."""

    name = "media.frame"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        path = arg(Path(), "The video. The picture is made beside it: film-0.12.png, or film-thumbnail.png.", required=True)
        at = arg(Moment(), "Where in it: 1:30, 12 seconds, the start; left out: a tenth into it, as its very first pictures are mostly black.")

    def look(self, args: Any, world: World) -> Any:
        _made.refuse_sound((args.path,), world, "there is no picture in it")
        why = "take pictures out of videos"
        if args.at is None:
            return list(_made.beside((args.path,), world, "thumbnail", why, TakeThumbnail, lambda _: ".png"))
        return list(_made.beside((args.path,), world, clock(args.at).replace(":", "."), why, TakeFrame, lambda _: ".png", at=args.at))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("save the picture at 1 second of clips/sea.y4m", "grab a frame of clips/sea.y4m at 1 second", "截取视频clips/sea.y4m在1秒处的画面"),
            plan='media.frame("clips/sea.y4m", at="1 second")',
            given={"clips/sea.y4m": _made.FILM},
            after={"clips/sea-0.01.png": {}, "clips/sea.y4m": _made.FILM},
            may_lack=True,
        ),
        Example(
            say=("make a thumbnail of the video clips/sea.y4m", "any picture out of clips/sea.y4m will do as a cover", "给视频clips/sea.y4m截张封面图"),
            plan='media.frame("clips/sea.y4m")',
            given={"clips/sea.y4m": _made.FILM},
            after={"clips/sea-thumbnail.png": {}, "clips/sea.y4m": _made.FILM},
            may_lack=True,
        ),
        Example(
            say=("make a picture of the first frame of clips/sea.y4m", "the first frame of clips/sea.y4m as a picture"),
            plan='media.frame("clips/sea.y4m", at="first frame")',
            given={"clips/sea.y4m": _made.FILM},
            after={"clips/sea-0.00.png": {}},
            may_lack=True,
        ),
        Example(
            say=("把视频clips/sea.y4m的第一帧存成图片",),
            plan='media.frame("clips/sea.y4m", at="第一帧")',
            given={"clips/sea.y4m": _made.FILM},
            after={"clips/sea-0.00.png": {}},
            may_lack=True,
        ),
        Example(
            say=("extract the still at 0:01.4 from clips/sea.y4m", "导出clips/sea.y4m在0:01.4的一帧"),
            plan='media.frame("clips/sea.y4m", at="0:01.4")',
            given={"clips/sea.y4m": _made.FILM},
            after={"clips/sea-0.01.4.png": {}},
            may_lack=True,
        ),
        Example(
            say=("a frame of Music/talk.wav at 0:01", "截取Music/talk.wav在0:01的一帧"),
            plan='media.frame("Music/talk.wav", at="0:01")',
            given={"Music/talk.wav": _made.BEEP},
            refused="action.refused",
        ),
        Example(
            say=("a frame of clips/gone.mp4 at 0:01", "截取clips/gone.mp4在0:01的一帧"),
            plan='media.frame("clips/gone.mp4", at="0:01")',
            refused="world.not-found",
        ),
    )
