"""What is made of a sound or video file besides another format: a part of it, louder or faster, silent, smaller, a picture, several joined."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.records.media import Media
from nlsh.steps import _fs
from nlsh.steps.media import SOUND, MakeMedia
from nlsh.world.files import Identity

_UNCHANGED = "Nothing was made."
_SLOWEST = 0.5  # of one filter; slower takes several, one after the other
_LEAST_VIDEO, _SOUND_BITS = 60_000, 96_000
_ONE_PICTURE = ("-an", "-sn", "-dn", "-frames:v", "1", "-update", "1")


def clock(seconds: float) -> str:
    """Return a place in a recording as people write it.

    >>> clock(90), clock(3661.5)
    ('1:30', '1:01:01.5')
    """
    whole, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(whole), 60)
    last = f"{rest:06.3f}".rstrip("0").rstrip(".")
    return f"{hours}:{minutes:02}:{last}" if hours else f"{minutes}:{last}"


def is_sound(path: str) -> bool:
    """Return whether a file's name says that there is only sound in it."""
    return os.path.splitext(path)[1].lower().lstrip(".") in (*SOUND, "aac", "wma", "aiff", "aif")


@dataclass(frozen=True, kw_only=True)
class CutMedia(MakeMedia):
    """Take the part from `start` on, in seconds, that is `length` long (0: to the end)."""

    start: float = 0.0
    length: float = 0.0

    def words(self) -> str:
        until = f" to {clock(self.start + self.length)}" if self.length else " to the end"
        return f"make {self.target}, {self.source} from {clock(self.start)}{until}"

    def before(self, seen: tuple[Media, ...]) -> tuple[str, ...]:
        return ("-ss", f"{self.start:.3f}", *(("-t", f"{self.length:.3f}") if self.length else ()))

    def options(self, seen: tuple[Media, ...]) -> tuple[str, ...]:
        # Sound can be cut where one likes; a film only at whole pictures, so that it is encoded anew.
        return ("-vn", "-c", "copy") if is_sound(self.source) else ("-sn", "-dn")

    def refuse_made(self, made: os.stat_result, read: os.stat_result) -> None:
        if made.st_size < 200 and self.start:
            raise Refused(f"There is nothing in {self.source} from {clock(self.start)} on.", hint=f"{_UNCHANGED} See how long it is with media.info.")


@dataclass(frozen=True, kw_only=True)
class MuteMedia(MakeMedia):
    """Take the pictures of a film without its sound, as they are."""

    def words(self) -> str:
        return f"make {self.target}, {self.source} without sound"

    def options(self, seen: tuple[Media, ...]) -> tuple[str, ...]:
        return ("-an", "-sn", "-dn", "-c:v", "copy")


@dataclass(frozen=True, kw_only=True)
class LoudenMedia(MakeMedia):
    """Make the sound `factor` times as loud; pictures stay as they are."""

    factor: float

    def words(self) -> str:
        return f"make {self.target}, {self.source} {self.factor:g} times as loud"

    def options(self, seen: tuple[Media, ...]) -> tuple[str, ...]:
        return ("-sn", "-dn", *(("-vn",) if is_sound(self.source) else ("-c:v", "copy")), "-filter:a", f"volume={self.factor:.4f}")


@dataclass(frozen=True, kw_only=True)
class SpeedMedia(MakeMedia):
    """Make it run `factor` times as fast; voices keep their pitch."""

    factor: float

    def words(self) -> str:
        return f"make {self.target}, {self.source} {self.factor:g} times as fast"

    def options(self, seen: tuple[Media, ...]) -> tuple[str, ...]:
        rest, tempo = self.factor, []
        while rest < _SLOWEST:
            tempo.append(f"atempo={_SLOWEST}")
            rest /= _SLOWEST
        sound = ("-filter:a", ",".join([*tempo, f"atempo={rest:.6f}"]))
        return ("-vn", *sound) if is_sound(self.source) else ("-sn", "-dn", "-filter:v", f"setpts=PTS/{self.factor:.6f}", *sound)


@dataclass(frozen=True, kw_only=True)
class TakeFrame(MakeMedia):
    """Make a picture of the film at `at` seconds."""

    at: float = 0.0

    def words(self) -> str:
        return f"make {self.target}, the picture at {clock(self.at)} of {self.source}"

    def before(self, seen: tuple[Media, ...]) -> tuple[str, ...]:
        return ("-ss", f"{self.at:.3f}")

    def options(self, seen: tuple[Media, ...]) -> tuple[str, ...]:
        return _ONE_PICTURE


@dataclass(frozen=True, kw_only=True)
class TakeThumbnail(MakeMedia):
    """Make a picture of the film at a tenth of its length: its very first ones are mostly black."""

    LOOKS: ClassVar[bool] = True

    def words(self) -> str:
        return f"make {self.target}, a picture from a tenth into {self.source}"

    def before(self, seen: tuple[Media, ...]) -> tuple[str, ...]:
        return ("-ss", f"{(seen[0].duration_s or 0.0) / 10:.3f}") if seen else ()

    def options(self, seen: tuple[Media, ...]) -> tuple[str, ...]:
        return _ONE_PICTURE


