"""Records of the picture actions."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class Picture(Record):
    """A picture. Width and height are in pixels, as it is seen; `taken` is the camera's own clock; the place is in degrees, north and east positive."""

    path: str
    format: str
    width_px: int
    height_px: int
    size_bytes: int
    frames: int = 1
    taken: str = ""
    camera: str = ""
    latitude_degrees: float | None = None
    longitude_degrees: float | None = None
    columns: ClassVar = ("path", "format", "width_px", "height_px", "size_bytes", "taken", "camera", "latitude_degrees", "longitude_degrees")
