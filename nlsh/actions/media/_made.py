"""The new files that are made of sound and video: where they may be, which programs make them; and small real recordings for the examples."""

from __future__ import annotations

import base64
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, TypedDict

from nlsh.actions.image import _chosen
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.steps.media import MakeMedia
from nlsh.steps.media_edits import is_sound
from nlsh.world import World, media, tools

# A second of silence: 8,000 samples of one byte.
BEEP = b"RIFF\x64\x1f\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x40\x1f\0\0" + b"\x80" * 8000
# Two seconds of grey, five small pictures each, without sound.
FILM = b"YUV4MPEG2 W16 H16 F5:1 Ip A1:1 C420jpeg\n" + (b"FRAME\n" + b"\x80" * 384) * 10
# A second of film, 16 by 16 pixels, with sound: a Matroska file.
CLIP = zlib.decompress(base64.b64decode(
    "eNqt1G9IE2EcB/DnORUXUs1K+0OhZREF5gQjS4JtbtigOfM2RSh0njrETGsu8EW0Zzvd6RQxFbGkcleRaWLYDBtxZhoGiQjF6EWURIVkkf0hehPd3ZT7+aZXPWy7z2/Pc7/nu2dw24xveF7fSLD+l/"
    "j+RqL134lK7+Gq7XXnapxVdr1P/KqBUFtotwMjacRkxZuv1I0L7PxcL2UO+ekBNsHUX0EPkr5IlWgdqhKr5+ZQi1htsD5x0IMe3B8pt9MhcdITk7QY6YZo9P+HlOeWwH7pbNm9P3zPu16vNbvZ4/bz"
    "FYU6+WJo4rRtbnmpFFYbFtjDe178GFqOxIQJdk5xy81wL0G7gr1e15kyjqDGtoJic54xJyPNRFvSdHSel+CUd1427tMEets0TNQPifoyoZjAVfHOYbEhDjZtFD+lRslospVDqYilNjEre50ME0rZi1"
    "q9V6Ou2JJnowvueNW+qYIQGz15H3kJNd9+jeAgpxW08k2lZUTNBDostS7nsXJ7GcaZWJskz0hnr70tsPWLm284nTPMuJ9RfpZjutvI+4y52RaDMd/gaxYPhkmuri13ZDimA0aeM9jydVaTJdfg69Ro"
    "jkiv9AMazSGNPBByOmdX9aMc0z2wX4vc73RlaY2Y618dM1c6JmWPuvQTAntpYWzoI0G834OQWxX3IStloITvIihW/MfwCFLHipfReJKTKlzkmz0owa1SDY6seyp5H/BR4BPA5cD1wK3AfcBB4Gcr9h"
    "M0Kx3iKD3eKk28BouWFOMY4K3AqcA6YBtwJfAF4HYlBO6WQ9jcUgh8EywaA54Bngf+qZhaA7wDOB3YCFykhKCK5RCF8klQ1WARAe4C7gd+BDwH/B74t+KotcA7lRBRe+UQRfJJRB0Ei0zAp4DPAjcA"
    "9wDfBX4M/HLZ1zv6xGoBRSpXgEUzf0qkR1y3wHZ9bn8VahshsQ+axUfrkocq/EoS/wLgS/ID"
))  # fmt: skip


class Programs(TypedDict):
    """The paths of ffmpeg and ffprobe, as the fields of a MakeMedia; ffprobe's is empty where there is none and none is needed."""

    ffmpeg: str
    ffprobe: str


def beside(
    paths: tuple[str, ...], world: World, mark: str, why: str, step: type[MakeMedia], ending: Callable[[str], str] = str, **fields: Any
) -> Iterator[Step]:
    """Yield a step for each file that is meant; what it makes is called as the file with `mark`, and ends with what `ending` makes of its ending.

    Raises NotPossible where ffmpeg is not installed, and what `_chosen.beside` raises.
    """
    refuse_wide(os.path.dirname(p) for p in _chosen.files(paths, world))
    make = partial(step, ffmpeg="", **fields)
    found = list(_chosen.beside(paths, world, lambda stem, own: f"{stem}-{mark}{ending(own)}", make))
    # Last: what cannot be meant is said where there is no ffmpeg, too.
    tools_here = programs(step, why)
    yield from (replace(s, **tools_here) for s in found)


def refuse_sound(paths: tuple[str, ...], world: World, why: str) -> None:
    """Raise Refused where one of the files that are meant has only sound in it."""
    if only := next((p for p in _chosen.files(paths, world) if is_sound(p)), ""):
        raise Refused(f"{only} is all sound: {why}.", hint="Nothing was changed. Name videos.")


def programs(step: type[MakeMedia], why: str) -> Programs:
    """Return the paths of the programs that a step needs. Raises NotPossible where one is not installed."""
    probe = media.program("ffprobe", why) if step.LOOKS else tools.present("ffprobe") or ""
    return {"ffmpeg": media.program("ffmpeg", why), "ffprobe": probe}


def refuse_wide(folders: Any) -> None:
    """Raise Refused where ffmpeg would have to be let into a whole home folder."""
    for folder in folders:
        if folder in (os.path.realpath(os.path.expanduser("~")), "/"):
            raise Refused(
                f"That lies in {folder} itself: ffmpeg would have to be let into all of it.",
                hint="Nothing was changed. Move it into a folder of its own, and ask again.",
            )
