"""Steps on pictures: a smaller, converted, turned or stripped copy beside each, by Pillow. The picture itself is never changed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, ClassVar

from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.records import Note, Record
from nlsh.steps import handles
from nlsh.steps._stripped import STRIPPED, stripped
from nlsh.steps.content import WriteNew
from nlsh.world import pictures

# format as people say it: what Pillow calls it
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF", "ico": "ICO", "pdf": "PDF"}
# What moves may become what moves, and pages pages; of anything else, the first picture is taken.
_MOVING, _PAGED = ("GIF", "WEBP", "PNG", "AVIF"), ("TIFF", "PDF")
# What keeps EXIF and colour profiles when Pillow writes it.
_WITH_METADATA = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
_MODES = {
    "JPEG": ("L", "RGB", "CMYK"), "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"), "WEBP": ("RGB", "RGBA"), "GIF": ("1", "L", "P", "RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB"), "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"), "ICO": ("RGBA",), "PDF": ("1", "L", "RGB", "CMYK"),
    "AVIF": ("RGB", "RGBA"),
}  # fmt: skip
_OPAQUE = ("JPEG", "BMP", "PDF")
_ORIENTATION = 274


@dataclass(frozen=True, kw_only=True)
class MakePicture(WriteNew):
    """What they share: open the picture, change each of its frames, write it in a format that nlsh writes."""

    # Whether nothing of the metadata is taken over.
    BARE: ClassVar[bool] = False

    def changed(self, frame: Any) -> Any:
        """Return one frame as it is to be; it stands upright already."""
        return frame

    def format(self, picture: Any) -> str:
        """Return what Pillow calls the format that is written: the picture's own."""
        found = {"MPO": "JPEG", "DIB": "BMP"}.get(picture.format, picture.format)
        if found not in _MODES:
            raise NotPossible(f"{self.source} is {found}, which nlsh does not write.", hint=f"{pictures.UNCHANGED} Convert it with image.convert first.")
        return str(found)

    def produce(self, source: IO[bytes], target: IO[bytes]) -> None:
        with pictures.opened(source, self.source) as picture:
            target.write(self.encoded(picture).getbuffer())

    def encoded(self, picture: Any, *, quality: int = 0) -> io.BytesIO:
        """Return the changed picture as a file's content; `quality`: in this one, from 1 to 100, instead of about the picture's own."""
        from PIL import ImageOps

        format = self.format(picture)
        count = _frames(picture, format)
        profile = picture.info.get("icc_profile")
        frames, lasting = [], []
        for number in range(count):
            picture.seek(number)
            frame = ImageOps.exif_transpose(picture)
            frames.append(fitting(format, self.changed(_bare(frame, profile) if self.BARE else frame)))
            lasting.append(picture.info.get("duration", 0))
            handles.progress(number + 1, count)
        picture.seek(0)
        exif = b"" if self.BARE else _exif(picture)
        options: dict[str, Any] = {"quality": quality, "optimize": True} if quality else _options(format, picture, frames[0])
        if count > 1:
            options |= {"save_all": True, "append_images": frames[1:]}
            if format in ("GIF", "WEBP", "PNG"):
                options |= {"duration": lasting, "loop": picture.info.get("loop", 0)}
            # Every frame is whole here: none is laid over the one before.
            options |= {"GIF": {"disposal": 2}, "PNG": {"disposal": 0, "blend": 0}}.get(format, {})
        if format in _WITH_METADATA:
            options |= {"exif": exif} if exif else {}
            # A profile is of the colours it was made for: those of a CMYK picture mean nothing in RGB.
            keeps = profile and not self.BARE and ("RGB" in frames[0].mode) == ("RGB" in picture.mode or picture.mode == "P")
            options["icc_profile"] = profile if keeps else None
        written = io.BytesIO()
        try:
            frames[0].save(written, format, **options)
        except (OSError, ValueError, KeyError) as error:
            raise NotPossible(f"{self.source} cannot be written as {format}: {error}.", hint=pictures.UNCHANGED) from error
        return written


def _frames(picture: Any, format: str) -> int:
    """Return how many of a picture's frames or pages are taken over into another format."""
    kept = (picture.format in _MOVING and format in _MOVING) or format in _PAGED
    return getattr(picture, "n_frames", 1) if kept and picture.format != "MPO" else 1


def _options(format: str, picture: Any, first: Any) -> dict[str, Any]:
    if format == "JPEG":
        return _as_before(picture) if hasattr(picture, "quantization") else {"quality": 92, "optimize": True}
    if format == "WEBP":
        return {"quality": 90, "lossless": picture.format in ("PNG", "GIF", "BMP", "TIFF", "ICO")}
    if format == "ICO":
        return {"sizes": [(s, s) for s in (16, 24, 32, 48, 64, 128, 256) if s <= min(first.size)] or [first.size]}
    return {}


