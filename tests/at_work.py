"""Which processes of a zygote have a job: beside them waits a spare worker that has none yet."""

from __future__ import annotations

from pathlib import Path

from nlsh.guard.sandbox import relay
from nlsh.plan.process_names import SPARE, ZYGOTE


def family(pid: int) -> list[int]:
    """Return all that a process has started, and what these have, but for spares."""
    return [p for p in relay.family(pid) if not _waits(p)]


def children(pid: int) -> list[int]:
    """Return what a process has started, but for spares."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(p) for p in found if not _waits(int(p))]


def _waits(pid: int) -> bool:
    try:
        # What was forked just now still goes by the zygote's name.
        return Path(f"/proc/{pid}/comm").read_text().strip() in (SPARE, ZYGOTE)
    except OSError:
        return False
