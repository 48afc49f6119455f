"""The orders in which files are listed: by name, size or time."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Hit = tuple[str, os.stat_result]
# order: (key, whether the largest comes first)
_ORDERS: dict[str, tuple[Callable[[Hit], Any], bool]] = {
    "name": (lambda hit: (hit[0].casefold(), hit[0]), False),
    "largest": (lambda hit: hit[1].st_size, True),
    "smallest": (lambda hit: hit[1].st_size, False),
    "newest": (lambda hit: hit[1].st_mtime_ns, True),
    "oldest": (lambda hit: hit[1].st_mtime_ns, False),
}


def ordered(found: Iterable[Hit], order: str, limit: int | None) -> Iterator[Hit]:
    """Yield paths with their status in an order; with a limit, no more of them are kept than that."""
    key, largest_first = _ORDERS[order]
    if limit is None:
        return iter(sorted(found, key=key, reverse=largest_first))
    pick = heapq.nlargest if largest_first else heapq.nsmallest
    return iter(pick(limit, found, key=key))
