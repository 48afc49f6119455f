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


def notes(seen: dict[str, Any], *, errors: bool = False) -> Iterator[Record]:
    """Say what is not in this log, and, where `errors` are looked for, that it cannot tell them."""
    if seen.get("own"):
        yield Note(f"Only what your own programs have logged is in this, and nothing of the system: you may not read that. {logs.WHO_MAY}")
    if errors and seen["kind"] == "file":
        yield Note(f"{seen['paths'][0]} does not say how grave an entry is: those are shown that speak of errors and failures.")
