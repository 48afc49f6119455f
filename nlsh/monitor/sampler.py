"""The sampler: one thread of a session that looks at the machine every ten seconds and writes what it sees into the ring of samples.

A look takes three small reads and one write of twenty bytes. Whatever goes wrong with it ends the recording, never the session.
"""

from __future__ import annotations

import os
import threading
import time
from types import TracebackType

from nlsh.world import samples


class Sampler:
    """Records while it is entered. Use it as a context manager, after everything that forks."""

    def __init__(self, path: str | None = None, *, every_s: float = samples.STEP_S) -> None:
        self._path = path
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="record-samples", daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        try:
            descriptor = opened(self._path or samples.path())
        except OSError:
            return  # a cache that cannot be written: there is no record then, and `resource.history` says so
        try:
            before = samples.ticks()
            # In step with the clock, so that sessions beside each other write to the same places.
            while not self._stop.wait(self._every_s - time.time() % self._every_s):
                before = record(descriptor, before)
        except (OSError, ValueError, KeyError):
            return
        finally:
            os.close(descriptor)


def opened(path: str) -> int:
    """Return a descriptor of the ring at `path`; what is there and is none is replaced. Raises OSError."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
        if samples.is_ring(descriptor):
            return descriptor
        os.close(descriptor)
    except FileNotFoundError:
        pass
    # Made whole under another name: nobody reads half a ring.
    aside = f"{path}.{os.getpid()}"
    descriptor = os.open(aside, flags | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.ftruncate(descriptor, samples.SIZE)
        os.pwrite(descriptor, samples.MAGIC, 0)
        os.rename(aside, path)
    except BaseException:
        os.close(descriptor)
        os.unlink(aside)
        raise
    return descriptor


def record(descriptor: int, before: tuple[int, int]) -> tuple[int, int]:
    """Write a sample of this moment, with the use of the processor since `before`; return the ticks now. Raises OSError."""
    now = samples.ticks()
    busy, total = now[0] - before[0], now[1] - before[1]
    cpu = min(100.0, max(0.0, 100 * busy / total)) if total > 0 else 0.0
    sample = samples.Sample(time.time(), cpu, samples.memory_percent(), os.getloadavg()[0])
    os.pwrite(descriptor, samples.packed(sample), samples.place(sample.at))
    return now
