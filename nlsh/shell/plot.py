"""A course drawn as a plot in the terminal: bars in eighths of a line over time, with what they amount to at the side."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nlsh.shell.show import escape_name

if TYPE_CHECKING:
    from nlsh.plan.records.resource import Course

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_SIDE = 8  # columns: what a line amounts to
_LEAST = 20  # columns of a plot


def plot(of: Course, columns: int, rows: int) -> Iterator[str]:
    """Yield the lines of a plot that is `rows` high: per cent of a hundred, anything else of its own highest. What was not noted is a gap.

    A course of ten values, on a narrow terminal: one column each, and wider where there is room.
    """
    room = max(_LEAST, columns - _SIDE - 2)
    points = _squeezed(of.series, room)
    each = max(1, room // max(1, len(points)))
    top = 100.0 if of.of != "load" else float(max(1, math.ceil(of.highest)))
    unit = "" if of.of == "load" else " %"
    yield f"{escape_name(of.of)}{unit}  now {of.latest:.1f}, lowest {of.lowest:.1f}, mean {of.mean:.1f}, highest {of.highest:.1f}"
    for row in range(rows, 0, -1):
        label = f"{top * row / rows:.0f}" if row in (rows, (rows + 1) // 2) else ""
        yield f"{label:>{_SIDE - 2}} ┤" + "".join(_cell(value, top, row, rows) * each for value in points).rstrip()
    wide = len(points) * each
    yield " " * (_SIDE - 1) + "└" + "─" * wide
    begun = f"{_span(len(of.series) * of.step_seconds)} ago"
    yield " " * _SIDE + begun + "now".rjust(max(4, wide - len(begun)))


def _cell(value: float | None, top: float, row: int, rows: int) -> str:
    if value is None:
        return " "
    eighths = round(min(value, top) / top * rows * 8) - (row - 1) * 8
    # What was noted is never nothing.
    return _EIGHTHS[min(8, max(eighths, 1 if row == 1 else 0))]


def _squeezed(series: tuple[float | None, ...], room: int) -> list[float | None]:
    """Return at most `room` values: means of as many in a row as it takes."""
    step = max(1, math.ceil(len(series) / room))
    found: list[float | None] = []
    for start in range(0, len(series), step):
        known = [v for v in series[start : start + step] if v is not None]
        found.append(sum(known) / len(known) if known else None)
    return found


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h" if minutes < 2880 else f"{minutes / 1440:.0f} days"
