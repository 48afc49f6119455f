"""media.speed: a faster or slower copy of a recording, beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.media import _made
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.steps import Step
from nlsh.plan.terms import Factor
from nlsh.plan.values import Paths
from nlsh.steps.media_edits import SpeedMedia
from nlsh.world import World


class Speed(Action):
    """Make copies of recordings faster or slower."""

    name = "media.speed"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        paths = arg(Paths(), "The files. Each stays; its copy is made beside it: talk-150speed.mp3.", required=True)
        by = arg(Factor("speed"), "How many times as fast: 2x, 150%, half; or by how much: 50% faster, 20% slower.", required=True)

    def look(self, args: Any, world: World) -> Any:
        return list(_made.beside(args.paths, world, f"{args.by * 100:.0f}speed", "change how fast recordings are", SpeedMedia, factor=args.by))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("speed Music/talk.wav up to 1.5x", "make the lecture Music/talk.wav play 1.5x as fast", "把Music/talk.wav加速到1.5x"),
            plan='media.speed("Music/talk.wav", by="1.5x")',
            given={"Music/talk.wav": _made.BEEP},
            after={"Music/talk-150speed.wav": {}, "Music/talk.wav": _made.BEEP},
            may_lack=True,
        ),
        Example(
            say=(
                "slow the video clips/sea.y4m down to half speed",
                "make a slow motion copy of clips/sea.y4m at half speed",
                "把视频clips/sea.y4m放慢到一半速度",
            ),
            plan='media.speed("clips/sea.y4m", by="half")',
            given={"clips/sea.y4m": _made.FILM},
            after={"clips/sea-50speed.y4m": {}},
            may_lack=True,
        ),
        Example(
            say=("make Music/talk.wav play at 25% speed", "让Music/talk.wav以25%的速度播放"),
            plan='media.speed("Music/talk.wav", by="25%")',
            given={"Music/talk.wav": _made.BEEP},
            after={"Music/talk-25speed.wav": {}},
            may_lack=True,
        ),
        Example(
            say=("speed Music/gone.wav up to 2x", "把Music/gone.wav加速2x"),
            plan='media.speed("Music/gone.wav", by="2x")',
            refused="world.not-found",
        ),
        Example(
            say=("speed up the folder Music to 2x", "把Music文件夹加速2x"),
            plan='media.speed("Music", by="2x")',
            given={"Music/talk.wav": _made.BEEP},
            refused="action.refused",
        ),
    )
