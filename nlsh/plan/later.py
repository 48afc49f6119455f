"""`later`: a regular expression that is compiled when it is first used, for modules that a one-shot imports and mostly asks little of."""

from __future__ import annotations

import re

TYPE_CHECKING = False  # as in typing, which this is imported before
if TYPE_CHECKING:
    from typing import Any


class _Later:
    def __init__(self, pattern: str, flags: int) -> None:
        self._pattern, self._flags = pattern, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(self._pattern, self._flags), name)
        setattr(self, name, found)
        return found


def later(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Return what `re.compile` returns, as far as its methods go. An error in the pattern comes with the first use."""
    return _Later(pattern, flags)  # type: ignore[return-value]  # it stands for one
