"""The lights behind screens, in /sys/class/backlight: how bright they are, and who may set them."""

from __future__ import annotations

import os

from nlsh.plan.errors import NotPossible
from nlsh.plan.frozen import frozen

SYS = "/sys"
# A laptop may have several for the one screen: the firmware's is what the maker meant, then the platform's.
_BEST = ("firmware", "platform", "raw")


@frozen()
class Light:
    """A light: `path` is the file that sets it, from 0 to `most`."""

    name: str
    path: str
    now: int
    most: int

    @property
    def percent(self) -> int:
        """Return how bright it is."""
        return round(100 * self.now / self.most)


def light() -> Light:
    """Return the light of the screen. Raises NotPossible where this machine has none that it can set."""
    folder = f"{SYS}/class/backlight"
    found = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        try:
            most, now = _number(f"{folder}/{name}/max_brightness"), _number(f"{folder}/{name}/brightness")
            with open(f"{folder}/{name}/type", encoding="ascii") as file:
                kind = file.read().strip()
        except (OSError, ValueError):
            continue
        if most > 0:
            found.append((_BEST.index(kind) if kind in _BEST else len(_BEST), Light(name, os.path.realpath(f"{folder}/{name}/brightness"), now, most)))
    if not found:
        raise NotPossible(
            "Not available here, because this machine has no screen whose light it can set.",
            hint="Nothing was changed. A screen on a cable has buttons of its own for that.",
        )
    return min(found, key=lambda f: f[0])[1]


def read(path: str) -> int | None:
    """Return how bright a light is now, or None where it is gone."""
    try:
        return _number(path)
    except (OSError, ValueError):
        return None


def _number(path: str) -> int:
    with open(path, encoding="ascii") as file:
        return int(file.read())
