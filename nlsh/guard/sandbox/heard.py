"""Waiting so that a Ctrl-C is heard whenever it comes.

A signal that comes after the interpreter has last looked, and before the system call has begun, interrupts nothing: the call would wait as if nothing had
come. Between the two may lie as long as another thread takes to get the interpreter's lock, on a busy machine a good part of a second. So a signal's number
goes down a pipe as well, and the wait is for both.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def signals() -> Iterator[list[int]]:
    """Yield, within, the descriptors that can be read when a signal has come: none outside the main thread, which hears of none."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        try:
            before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        except ValueError:  # it is another thread
            yield []
            return
        try:
            yield [reader]
        finally:
            signal.set_wakeup_fd(before)
    finally:
        os.close(reader)
        os.close(writer)


def until_readable(descriptor: int) -> None:
    """Wait until a descriptor can be read. Raises what the handler of a signal raises that comes meanwhile."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    if poller.poll(0):
        return
    with signals() as heard:
        for each in heard:
            poller.register(each, select.POLLIN)
        while all(ready != descriptor for ready, _ in poller.poll()):
            # The handler has run by now, and has gone on: a window was resized.
            os.read(heard[0], 512)
