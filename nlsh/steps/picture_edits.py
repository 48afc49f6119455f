"""More that is made of pictures: a part of one, several side by side, one that fits into a size. The pictures themselves are never changed."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import IO, Any, ClassVar

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible, Refused, StaleStep
from nlsh.plan.records import Note, Record
from nlsh.plan.terms import IMAGE_FORMATS
from nlsh.steps import _fs, handles
from nlsh.steps.content import WriteNew
from nlsh.steps.pictures import FORMATS, MakePicture, fitting
from nlsh.world import pictures
from nlsh.world.files import Identity, is_same

SHAPES = {"square": (1, 1), "16:9": (16, 9), "4:3": (4, 3), "3:2": (3, 2), "9:16": (9, 16), "3:4": (3, 4), "2:3": (2, 3)}
PARTS = ("middle", "top", "bottom", "left", "right", "top left", "top right", "bottom left", "bottom right")
_BEST, _WORST = 90, 30
_LESS = 0.85  # a side, where quality alone does not do
_SMALLEST_PX = 16
_THUMB_PX, _GAP_PX = 320, 8


@dataclass(frozen=True, kw_only=True)
class CropPicture(MakePicture):
    """Keep a part of a picture: `width` × `height` pixels (0: all of it), or as much as has the `shape`, or all but `edges` pixels on every side."""

    width: int = 0
    height: int = 0
    shape: str = ""
    edges: int = 0
    part: str = "middle"

    def words(self) -> str:
        if self.edges:
            return f"make {self.target}, {self.source} without {self.edges} pixels on every side"
        size = f"{self.shape} part" if self.shape else f"{self.width or 'whole width'} × {self.height or 'whole height'} pixels"
        return f"make {self.target}, the {self.part} of {self.source}: {size}"

    def changed(self, frame: Any) -> Any:
        width, height = frame.size
        if self.edges:
            if self.edges * 2 >= min(width, height):
                raise Refused(f"{self.source} has {width} × {height} pixels: nothing would be left of it.", hint=f"{pictures.UNCHANGED} Cut off less.")
            return frame.crop((self.edges, self.edges, width - self.edges, height - self.edges))
        wide, high = self.width or width, self.height or height
        if self.shape:
            across, down = SHAPES[self.shape]
            wide, high = min(width, height * across // down) or 1, min(height, width * down // across) or 1
        if wide > width or high > height:
            raise Refused(
                f"{self.source} has only {width} × {height} pixels.", hint=f"{pictures.UNCHANGED} Say a smaller part, or enlarge it with image.resize."
            )
        left = 0 if "left" in self.part else width - wide if "right" in self.part else (width - wide) // 2
        top = 0 if "top" in self.part else height - high if "bottom" in self.part else (height - high) // 2
        return frame.crop((left, top, left + wide, top + high))


@dataclass(frozen=True, kw_only=True)
class ShrinkPicture(MakePicture):
    """Make a copy of at most `size` bytes: first of lesser quality, then of fewer pixels."""

    size: int
    scale: float = 1.0
    WITH_QUALITY: ClassVar = ("JPEG", "WEBP", "AVIF")

    def words(self) -> str:
        return f"make {self.target}, {self.source} in at most {self.size:,} bytes"

    def changed(self, frame: Any) -> Any:
        from PIL import Image

        if self.scale == 1.0:
            return frame
        if frame.mode in ("P", "PA", "1"):
            frame = frame.convert("RGBA" if frame.mode == "PA" or "transparency" in frame.info else "RGB")
        return frame.resize((max(1, round(frame.width * self.scale)), max(1, round(frame.height * self.scale))), Image.Resampling.LANCZOS)

    def produce(self, source: IO[bytes], target: IO[bytes]) -> None:
        with pictures.opened(source, self.source) as picture:
            longest, scale = max(picture.size), 1.0
            while longest * scale >= _SMALLEST_PX:
                handles.checkpoint()
                found = replace(self, scale=scale)._fitted(picture)
                if found is not None:
                    target.write(found)
                    return
                scale *= _LESS
        raise NotPossible(f"{self.source} does not fit into {self.size:,} bytes.", hint=f"{pictures.UNCHANGED} Allow more.")

    def _fitted(self, picture: Any) -> bytes | None:
        """Return the file in the best quality that fits, or None where none does."""
        if self.format(picture) not in self.WITH_QUALITY:
            data = self.encoded(picture).getvalue()
            return data if len(data) <= self.size else None
        low, high, best = _WORST, _BEST, None
        while low <= high:
            middle = (low + high) // 2
            data = self.encoded(picture, quality=middle).getvalue()
            if len(data) <= self.size:
                best, low = data, middle + 1
            else:
                high = middle - 1
        return best


@dataclass(frozen=True, kw_only=True)
class JoinPictures(WriteNew):
    """Put several pictures on one, in a row, a column or a grid. `others` are those after the first, with what each is known by."""

    others: tuple[tuple[str, Identity], ...]
    by: str

    def words(self) -> str:
        how = {"row": "side by side", "column": "one below the other", "grid": "as a sheet of small ones"}[self.by]
        return f"put {len(self.others) + 1} pictures {how} into {self.target}"

    def effects(self) -> tuple[Effect, ...]:
        return (*super().effects(), *(() if self.back else (Effect("fs.read", path) for path, _ in self.others)))

    def check(self) -> None:
        super().check()
        if not self.back:
            for path, known in self.others:
                _fs.still_there(path, known)

    def apply(self) -> Iterator[Record] | None:
        super().apply()
        return None if self.back else iter((Note(f"{self.target} holds {len(self.others) + 1} pictures."),))

    def produce(self, source: IO[bytes], target: IO[bytes]) -> None:
        from PIL import Image

        with ExitStack() as files:
            every = [(source, self.source), *((self._opened(files, path, known), path) for path, known in self.others)]
            sizes = [self._size(file, path) for file, path in every]
            places = self._places(sizes)
            wide, high = max(x + w for x, _, w, _ in places), max(y + h for _, y, _, h in places)
            pictures.refuse_huge(wide * high, self.target)
            sheet = Image.new("RGB", (wide, high), "white")
            for number, ((file, path), (x, y, w, h)) in enumerate(zip(every, places, strict=True), start=1):
                file.seek(0)
                with pictures.opened(file, path) as picture:
                    shown = self._upright(picture).convert("RGBA").resize((w, h), Image.Resampling.LANCZOS)
                sheet.paste(shown, (x, y), shown)
                handles.progress(number, len(every))
            ending = os.path.splitext(self.target)[1].lower().lstrip(".")
            format = FORMATS[next(f for f, others in IMAGE_FORMATS.items() if ending == f or ending in others)]
            written = io.BytesIO()
            fitting(format, sheet).save(written, format, **({"quality": 92} if format in ("JPEG", "WEBP") else {}))
            target.write(written.getbuffer())

    @staticmethod
    def _opened(files: ExitStack, path: str, known: Identity) -> IO[bytes]:
        with _fs.parent_of(path) as (folder, name):
            file = files.enter_context(os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder), "rb"))
        if not is_same(os.fstat(file.fileno()), known):
            raise StaleStep(f"{path} has changed since it was approved.", hint="Nothing was made. Ask again.")
        return file

    @staticmethod
    def _upright(picture: Any) -> Any:
        from PIL import ImageOps

        return ImageOps.exif_transpose(picture)

    @staticmethod
    def _size(file: IO[bytes], path: str) -> tuple[int, int]:
        with pictures.opened(file, path) as picture:
            width, height = picture.size
            return (height, width) if pictures.orientation(picture) in (5, 6, 7, 8) else (width, height)

    def _places(self, sizes: list[tuple[int, int]]) -> list[tuple[int, int, int, int]]:
        """Return where each picture goes, and how large: x, y, width, height."""
        found, at = [], 0
        if self.by == "grid":
            columns = math.ceil(math.sqrt(len(sizes)))
            for number, (w, h) in enumerate(sizes):
                shown = (max(1, w * _THUMB_PX // max(w, h)), max(1, h * _THUMB_PX // max(w, h)))
                x, y = (n * (_THUMB_PX + _GAP_PX) + _GAP_PX for n in (number % columns, number // columns))
                found.append((x + (_THUMB_PX - shown[0]) // 2, y + (_THUMB_PX - shown[1]) // 2, *shown))
            return found
        row = self.by == "row"
        across = min(h if row else w for w, h in sizes)
        for w, h in sizes:
            along = max(1, round((w / h if row else h / w) * across))
            found.append((at, 0, along, across) if row else (0, at, across, along))
            at += along
        return found
