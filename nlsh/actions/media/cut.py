"""media.cut: a part of a recording, as a new file beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.media import _made
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import BadArgument
from nlsh.plan.steps import Step
from nlsh.plan.terms import Moment
from nlsh.plan.values import Path
from nlsh.steps.media_edits import CutMedia, clock
from nlsh.world import World


class Cut(Action):
    """Take a part of a sound or video file."""

    name = "media.cut"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        path = arg(Path(), "The file. It stays; the part is made beside it: talk-0m30s-1m.mp3.", required=True)
        start = arg(Moment(), "From where: 1:30, 90 seconds; left out: its beginning.", default=0.0)
        end = arg(Moment(), "To where; left out: its end.")
        length = arg(Moment(), "How long, instead of an end.")
        need_one_of = ("start", "end", "length")

    def look(self, args: Any, world: World) -> Any:
        if args.end is not None and args.length is not None:
            raise BadArgument("media.cut takes an end or a length, not both.", hint='For example end="1:30".')
        length = args.length if args.length is not None else args.end - args.start if args.end is not None else 0.0
        if (args.end is not None or args.length is not None) and length <= 0:
            raise BadArgument("media.cut: the end is not after the start.", hint='For example start="0:30", end="1:30".')
        until = f"-{clock(args.start + length)}" if length else "-end"
        mark = f"{clock(args.start)}{until}".replace(":", ".")
        return list(_made.beside((args.path,), world, mark, "cut recordings", CutMedia, start=args.start, length=length))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=(
                "cut Music/talk.wav to its first half second, 0.5 seconds",
                "keep only the first 0.5 seconds of Music/talk.wav",
                "只保留Music/talk.wav开头0.5秒",
            ),
            plan='media.cut("Music/talk.wav", length="0.5 seconds")',
            given={"Music/talk.wav": _made.BEEP},
            after={"Music/talk-0.00-0.00.5.wav": {}, "Music/talk.wav": _made.BEEP},
            may_lack=True,
        ),
        Example(
            say=(
                "cut the part from 0:00.2 to 0:00.7 out of Music/talk.wav",
                "save 0:00.2 to 0:00.7 of Music/talk.wav on its own",
                "截取Music/talk.wav的0:00.2到0:00.7",
            ),
            plan='media.cut("Music/talk.wav", start="0:00.2", end="0:00.7")',
            given={"Music/talk.wav": _made.BEEP},
            after={"Music/talk-0.00.2-0.00.7.wav": {}},
            may_lack=True,
        ),
        Example(
            say=(
                "trim clips/sea.y4m so that it starts at 1 second",
                "drop everything before 1 second of the video clips/sea.y4m",
                "把clips/sea.y4m从1秒处截到结尾",
            ),
            plan='media.cut("clips/sea.y4m", start="1 second")',
            given={"clips/sea.y4m": _made.FILM},
            after={"clips/sea-0.01-end.y4m": {}, "clips/sea.y4m": _made.FILM},
            may_lack=True,
        ),
        Example(
            say=("take the part from 1:30 to 1:00 out of Music/talk.wav", "截取Music/talk.wav的1:30到1:00"),
            plan='media.cut("Music/talk.wav", start="1:30", end="1:00")',
            given={"Music/talk.wav": _made.BEEP},
            refused="plan.bad-argument",
        ),
        Example(
            say=("cut the first 10 seconds of Music/nowhere.mp3 out", "截取Music/nowhere.mp3的前10秒"),
            plan='media.cut("Music/nowhere.mp3", length="10 seconds")',
            refused="world.not-found",
        ),
    )
