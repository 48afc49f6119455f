"""Waiting for processes to end: through pidfds, without asking again and again, and given up at once when the user stops it."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator, Sequence

from nlsh.steps import handles
from nlsh.world import processes


def ends(wanted: Sequence[tuple[int, str]], seconds: float | None) -> Iterator[tuple[int | None, float]]:
    """Yield each of these processes (number and start) as it ends, with the seconds since the call; at most for `seconds`.

    None instead of a number: the user has asked to stop.
    """
    began = time.monotonic()
    left: dict[int, int] = {}
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    try:
        poller = select.poll()
        poller.register(woken, select.POLLIN)
        for pid, started in wanted:
            descriptor = _descriptor(pid)
            # Looked at after the descriptor is there: what it refers to is what was looked at.
            if descriptor is None or not processes.same(pid, started):
                _close(descriptor, pid)
                yield pid, time.monotonic() - began
                continue
            left[descriptor] = pid
            poller.register(descriptor, select.POLLIN)
        if handles.stopping():
            # Asked before there was anything to be woken by.
            yield None, time.monotonic() - began
        while left:
            rest = None if seconds is None else began + seconds - time.monotonic()
            if rest is not None and rest <= 0:
                return
            for descriptor, _ in poller.poll(None if rest is None else rest * 1000):
                if descriptor == woken:
                    os.read(woken, 512)
                    if handles.stopping():
                        yield None, time.monotonic() - began
                    continue
                poller.unregister(descriptor)
                pid = left.pop(descriptor)
                _close(descriptor, pid)
                yield pid, time.monotonic() - began
    finally:
        signal.set_wakeup_fd(before)
        for descriptor, pid in left.items():
            _close(descriptor, pid)
        os.close(woken)
        os.close(wake)


def _descriptor(pid: int) -> int | None:
    if (given := handles.pidfd(pid)) is not None:
        return given
    try:
        return os.pidfd_open(pid)
    except OSError:  # it has ended, or had ended when this worker was made
        return None


def _close(descriptor: int | None, pid: int) -> None:
    if descriptor is not None and handles.pidfd(pid) != descriptor:
        os.close(descriptor)
