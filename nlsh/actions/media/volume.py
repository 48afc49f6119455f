"""media.volume: a louder or quieter copy of a recording, beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.media import _made
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.steps import Step
from nlsh.plan.terms import Factor
from nlsh.plan.values import Paths
from nlsh.steps.media_edits import LoudenMedia
from nlsh.world import World


class Volume(Action):
    """Make copies of recordings louder or quieter."""

    name = "media.volume"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        paths = arg(Paths(), "The files. Each stays; its copy is made beside it: talk-loud150.mp3.", required=True)
        by = arg(Factor("volume"), "How many times as loud: 2x, 150%, half; or by how much: 50% louder, 20% quieter.", required=True)

    def look(self, args: Any, world: World) -> Any:
        return list(_made.beside(args.paths, world, f"loud{args.by * 100:.0f}", "change how loud recordings are", LoudenMedia, factor=args.by))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=(
                "make the recording Music/talk.wav twice as loud",
                "the sound in Music/talk.wav is too quiet, make it twice as loud",
                "把录音Music/talk.wav的音量调到两倍",
            ),
            plan='media.volume("Music/talk.wav", by="twice")',
            given={"Music/talk.wav": _made.BEEP},
            after={"Music/talk-loud200.wav": {}, "Music/talk.wav": _made.BEEP},
            may_lack=True,
        ),
        Example(
            say=("turn the file Music/talk.wav down to 50%", "make a copy of Music/talk.wav at 50% volume", "把Music/talk.wav的声音降到50%"),
            plan='media.volume("Music/talk.wav", by="50%")',
            given={"Music/talk.wav": _made.BEEP},
            after={"Music/talk-loud50.wav": {}},
            may_lack=True,
        ),
        Example(
            say=("make all wavs in Music 1.5 times louder", "让Music里的wav都响1.5倍"),
            plan='a = file.find(under="Music", kind="wavs"); media.volume(a, by="1.5")',
            given={"Music/talk.wav": _made.BEEP, "Music/b.wav": _made.BEEP},
            after={"Music/talk-loud150.wav": {}, "Music/b-loud150.wav": {}},
            may_lack=True,
        ),
        Example(
            say=("make the recording Music/gone.wav 2x as loud", "把录音Music/gone.wav调响2倍"),
            plan='media.volume("Music/gone.wav", by="2x")',
            refused="world.not-found",
        ),
        Example(
            say=("make the recording Music/talk.wav 500x as loud", "让录音Music/talk.wav响500倍"),
            plan='media.volume("Music/talk.wav", by="500x")',
            given={"Music/talk.wav": _made.BEEP},
            refused="plan.bad-argument",
        ),
    )
