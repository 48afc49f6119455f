"""What is piped into a one-shot and named by its request: “those”, “these files”, “these lines”, “it”, “stdin” mean what comes on stdin.

Lines that are paths here become files, where the request is not about lines or a text; else it is text. It stands where the result of the turn before
would: a plan names it as `_`. Nothing is read where the request does not point at it: a stdin that nobody writes to must not hold anything up.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from typing import TYPE_CHECKING

from nlsh.plan.errors import NlshError, NotFound
from nlsh.plan.later import later
from nlsh.plan.plan import STDIN
from nlsh.plan.records import File, Line

if TYPE_CHECKING:
    from nlsh.kernel.bind import Result

MOST_BYTES = 64 << 20
_NAMED = later(r"\b(?:those|these|them|they|the (?:input|piped|given) \w+)\b|^(?:only|just) |^只|这些|那些|它们|其中", re.I)

_OF_TEXT = later(r"\b(?:lines?|words?|characters?|letters?|text)\b|行|词|字|文本", re.I)


def result_for(request: str) -> Result | None:
    """Return what is on stdin as a result, where the request points at it and something is piped in; else None.

    Raises NlshError for too much, and NotFound for nothing where the request can be about nothing else.
    """
    from nlsh.kernel.bind import Result

    if request.startswith("!") or not _is_piped():
        return None
    from nlsh.planner.piped_said import is_plain, rewritten

    points = bool(rewritten(request))
    if not points and not _NAMED.search(request):
        return None
    data = sys.stdin.buffer.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise NlshError(f"More than {MOST_BYTES >> 20} MiB came on stdin.", hint="Nothing was run. Give it in parts, for example with xargs.")
    end = b"\0" if b"\0" in data else b"\n"
    items = data.removesuffix(end).split(end)
    if not any(items):
        if is_plain(request):
            raise NotFound("Nothing came on stdin, which this is about.", hint="Nothing was run. Pipe a text in.")
        return None
    cwd = os.getcwd()
    if not (points and _OF_TEXT.search(request)):
        files = [_file(os.path.join(cwd, os.fsdecode(i))) for i in items if i]
        if all(f is not None for f in files):
            return Result("file.find", tuple(f for f in files if f is not None), cwd)
    # An empty line is one, too: what is counted is what wc counts.
    lines = tuple(Line(i.decode("utf-8", "surrogateescape").rstrip("\r"), number) for number, i in enumerate(items, start=1))
    return Result(STDIN, lines, cwd)


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
