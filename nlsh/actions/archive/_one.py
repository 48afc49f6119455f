"""Which archive is meant: one, and a file."""

from __future__ import annotations

import os

from nlsh.plan.errors import NotPossible, Refused
from nlsh.world import World


def one_archive(written: str, world: World, done: str) -> str:
    """Return the path of the archive that is meant; `done` says what happens to one at a time. Raises NotFound, Refused and NotPossible."""
    found = world.matches((written,))
    if len(found) != 1:
        raise Refused(f"“{written}” means {len(found)} things; one is {done} at a time.", hint="Nothing was changed. Name one.")
    path = os.path.realpath(found[0])
    if os.path.isdir(path):
        raise NotPossible(f"{path} is a folder, not an archive.", hint="Nothing was changed.")
    if not os.path.isfile(path):
        raise NotPossible(f"{path} is not a file that could be an archive.", hint="Nothing was changed.")
    return path