@dataclass(frozen=True, kw_only=True)
class ShrinkMedia(MakeMedia):
    """Make it smaller: at most `size` bytes, or, where that is 0, of lesser quality, with at most `height` pixels on the shorter side."""

    LOOKS: ClassVar[bool] = True

    size: int = 0
    height: int = 720

    def words(self) -> str:
        lesser = "of lesser quality" if is_sound(self.source) else f"with at most {self.height} pixels on its shorter side"
        how = f"in at most {self.size:,} bytes" if self.size else lesser
        return f"make {self.target}, {self.source} {how}"

    def options(self, seen: tuple[Media, ...]) -> tuple[str, ...]:
        if not self.size:
            # The shorter side, as in "720p": a film of a telephone stands upright.
            short = [f"min({self.height},trunc({side}/2)*2)" for side in ("iw", "ih")]
            scale = f"scale='if(gt(iw,ih),-2,{short[0]})':'if(gt(iw,ih),{short[1]},-2)'"
            return ("-vn", "-b:a", "64k") if is_sound(self.source) else ("-sn", "-dn", "-filter:v", scale, "-crf", "28", "-b:a", "96k")
        # A tenth less, for what is around pictures and sound. Until it runs, its length is not known.
        bits = int(self.size * 8 * 0.9 / max(seen[0].duration_s or 60.0 if seen else 60.0, 0.1))
        if is_sound(self.source):
            return ("-vn", "-b:a", str(max(min(bits, 320_000), 8_000)))
        picture = str(max(bits - _SOUND_BITS, _LEAST_VIDEO))
        return ("-sn", "-dn", "-b:v", picture, "-maxrate", picture, "-bufsize", picture, "-b:a", str(_SOUND_BITS))

    def refuse_made(self, made: os.stat_result, read: os.stat_result) -> None:
        if self.size and made.st_size > self.size:
            raise NotPossible(
                f"{self.source} does not fit into {self.size:,} bytes: it comes to {made.st_size:,}.", hint=f"{_UNCHANGED} Cut it, or allow more."
            )
        if made.st_size >= read.st_size:
            raise NotPossible(f"{self.source} does not get smaller this way.", hint=f"{_UNCHANGED} It is packed tightly already: cut it instead.")


@dataclass(frozen=True, kw_only=True)
class JoinMedia(MakeMedia):
    """Put several one after the other. `others` are those after the first, with what each is known by."""

    LOOKS: ClassVar[bool] = True

    others: tuple[tuple[str, Identity], ...]

    def words(self) -> str:
        return f"make {self.target} of {len(self.others) + 1} files, one after the other"

    def sources(self) -> tuple[str, ...]:
        return (self.source, *(path for path, _ in self.others))

    def check(self) -> None:
        super().check()
        if not self.back:
            for path, known in self.others:
                _fs.still_there(path, known)

    def options(self, seen: tuple[Media, ...]) -> tuple[str, ...]:
        count = len(self.others) + 1
        if is_sound(self.target):
            inputs = "".join(f"[{n}:a:0]" for n in range(count))
            return ("-filter_complex", f"{inputs}concat=n={count}:v=0:a=1[sound]", "-map", "[sound]")
        # Until it runs, each is as if it were an ordinary film.
        films = seen or (Media("", "", None, None, "h264", 1280, 720, None, "aac"),) * count
        sound = any(f.sound for f in films)
        return ("-filter_complex", ";".join(self._filters(films, sound)), "-map", "[film]", *(("-map", "[sound]") if sound else ()))

    @staticmethod
    def _filters(films: tuple[Media, ...], sound: bool) -> Iterator[str]:
        """Yield the filters: all pictures get the size of the first film's, and a film without sound among those with it is silent as long as it runs."""
        wide, high = (films[0].width_px or 640) // 2 * 2, (films[0].height_px or 360) // 2 * 2
        for n in range(len(films)):
            yield f"[{n}:v:0]scale={wide}:{high}:force_original_aspect_ratio=decrease,pad={wide}:{high}:-1:-1,setsar=1,format=yuv420p[v{n}]"
            if sound and not films[n].sound:
                # Where its length is not known, concat fills up what is missing until its pictures end.
                yield f"anullsrc=channel_layout=stereo:sample_rate=48000,atrim=duration={films[n].duration_s or 0.1:.3f}[a{n}]"
        heard = [f"[{n}:a:0]" if f.sound else f"[a{n}]" for n, f in enumerate(films)]
        inputs = "".join(f"[v{n}]" + (heard[n] if sound else "") for n in range(len(films)))
        yield f"{inputs}concat=n={len(films)}:v=1:a={int(sound)}[film]{'[sound]' if sound else ''}"
