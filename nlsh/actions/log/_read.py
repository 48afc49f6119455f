"""What the actions on the machine's log have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.world import logs

EFFECTS = ("fs.read", "tool.read", "sys.read")


def needs(seen: dict[str, Any]) -> tuple[Effect, ...]:
    """Return what reading the log needs, and the facts that its times are counted from."""
    return (*logs.effects(seen), Effect("sys.read", "*"))


def notes(seen: dict[str, Any]) -> Iterator[Record]:
    """Say where this log comes from, where it cannot tell what is an error."""
    if seen["kind"] == "file":
        yield Note(f"{seen['paths'][0]} does not say how grave an entry is: those are shown that speak of errors and failures.")
