"""What a path means to the kernel, as text: for grant and policy alike, so that one cannot take it for another place than the other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, MutableMapping

from nlsh.plan.effects import Effect

# Keys of a map of places: a folder stands for itself, the first two before a path for what else was found out about it; the last, that all of a plan is in it.
_GOAL, _PLAIN, _ALL = "\0goal ", "\0plain ", "\0all"


def plain(path: str) -> str:
    """Return an absolute path without `.` and `..`; a link at its end is left alone, since steps change the link and not what it names.

    The parent of what a link names is not the folder the link stands in: where `..` occurs, the links before it are followed first.
    """
    if ".." not in path.split("/"):
        return os.path.normpath(path)
    folder, name = os.path.split(path.rstrip("/"))
    return os.path.realpath(path) if name in ("", ".", "..") else os.path.join(os.path.realpath(folder), name)


def places_of(effects: Iterable[Effect]) -> dict[str, str]:
    """Return where the paths of effects lead now, followed once: policy judges and a grant holds these places, whatever is put there afterwards."""
    found: dict[str, str] = {}
    for kind, target in effects:
        if kind.startswith("fs."):
            if ".." in target:
                found[_PLAIN + target] = plain(target)
            place = place_of(target, found)
            if kind in ("fs.read", "fs.write") and os.path.islink(place):
                found[_GOAL + place] = os.path.realpath(place)
    found[_ALL] = ""
    return found


def place_of(target: str, places: MutableMapping[str, str]) -> str:
    """Return the path with the links on its way followed, and a link at its end left alone: steps change the link, not what it names.

    What `places` knows of the way is not looked up again; what it does not is added to it.
    """
    # Of a hundred thousand paths most are plain as they are.
    path = target if "/." not in target and "//" not in target and target[-1] != "/" else places.get(_PLAIN + target) or plain(target)
    folder, _, name = path.rpartition("/")
    folder = folder or "/"
    if (real := places.get(folder)) is None:
        real = places[folder] = os.path.realpath(folder)
    if not name:
        return "/"
    return f"{real}/{name}" if real != "/" else f"/{name}"


def goal_of(place: str, places: Mapping[str, str]) -> str:
    """Return where the link leads that stands at `place`; `place` itself where there is none, or was none when its plan was previewed."""
    if _ALL in places:
        return places.get(_GOAL + place, place)
    return os.path.realpath(place) if os.path.islink(place) else place


def leads_to(path: str, places: MutableMapping[str, str]) -> str:
    """Return what `os.path.realpath` does, following the way to a folder once for all that lies in it: `places` remembers, and holds nothing else.

    Links in a circle lead nowhere, and what is returned of them is another nowhere.
    """
    if not path.startswith("/") or ".." in path.split("/"):
        return os.path.realpath(path)
    return goal_of(place_of(path, places), places)
