"""Who besides its owner could have written a file: a policy that is obeyed, and the code that is about to be run as root."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import sys
from collections.abc import Iterable, Iterator

_NOT_RUN = ("site-packages", "dist-packages", "test", "idlelib", "tkinter")  # of Python's library: an isolated Python as root's sees none of these


def others_write(path: str, owners: set[int] | None, user: int | None = None) -> str:
    """Return why somebody else than `owners` (None: its owner is not looked at) and the user could write a path, in words; empty where nobody could."""
    user = os.geteuid() if user is None else user
    try:
        status = os.stat(path)
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    if owners is not None and status.st_uid not in owners:
        return f"belongs to {_name(status.st_uid)}"
    if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
        return ""  # as /tmp: others add to it, and take nothing of ours away
    if status.st_mode & stat.S_IWOTH:
        return "can be written by everybody"
    if status.st_mode & stat.S_IWGRP and status.st_gid and not _is_only_ours(path, status.st_gid, user):
        return "can be written by a group"
    return ""


def of_code(user: int, loaded: Iterable[str] = ()) -> tuple[str, str]:
    """Return what `user` could change of the code that an isolated Python of root's would run here, and what somebody else could, and how.

    The first is the path of the first thing found that is the user's, the second a path and words; each empty where there is none. `loaded` are
    files that are run besides nlsh, the interpreter and its library.
    """
    yours = ""
    for path in _code(loaded):
        if why := others_write(path, {0, user}, user):
            return yours, f"{path} {why}"
        if not yours and user and _is_theirs(path, user):
            yours = path
    return yours, ""


def _is_theirs(path: str, user: int) -> bool:
    status = os.stat(path)
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    return status.st_uid == user or bool(status.st_mode & stat.S_IWGRP and status.st_gid and not sticky)


def _code(loaded: Iterable[str]) -> Iterator[str]:
    """Yield what is run, with every folder on the way to it: who may write there can put something else in its place."""
    import nlsh

    package = os.path.dirname(os.path.realpath(nlsh.__file__))
    trees = [package, os.path.dirname(os.path.realpath(os.__file__))]
    places = [os.path.realpath(sys.executable), *trees, *map(os.path.realpath, loaded)]
    yield from dict.fromkeys(above for place in places for above in _with_folders(place))
    for tree in trees:
        for folder, names, files in os.walk(tree):
            names[:] = [n for n in names if n not in _NOT_RUN]
            yield folder
            yield from (os.path.join(folder, f) for f in files if f.endswith((".py", ".pyc", ".so", ".toml", ".json")))


def _with_folders(path: str) -> Iterator[str]:
    while True:
        yield path
        if path == "/":
            return
        path = os.path.dirname(path)


def _is_only_ours(path: str, group: int, user: int) -> bool:
    """Whether a group has the user in it and nobody else, as where each user has a group of his own."""
    try:
        if "system.posix_acl_access" in os.listxattr(path):
            return False  # the group's bits are then the most that any of a list may
        entry, found = pwd.getpwuid(user), grp.getgrgid(group)
    except (KeyError, OSError):
        return False
    return entry.pw_gid == group and found.gr_name == entry.pw_name and set(found.gr_mem) <= {entry.pw_name}


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
