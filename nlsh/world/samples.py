"""How processor, memory and load have gone: samples that a running nlsh has left in its cache folder.

It owns the file's format: a fixed ring with a place for each ten seconds of a day, so that it never grows, that several sessions may write to
it without knowing of each other, and that half a write is only one sample lost. Writing is `nlsh.monitor`'s.
"""

from __future__ import annotations

import math
import os
import re
import stat
import struct

from nlsh.plan.frozen import frozen
from nlsh.plan.records.resource import Course

STEP_S = 10
SLOTS = 8640  # a day
KEPT_S = STEP_S * SLOTS
MAGIC = b"nlsh samples 1\n\0"
_SAMPLE = struct.Struct("<dfff")
SIZE = len(MAGIC) + SLOTS * _SAMPLE.size
_POINTS = 60  # of a course: what fits beside its numbers on a line
_BARS = "▁▂▃▄▅▆▇█"
KINDS = ("cpu", "memory", "load")


@frozen()
class Sample:
    """One look at the machine: when, how busy the processor was since the one before and how full the memory is in per cent, and the load."""

    at: float
    cpu: float
    memory: float
    load: float


def path() -> str:
    """Return where the samples are, whether there are any or not."""
    from nlsh.settings import cache_dir

    return os.path.join(cache_dir(), "samples")


def place(at: float) -> int:
    """Return where in the file the sample of this moment stands."""
    return len(MAGIC) + int(at // STEP_S) % SLOTS * _SAMPLE.size


def packed(sample: Sample) -> bytes:
    """Return a sample as it stands in the file."""
    return _SAMPLE.pack(sample.at, sample.cpu, sample.memory, sample.load)


def is_ring(descriptor: int) -> bool:
    """Return whether an open file is a ring of samples."""
    found = os.fstat(descriptor)
    return stat.S_ISREG(found.st_mode) and found.st_size == SIZE and os.pread(descriptor, len(MAGIC), 0) == MAGIC


def read(file: str, now: float, seconds: float) -> list[Sample]:
    """Return the samples of the last `seconds`, the oldest first; none where nothing was recorded."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        data = os.pread(descriptor, SIZE, 0) if is_ring(descriptor) else b""
    finally:
        os.close(descriptor)
    found = []
    for start in range(len(MAGIC), len(data) - _SAMPLE.size + 1, _SAMPLE.size):
        at, *values = _SAMPLE.unpack_from(data, start)
        # A place is read only by its own time: an empty one, one from the day before or a torn one has another.
        if now - seconds < at <= now and place(at) == start and all(math.isfinite(v) for v in values):
            found.append(Sample(at, *values))
    return sorted(found, key=lambda s: s.at)


def course(of: str, samples: list[Sample], now: float, seconds: float) -> Course:
    """Return how one of KINDS went, as at most sixty means over equal times."""
    step = max(STEP_S, math.ceil(seconds / _POINTS / STEP_S) * STEP_S)
    count = max(1, math.ceil(seconds / step))
    start = now - count * step
    sums: list[list[float]] = [[] for _ in range(count)]
    values = [getattr(s, of) for s in samples]
    for sample, value in zip(samples, values, strict=True):
        sums[min(count - 1, max(0, int((sample.at - start) // step)))].append(value)
    series = tuple(round(sum(v) / len(v), 2) if v else None for v in sums)
    # Per cent are drawn of a hundred; load of its own highest, since it has no end.
    top = 100.0 if of != "load" else max(1.0, *values)
    latest, lowest, mean, highest = (round(v, 1) for v in (values[-1], min(values), sum(values) / len(values), max(values)))
    return Course(of, drawn(series, top), latest, lowest, mean, highest, start, float(step), series)


def drawn(series: tuple[float | None, ...], top: float) -> str:
    """Return a line of bars, a blank where nothing is known.

    >>> drawn((0, 50, None, 100), 100)
    '▁▅ █'
    """
    return "".join(" " if v is None else _BARS[min(len(_BARS) - 1, max(0, round(v / top * (len(_BARS) - 1))))] for v in series)


def ticks() -> tuple[int, int]:
    """Return how many ticks of all processors were busy, and how many there were, since the machine started."""
    with open("/proc/stat", "rb") as file:
        fields = [int(f) for f in file.readline().split()[1:9]]
    # user nice system idle iowait irq softirq steal; guest time is part of user.
    return sum(fields) - fields[3] - fields[4], sum(fields)


def memory_percent() -> float:
    """Return how much of the memory is in use and not to be had at once."""
    with open("/proc/meminfo", "rb") as file:
        found = {m[1]: int(m[2]) for m in re.finditer(rb"^(MemTotal|MemAvailable):\s+(\d+)", file.read(2048), re.M)}
    return 100 * (found[b"MemTotal"] - found[b"MemAvailable"]) / found[b"MemTotal"]
