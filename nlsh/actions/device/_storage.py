"""What the actions on disks and sticks share: which device is meant, whether the disk service is there, what must be left alone."""

from __future__ import annotations

import os
import re

from nlsh.plan.errors import NlshError, NotPossible, Refused
from nlsh.steps._bus import asked
from nlsh.world import World, udisks, volumes
from nlsh.world.volumes import Volume

NOTHING = "Nothing was changed."
# What is below a file system, not one itself.
_NO_FILE_SYSTEM = re.compile(r"crypto|swap|.*_member", re.I)


def need_service(what: str) -> None:
    """Raise NotPossible where the disk service is not there: nlsh's own workers may not mount anything, whoever they run as."""
    with asked("system", udisks.SERVICE, f"the disk service UDisks, which is needed to {what},"):
        return


def has_service() -> bool:
    """Return whether the disk service is there."""
    try:
        need_service("ask")
    except NlshError:
        return False
    return True


def need_service_or_root(what: str) -> bool:
    """Return whether the disk service is there. Raises NotPossible where it is not, and nlsh is not root either."""
    if has_service():
        return True
    if os.geteuid() != 0:
        raise NotPossible(f"To {what} needs the disk service UDisks, or root rights: run nlsh with sudo.", hint=NOTHING)
    return False


def holds_files(volume: Volume) -> bool:
    """Return whether there is a file system on it, as far as is known."""
    return bool(volume.file_system) and not _NO_FILE_SYSTEM.match(volume.file_system)


def image_at(written: str, world: World) -> str:
    """Return the path of the image file that is meant, or nothing where it is no file."""
    path = os.path.join(world.cwd, os.path.expanduser(written.strip()))
    return path if not written.startswith("/dev/") and os.path.isfile(path) else ""


def not_of_the_system(volume: Volume, doing: str) -> None:
    """Raise Refused for what the running system needs."""
    if volume.system:
        raise Refused(f"{volume.shown()} is on the disk that this system runs from: it is not {doing}.", hint=NOTHING)


def known(volume: Volume) -> tuple[str, str, str]:
    """Return what a step needs to know of a device: its node, its identity now, and what a person knows it by. Raises NotPossible if it is gone."""
    identity = volumes.identity(volume.node)
    if not identity:
        raise NotPossible(f"{volume.node} is gone.", hint=NOTHING)
    return volume.node, identity, volume.shown()
