"""What a path means to the kernel, as text: for grant and policy alike, so that one cannot take it for another place than the other."""

from __future__ import annotations

import os


def plain(path: str) -> str:
    """Return an absolute path without `.` and `..`; a link at its end is left alone, since steps change the link and not what it names.

    The parent of what a link names is not the folder the link stands in: where `..` occurs, the links before it are followed first.
    """
    if ".." not in path.split("/"):
        return os.path.normpath(path)
    folder, name = os.path.split(path.rstrip("/"))
    return os.path.realpath(path) if name in ("", ".", "..") else os.path.join(os.path.realpath(folder), name)
