"""What is piped into a one-shot and named by its request: “those”, “these files”, “stdin” mean its lines.

Lines that are paths here become files, others stay lines of text. They stand where the result of the turn before would: a plan names them as `_`.
Nothing is read where the request does not point at it: a stdin that nobody writes to must not hold anything up.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from typing import TYPE_CHECKING

from nlsh.plan.errors import NlshError
from nlsh.plan.records import File, Line

if TYPE_CHECKING:
    from nlsh.kernel.bind import Result

MOST_BYTES = 64 << 20
_NAMED = re.compile(r"\b(?:those|these|them|they|stdin|standard input|the (?:input|piped|given) \w+)\b|^(?:only|just) |^只|这些|那些|它们|标准输入|其中", re.I)


def result_for(request: str) -> Result | None:
    """Return what is on stdin as a result, where the request points at it and something is piped in; else None. Raises NlshError for too much."""
    from nlsh.kernel.bind import Result

    if request.startswith("!") or not _NAMED.search(request) or not _is_piped():
        return None
    data = sys.stdin.buffer.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise NlshError(f"More than {MOST_BYTES >> 20} MiB came on stdin.", hint="Nothing was run. Give it in parts, for example with xargs.")
    items = [i for i in data.split(b"\0" if b"\0" in data else b"\n") if i]
    if not items:
        return None
    cwd = os.getcwd()
    files = [_file(os.path.join(cwd, os.fsdecode(i))) for i in items]
    if all(f is not None for f in files):
        return Result("file.find", tuple(f for f in files if f is not None), cwd)
    lines = tuple(Line(i.decode("utf-8", "surrogateescape").rstrip("\r"), number) for number, i in enumerate(items, start=1))
    return Result("file.read", lines, cwd)


def _is_piped() -> bool:
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _file(path: str) -> File | None:
    from nlsh.world.files import record

    try:
        return record(path, os.lstat(path))
    except (OSError, ValueError):
        return None