def _bare(frame: Any, profile: bytes | None) -> Any:
    """Return nothing but the pixels of a frame, in the colours of every screen (sRGB) where its profile says that they are in others."""
    from PIL import ImageCms

    if profile and frame.mode in ("RGB", "RGBA", "CMYK"):
        try:
            own, usual = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            frame = ImageCms.profileToProfile(frame, own, usual, outputMode="RGBA" if frame.mode == "RGBA" else "RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a profile that is none changes no colours
    plain = frame.copy()
    plain.info = {k: v for k, v in frame.info.items() if k == "transparency"}
    return plain


def _as_before(picture: Any) -> dict[str, Any]:
    """Return what makes a JPEG of the same quality: its own tables, and its own coarseness of colour."""
    from PIL import JpegImagePlugin

    sampling = JpegImagePlugin.get_sampling(picture)
    tables = picture.quantization
    usable = tables and all(len(t) == 64 and max(t) <= 255 for t in tables.values())
    return {**({"qtables": tables} if usable else {"quality": 92}), **({"subsampling": sampling} if sampling >= 0 else {}), "optimize": True}


def _exif(picture: Any) -> bytes:
    """Return the EXIF data without the orientation: the pixels are turned instead. Broken data is left out."""
    try:
        exif = picture.getexif()
        exif.pop(_ORIENTATION, None)
        return exif.tobytes() if len(exif) else b""
    except Exception:  # whatever Pillow makes of broken metadata, the picture itself may be fine
        return b""


def fitting(format: str, frame: Any) -> Any:
    """Return the frame in a mode that the format can hold; what shows through becomes white where nothing can show through."""
    from PIL import Image

    if format in _OPAQUE and (frame.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in frame.info):
        shown = frame.convert("RGBA")
        white = Image.new("RGB", frame.size, "white")
        white.paste(shown, mask=shown.getchannel("A"))
        return white
    if frame.mode in _MODES[format]:
        return frame
    has_alpha = frame.mode in ("LA", "PA", "RGBa", "La") or "transparency" in frame.info
    if frame.mode in ("I", "F", "I;16", "I;16B") and "L" in _MODES[format]:
        return _to_grey(frame)
    return frame.convert("RGBA" if "RGBA" in _MODES[format] and (has_alpha or "RGB" not in _MODES[format]) else "RGB")


def _to_grey(frame: Any) -> Any:
    """Return a picture of more than eight bits a pixel as one of eight: 16 bits are scaled, other numbers cut off."""
    if frame.mode.startswith("I;16") or (frame.mode == "I" and frame.getextrema()[1] > 255):
        return frame.convert("I").point(lambda v: v / 257).convert("L")
    return frame.convert("L")


@dataclass(frozen=True, kw_only=True)
class ResizePicture(MakePicture):
    """Make a copy of another size: `width`, `height` in pixels (0: it follows), or `scale` in per cent (0: not said)."""

    width: int = 0
    height: int = 0
    scale: float = 0.0

    def words(self) -> str:
        size = f"{self.scale:g}%" if self.scale else f"{self.width or 'any'} × {self.height or 'any'} pixels"
        return f"make {self.target}, {self.source} in {size}"

    def changed(self, frame: Any) -> Any:
        from PIL import Image

        width, height = frame.size
        if self.scale:
            new = (width * self.scale / 100, height * self.scale / 100)
        elif self.width and self.height:
            new = (self.width, self.height)
        elif self.width:
            new = (self.width, height * self.width / width)
        else:
            new = (width * self.height / height, self.height)
        size = (max(1, round(new[0])), max(1, round(new[1])))
        pictures.refuse_huge(size[0] * size[1], self.target)
        if max(size) > 65_535:
            raise Refused(f"{self.target} would be {size[0]} × {size[1]} pixels.", hint=f"{pictures.UNCHANGED} Say a smaller size.")
        if frame.mode in ("P", "PA", "1"):  # neighbours of a palette have nothing in common
            frame = frame.convert("RGBA" if frame.mode == "PA" or "transparency" in frame.info else "L" if frame.mode == "1" else "RGB")
        return frame.resize(size, Image.Resampling.LANCZOS)


@dataclass(frozen=True, kw_only=True)
class ConvertPicture(MakePicture):
    """Make a copy in another format, one of FORMATS."""

    to: str

    def words(self) -> str:
        return f"make {self.target}, {self.source} as {self.to}"

    def format(self, picture: Any) -> str:
        return FORMATS[self.to]

    def apply(self) -> Iterator[Record]:
        super().apply()
        if not self.back:
            with open(self.source, "rb") as file, pictures.opened(file, self.source) as picture:
                count = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
                if count > _frames(picture, FORMATS[self.to]):
                    yield Note(f"{self.source} holds {count} pictures; {self.target} is the first of them.")


@dataclass(frozen=True, kw_only=True)
class RotatePicture(MakePicture):
    """Make a copy turned by a quarter to the right or left, or half way round."""

    by: str
    TURNS: ClassVar = {"right": "ROTATE_270", "left": "ROTATE_90", "half": "ROTATE_180"}

    def words(self) -> str:
        return f"make {self.target}, {self.source} turned {'half way round' if self.by == 'half' else f'to the {self.by}'}"

    def changed(self, frame: Any) -> Any:
        from PIL import Image

        return frame.transpose(Image.Transpose[self.TURNS[self.by]])


@dataclass(frozen=True, kw_only=True)
class StripPicture(MakePicture):
    """Make a copy without metadata. The pixels stay as they are, unless what is removed says how to turn them or what their colours mean."""

    BARE: ClassVar[bool] = True

    def words(self) -> str:
        return f"make {self.target}, {self.source} without metadata"

    def produce(self, source: IO[bytes], target: IO[bytes]) -> None:
        with pictures.opened(source, self.source) as picture:
            format, original = self.format(picture), str(picture.format)
            as_it_is = pictures.orientation(picture) == 1 and not picture.info.get("icc_profile")
            data = self.encoded(picture).getvalue() if not as_it_is or format not in STRIPPED else b""
        if not data:
            source.seek(0)
            data = source.read()
        try:
            target.write(stripped(data, format) if format in STRIPPED else data)
        except ValueError as error:
            raise NotPossible(f"{self.source} is a damaged {original}: {error}.", hint=pictures.UNCHANGED) from error
