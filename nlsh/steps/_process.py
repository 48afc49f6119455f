"""What the steps on processes share: that a number is still the process that was approved, and what is done to it through its pidfd."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible, StaleStep
from nlsh.steps.handles import pidfd
from nlsh.world import processes


def effects_on(kind: str, pid: int, root: str) -> tuple[Effect, ...]:
    """Return the effect on a process, with root rights where a reason for them is given."""
    return (Effect(kind, str(pid)), Effect("priv.root", root)) if root else (Effect(kind, str(pid)),)


def check_same(pid: int, started: str, name: str) -> None:
    """Raise StaleStep unless `pid` is still the process that had this start."""
    if not processes.same(pid, started):
        raise StaleStep(
            f"Process {pid} ({name}) has ended since this was previewed.",
            hint="Nothing was done to whoever has its number now. Ask again to see what runs now.",
        )


@contextmanager
def holding(pid: int, started: str) -> Iterator[int | None]:
    """Give a pidfd of the process, or None if it has ended."""
    descriptor, own = descriptor_of(pid)
    try:
        # Looked at after the descriptor is there: what it refers to is what was looked at.
        yield descriptor if descriptor is not None and processes.same(pid, started) else None
    finally:
        if own and descriptor is not None:
            os.close(descriptor)


def descriptor_of(pid: int) -> tuple[int | None, bool]:
    """Return a pidfd and whether it is ours to close: the one handed to this worker, else a new one."""
    if (given := pidfd(pid)) is not None:
        return given, False
    try:
        return os.pidfd_open(pid), True
    except ProcessLookupError:
        return None, False


def wait_for(descriptors: list[int], seconds: float) -> set[int]:
    """Wait until these processes have ended; return the descriptors of those that have not within `seconds`."""
    left, until = set(descriptors), time.monotonic() + seconds
    poller = select.poll()
    for descriptor in left:
        poller.register(descriptor, select.POLLIN)
    while left and (rest := until - time.monotonic()) > 0:
        for descriptor, _ in poller.poll(rest * 1000):
            poller.unregister(descriptor)
            left.discard(descriptor)
    return left


def not_allowed(pid: int, name: str) -> NotPossible:
    """Return the error for a process that the kernel leaves to others."""
    return NotPossible(f"You may not do this to process {pid} ({name}).", hint="It was not changed. It belongs to another user, or root rights are needed.")


def tune(pid: int, started: str, name: str, change: Callable[[], None]) -> None:
    """Run `change`, which knows the process by its number only, while a pidfd shows that the number is still its own."""
    with holding(pid, started) as descriptor:
        if descriptor is None:
            check_same(pid, started, name)
        try:
            change()
        except ProcessLookupError:
            check_same(pid, started, name)
            raise
        except PermissionError as error:
            raise not_allowed(pid, name) from error
    check_same(pid, started, name)


def each_thread(pid: int, listed: dict[int, int] | dict[int, tuple[int, ...]], change: Callable[[int, object], None]) -> None:
    """Call `change` with every thread and its value; one that has come since gets the first thread's, if it may be reached.

    # LIMIT: a thread that starts after the worker was confined is outside what the kernel lets it tune. It has what its parent thread had.
    """
    for thread in (*listed, *(t for t in processes.threads(pid) if t not in listed)):
        try:
            change(thread, listed.get(thread, listed[pid]))
        except ProcessLookupError:
            if thread == pid:
                raise
        except OSError:
            if thread in listed:
                raise


def check_unchanged(name: str, what: str, now: object, old: object) -> None:
    """Raise StaleStep where a setting is not what it was in the preview."""
    if now != old:
        raise StaleStep(f"The {what} of {name} has been changed since: it is {now} and was {old}.", hint="Nothing was changed. Ask again.")


def state_of(found: processes.Running | None, started: str, now: object, old: object, new: object) -> str:
    """Return a setting\'s state after a crash: done, undone or unknown."""
    if found is None or found.started != started:
        return "unknown"
    return "done" if now == new else "undone" if now == old else "unknown"
