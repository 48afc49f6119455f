"""The message buses as steps and actions use them: one connection a worker, a fresh one each elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nlsh.plan.errors import NotPossible
from nlsh.steps import handles

if TYPE_CHECKING:
    from nlsh.world.bus import Bus

_kept: dict[str, Bus] = {}


@contextmanager
def opened(target: str) -> Iterator[Bus]:
    """Yield the connection to the system or the session bus. Raises NotPossible where there is none."""
    from nlsh.world.bus import Bus

    handed = handles.is_handed(target)
    found = _kept.get(target) if handed else None
    if found is None:
        try:
            found = Bus(handles.bus(target))
        except OSError as error:
            why = "there is none" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
            raise NotPossible(f"Not available here, because the {target} message bus cannot be reached: {why}.", hint="Nothing was changed.") from error
        if handed:
            # The next step of this worker speaks over the same connection, and it says hello only once.
            _kept[target] = found
    try:
        yield found
    finally:
        if not handed:
            found.close()


@contextmanager
def asked(target: str, service: str, what: str) -> Iterator[Bus]:
    """Yield the connection to a bus on which `service` is. Raises NotPossible, saying `what` is not there."""
    with opened(target) as bus:
        if not bus.has(service):
            raise NotPossible(f"Not available here, because {what} is not on the {target} message bus ({service}).", hint="Nothing was changed.")
        yield bus
