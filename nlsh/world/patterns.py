"""Regular expressions that a person wrote: compiled once, and never longer at work than they may be.

Python's engine goes back and forth: some expressions would take years for one name. It looks for signals while it works, so a timer ends it.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nlsh.plan.errors import BadArgument, NotPossible

_LONGEST = 1000
# Of this process's own time: what waits for a disk does not count. A match is ended after one to two of these.
_TICK_S = 0.5


def compiled(expression: str, flags: int = 0) -> re.Pattern[str]:
    """Return a compiled expression, as Python writes them; /…/ and `…` around it are taken off. Raises BadArgument."""
    text = expression
    if len(text) > 2 and text[0] == text[-1] and text[0] in "/`":
        text = text[1:-1]
    if len(text) > _LONGEST:
        raise BadArgument(f"The regular expression is longer than {_LONGEST} characters.", hint="Say a shorter one.")
    try:
        return re.compile(text, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadArgument(f"“{text}” is no regular expression: {error}.", hint=r"For example \d{4}-\d{2} or ^IMG_.*\.jpg$.") from error


def too_long(pattern: re.Pattern[str], text: str) -> NotPossible:
    """Return what is raised where an expression takes longer than anybody waits."""
    return NotPossible(
        f"The regular expression “{pattern.pattern}” takes too long on “{text[:100]}”.",
        hint="Nothing was changed. Write it without repetitions inside repetitions, such as (a+)+.",
    )


class _TooLong(Exception):
    pass


@contextmanager
def bounded(pattern: re.Pattern[str], work: Callable[[str], Any] | None = None) -> Iterator[Callable[[str], Any]]:
    """Give a function that does `work` with `pattern` on a text, or searches for it; it raises NotPossible where that takes longer than about a second.

    The time is bounded in the main thread only, where Python handles signals: that is where steps run.
    """
    work = work or pattern.search
    if threading.current_thread() is not threading.main_thread():
        yield work
        return
    begun, at_tick, inside = 0, -1, False

    def tick(*_: object) -> None:
        nonlocal at_tick
        if inside and begun == at_tick:
            raise _TooLong
        at_tick = begun

    def search(text: str) -> Any:
        nonlocal begun, inside
        begun += 1
        inside = True
        try:
            return work(text)
        except _TooLong:
            raise too_long(pattern, text) from None
        finally:
            inside = False

    before = signal.signal(signal.SIGVTALRM, tick)
    signal.setitimer(signal.ITIMER_VIRTUAL, _TICK_S, _TICK_S)
    try:
        yield search
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
