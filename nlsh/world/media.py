"""Sound and video, by ffprobe's JSON: what a file is. And where ffmpeg's programs are.

Owns ffprobe's arguments and the meaning of what it says.
"""

from __future__ import annotations

import json
import os
from typing import Any

from nlsh.plan.errors import NotPossible
from nlsh.plan.records.media import Media
from nlsh.world import tools


def program(name: str, why: str) -> str:
    """Return the path of ffmpeg or ffprobe. Raises NotPossible where it is not installed."""
    return tools.find(name, why=why, install="ffmpeg")


def probing(ffprobe: str, path: str) -> tuple[str, ...]:
    """Return the command that says what the file `path` is. Nothing but files may be opened: a playlist could name addresses."""
    return (ffprobe, "-hide_banner", "-v", "error", "-protocol_whitelist", "file", "-of", "json", "-show_format", "-show_streams", "-i", f"file:{path}")


def look(ffprobe: str, path: str) -> Media:
    """Return what ffprobe says of the file `path`. Raises NotPossible and tools.ToolFailed."""
    try:
        found = json.loads(tools.output(probing(ffprobe, path)))
        told, streams = dict(found["format"]), list(found["streams"])
    except (ValueError, KeyError, TypeError) as error:
        raise NotPossible(f"ffprobe did not say what {path} is.", hint="Nothing was changed. It may be damaged.") from error
    # The picture of a cover is a video stream, too.
    video: dict[str, Any] = next((s for s in streams if s.get("codec_type") == "video" and not (s.get("disposition") or {}).get("attached_pic")), {})
    sound: dict[str, Any] = next((s for s in streams if s.get("codec_type") == "audio"), {})
    tags = {str(k).lower(): v for k, v in (told.get("tags") or {}).items()}
    return Media(
        path, str(told.get("format_name", "")), _float(told.get("duration")), _int(told.get("size")), str(video.get("codec_name", "")),
        _int(video.get("width")), _int(video.get("height")), _rate(video.get("avg_frame_rate")), str(sound.get("codec_name", "")),
        _int(sound.get("sample_rate")), _int(sound.get("channels")), _int(told.get("bit_rate")),
        sum(s.get("codec_type") == "subtitle" for s in streams), str(tags.get("title", "")),
    )  # fmt: skip


def _int(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _rate(value: Any) -> float | None:
    above, _, below = str(value).partition("/")
    try:
        return round(float(above) / float(below or 1), 3)
    except (ValueError, ZeroDivisionError):
        return None


def outside_the_system(path: str) -> tuple[str, ...]:
    """Return the program's own path where a worker could not read it otherwise: it is not in one of the system's folders."""
    real = os.path.realpath(path)
    return () if real.startswith(("/usr/", "/bin/", "/sbin/", "/lib")) else (real,)
