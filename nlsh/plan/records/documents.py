"""Records of the PDF actions."""

from __future__ import annotations

from typing import ClassVar

from nlsh.plan.frozen import frozen
from nlsh.plan.records import Record


@frozen()
class Pdf(Record):
    """A PDF file. Width and height are those of its first page, in millimetres; `created` is as the file says it, YYYY-MM-DD hh:mm."""

    path: str
    pages: int
    title: str
    author: str
    size_bytes: int
    created: str = ""
    program: str = ""
    width_mm: float | None = None
    height_mm: float | None = None
    columns: ClassVar = ("path", "pages", "title", "author", "size_bytes")
