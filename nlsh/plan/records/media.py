"""Records of the sound and video actions."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class Media(Record):
    """A sound or video file. `duration_s` is in seconds; `video` and `sound` are the codecs of its first such streams, empty where it has none."""

    path: str
    format: str
    duration_s: float | None
    size_bytes: int | None
    video: str = ""
    width_px: int | None = None
    height_px: int | None = None
    frames_per_s: float | None = None
    sound: str = ""
    sample_rate_hz: int | None = None
    channels: int | None = None
    bits_per_s: int | None = None
    subtitles: int = 0
    title: str = ""
    columns: ClassVar = ("path", "format", "duration_s", "size_bytes", "video", "width_px", "height_px", "sound")
