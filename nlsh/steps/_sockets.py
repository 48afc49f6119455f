"""Connections over sockets with a protocol of their own: one a worker for each socket, a fresh one each elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from nlsh.plan.errors import NotPossible
from nlsh.steps import handles


class _Closable(Protocol):
    def close(self) -> None: ...


T = TypeVar("T", bound=_Closable)
_kept: dict[str, Any] = {}


@contextmanager
def opened(path: str, speak: Callable[[Any], T], what: str) -> Iterator[T]:
    """Yield what `speak` makes of the connection to the socket at `path`; it has a `close`. Raises NotPossible, saying `what` does not answer."""
    handed = handles.is_handed(path)
    found = _kept.get(path) if handed else None
    if found is None:
        try:
            connection = handles.bus(path)
        except OSError as error:
            why = error.strerror or error
            raise NotPossible(f"Not available here, because {what} does not answer at {path}: {why}.", hint="Nothing was changed.") from error
        try:
            found = speak(connection)
        except BaseException:
            connection.close()
            raise
        if handed:
            # The next step of this worker speaks over the same connection: there is no other.
            _kept[path] = found
    try:
        yield found
    finally:
        if not handed:
            found.close()
