"""Pictures, by Pillow: what they are, and how they are opened safely. Only for the confined worker: a picture is parsed nowhere else.

Owns which formats are read (none that runs a program), how large a picture may be, and what its metadata says.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import IO, Any

from nlsh.plan.errors import NlshError, NotPossible, Refused
from nlsh.plan.records.pictures import Picture

# Not EPS, which would start ghostscript, nor the formats of old programs that nobody looks after.
_READ = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "ICO", "AVIF", "PPM", "JPEG2000", "TGA")
_MODULES = ("Jpeg", "Mpo", "Png", "WebP", "Gif", "Bmp", "Tiff", "Ico", "Avif", "Ppm", "Jpeg2K", "Tga", "Pdf")
# All frames together; at four bytes each this is what one picture may take of memory. The largest phone cameras give 200 million.
MOST_PIXELS = 220_000_000
MOST_FRAMES = 2_000
_HEIC = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1", b"ftypheim", b"ftypheis")
_MAKE, _MODEL, _ORIENTATION, _TIME, _EXIF, _GPS, _ORIGINAL = 271, 272, 274, 306, 34665, 34853, 36867
UNCHANGED = "Nothing was changed."


@contextmanager
def opened(file: IO[bytes], path: str) -> Iterator[Any]:
    """Give the picture, not decoded yet. Raises NotPossible for what is none, is damaged or cannot be read here, and Refused for a bomb."""
    from PIL import Image, UnidentifiedImageError

    _load()
    start = file.read(16)
    file.seek(0)
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)
            with Image.open(file, formats=_READ) as picture:
                refuse_huge(picture.width * picture.height * min(getattr(picture, "n_frames", 1), MOST_FRAMES), path)
                if getattr(picture, "n_frames", 1) > MOST_FRAMES:
                    raise Refused(f"{path} has more than {MOST_FRAMES:,} frames.", hint=UNCHANGED)
                yield picture
    except NlshError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path) from error
    except UnidentifiedImageError as error:
        if start[4:12] in _HEIC:
            raise NotPossible(f"Not available here, because the picture library (Pillow) cannot read HEIC, which {path} is.", hint=UNCHANGED) from error
        raise NotPossible(f"{path} is not a picture that can be read here.", hint=UNCHANGED) from error
    except (ValueError, SyntaxError, TypeError, KeyError, IndexError, EOFError, ArithmeticError) as error:
        raise NotPossible(f"{path} is damaged: {error}.", hint=UNCHANGED) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise NotPossible(f"{path} cannot be read: {error}.", hint=f"{UNCHANGED} It may be damaged.") from error


@cache
def _load() -> None:
    """Import what reads and writes these formats, and nothing for the others."""
    import importlib

    for name in _MODULES:
        importlib.import_module(f"PIL.{name}ImagePlugin")


def refuse_huge(pixels: int, path: str) -> None:
    """Raise Refused where a picture would have more pixels than nlsh holds in memory."""
    if pixels > MOST_PIXELS:
        raise _too_large(path)


def _too_large(path: str) -> Refused:
    return Refused(f"{path} is a picture of more than {MOST_PIXELS:,} pixels: that would take too much memory.", hint=UNCHANGED)


def orientation(picture: Any) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none or nonsense."""
    try:
        found = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # whatever Pillow makes of broken metadata, the picture itself may be fine
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def record(picture: Any, path: str, size_bytes: int) -> Picture:
    """Return what there is to say about an open picture."""
    width, height = picture.size
    if orientation(picture) >= 5:
        width, height = height, width
    taken, camera, latitude, longitude = _metadata(picture)
    kind = "JPEG" if picture.format == "MPO" else str(picture.format)
    return Picture(path, kind.lower(), width, height, size_bytes, getattr(picture, "n_frames", 1) if kind != "JPEG" else 1, taken, camera, latitude, longitude)


def _metadata(picture: Any) -> tuple[str, str, float | None, float | None]:
    try:
        exif = picture.getexif()
        details, gps = exif.get_ifd(_EXIF), exif.get_ifd(_GPS)
        taken = _text(details.get(_ORIGINAL) or exif.get(_TIME))
        if len(taken) >= 10:
            taken = taken[:10].replace(":", "-") + taken[10:]
        make, model = _text(exif.get(_MAKE)), _text(exif.get(_MODEL))
        camera = model if model.startswith(make) else f"{make} {model}".strip()
        return taken, camera, _degrees(gps.get(2), gps.get(1), "S", 90), _degrees(gps.get(4), gps.get(3), "W", 180)
    except Exception:  # as above
        return "", "", None, None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value or "").split("\0")[0].strip()[:200]


def _degrees(parts: Any, reference: Any, negative: str, most: int) -> float | None:
    try:
        degrees, minutes, seconds = (float(p) for p in parts)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    value = degrees + minutes / 60 + seconds / 3600
    if not 0 <= value <= most:
        return None
    return round(-value if _text(reference).upper() == negative else value, 6)


def look(path: str) -> Picture:
    """Return what there is to say about the picture at `path`. Raises NotPossible, Refused and OSError."""
    with open(path, "rb") as file, opened(file, path) as picture:
        return record(picture, path, os.fstat(file.fileno()).st_size)
