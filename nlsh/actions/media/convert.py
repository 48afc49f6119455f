"""media.convert: sound or video in another format, beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from nlsh.actions.image import _chosen
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import MEDIA_FORMATS, Among
from nlsh.plan.values import Paths
from nlsh.steps.media import ConvertMedia
from nlsh.world import World, media, tools

_BEEP = b"RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x40\x1f\0\0" + b"\x80" * 8000


class Convert(Action):
    """Convert sound or video to another format."""

    name = "media.convert"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        paths = arg(Paths(), "The files. Each stays; the new one is made beside it: talk.mp3.", required=True)
        to = arg(Among(MEDIA_FORMATS), "The new format: mp3, mp4, …", required=True)

    def look(self, args: Any, world: World) -> Any:
        whole = (os.path.realpath(world.home), "/")
        for path in _chosen.files(args.paths, world):
            if os.path.splitext(path)[1].lower() == f".{args.to}":
                raise Refused(f"{path} is {args.to} already.", hint="Nothing was changed. Leave it out.")
            if os.path.dirname(path) in whole:
                raise Refused(
                    f"{path} lies in {os.path.dirname(path)} itself: ffmpeg would have to be let into all of it.",
                    hint="Nothing was changed. Move it into a folder of its own, and convert it there.",
                )
        ffmpeg = media.program("ffmpeg", "convert sound and video")
        make = partial(ConvertMedia, to=args.to, ffmpeg=ffmpeg, ffprobe=tools.present("ffprobe") or "")
        return list(_chosen.beside(args.paths, world, lambda stem, ending: f"{stem}.{args.to}", make))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("convert Music/beep.wav to mp3", "make an mp3 of Music/beep.wav", "Music/beep.wav as mp3 please", "把Music/beep.wav转成mp3"),
            plan='media.convert("Music/beep.wav", to="mp3")',
            given={"Music/beep.wav": _BEEP},
            after={"Music/beep.mp3": {}, "Music/beep.wav": _BEEP},
            may_lack=True,
        ),
        Example(
            say=("turn all wavs in Music into flac", "convert every wav in Music to flac", "把Music里的wav都转成flac"),
            plan='a = file.find(under="Music", kind="wavs"); media.convert(a, to="flac")',
            given={"Music/a.wav": _BEEP, "Music/b.wav": _BEEP},
            after={"Music/a.flac": {}, "Music/b.flac": {}},
            may_lack=True,
        ),
        Example(
            say=("convert beep.wav to wav", "make a wav of beep.wav", "把beep.wav转成wav"),
            plan='media.convert("beep.wav", to="wav")',
            given={"beep.wav": _BEEP},
            refused="action.refused",
        ),
    )
