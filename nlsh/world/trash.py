"""Where the trash is for a path: the freedesktop.org trash specification 1.0. Reads only; the step makes what is missing."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from nlsh import settings


@dataclass(frozen=True)
class Bin:
    """A trash folder. `written` is the path as its .trashinfo gives it; `missing` are the folders to be made first, outermost first."""

    folder: str
    written: str
    missing: tuple[str, ...]
    same_device: bool


def bin_for(path: str) -> Bin:
    """Return the trash that `path` goes to: the home trash, or the one at the top of its own file system."""
    device = os.lstat(path).st_dev
    home = os.path.realpath(settings.trash_dir())
    if _device_of(home) == device:
        return Bin(home, path, _missing(home), True)
    top = _top_of(os.path.dirname(path), device)
    uid = os.getuid()
    for folder in (_shared(top, uid), os.path.join(top, f".Trash-{uid}")):
        if folder and _usable(folder, device):
            return Bin(folder, os.path.relpath(path, top), _missing(folder), True)
    return Bin(home, path, _missing(home), False)


def is_in_trash(path: str) -> bool:
    """Return whether `path` is a trash or something in one."""
    home = os.path.realpath(settings.trash_dir())
    own = f".Trash-{os.getuid()}"
    return path == home or path.startswith(home + "/") or own in path.split("/")


def _shared(top: str, uid: int) -> str:
    # Only a real folder with the sticky bit may be trusted with a folder of ours in it.
    shared = os.path.join(top, ".Trash")
    try:
        status = os.lstat(shared)
    except OSError:
        return ""
    return os.path.join(shared, str(uid)) if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX else ""


def _usable(folder: str, device: int) -> bool:
    existing = _existing(folder)
    if os.path.lexists(folder):
        status = os.lstat(folder)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            return False
    return os.stat(existing).st_dev == device and os.access(existing, os.W_OK | os.X_OK)


def _top_of(folder: str, device: int) -> str:
    while folder != "/":
        above = os.path.dirname(folder)
        if os.lstat(above).st_dev != device:
            return folder
        folder = above
    return folder


def _existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _device_of(folder: str) -> int:
    return os.stat(_existing(folder)).st_dev


def _missing(folder: str) -> tuple[str, ...]:
    wanted = [os.path.join(folder, "files"), os.path.join(folder, "info")]
    missing: list[str] = []
    for path in wanted:
        chain = []
        while not os.path.isdir(path):
            chain.append(path)
            path = os.path.dirname(path)
        missing += [p for p in reversed(chain) if p not in missing]
    return tuple(missing)


def free_name(folder: str, name: str, taken: frozenset[str] | set[str] = frozenset()) -> str:
    """Return a name for the trash that neither it nor `taken` (paths in its files folder) has."""
    stem, dot, ending = name.partition(".") if not name.startswith(".") else (name, "", "")
    raw_limit = 255 - len(".trashinfo") - 8
    if len(os.fsencode(name)) > raw_limit:
        stem, dot, ending = os.fsdecode(os.fsencode(name)[:raw_limit]), "", ""
        name = stem
    number, candidate = 1, name
    while (
        os.path.join(folder, "files", candidate) in taken
        or os.path.lexists(os.path.join(folder, "files", candidate))
        or os.path.lexists(os.path.join(folder, "info", candidate + ".trashinfo"))
    ):
        number += 1
        candidate = f"{stem}.{number}{dot}{ending}"
    return candidate
