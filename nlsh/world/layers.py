"""Copy-on-write layers over a folder: how one is laid out, and in what words it is told what a command changed in it.

It owns these words and what a tree is known by. Reading a layer is `layer_changes`', making one the sandbox's, keeping what is in it
`nlsh.steps.keeping`'s.

    LAYER/upper   what overlayfs wrote          LAYER/work   its own scratch folder
    LAYER/old     where what is replaced goes   LAYER/root   which folder it lies over; its time is when that began
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from nlsh.plan.frozen import frozen
from nlsh.world.files import Identity

_O_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OWN_ATTRIBUTES = ("user.overlay.", "trusted.overlay.")
# Labels that the system gives by itself: a copy gets its own.
_OF_THE_SYSTEM = ("security.selinux", "security.ima", "security.evm", "security.SMACK")

# Attributes with their values in base64, sorted.
Attributes = tuple[tuple[str, str], ...]


@frozen()
class Tree:
    """What a file, or a folder with all below it, is known by: `digest` is over names, kinds, modes, numbers, sizes and times of what is below."""

    digest: str = ""
    entries: int = 0
    size_bytes: int = 0


@frozen()
class Change:
    """One line of what a command would do. `path` is relative to the folder. `kind`: created, changed, deleted, moved, attributes.

    `type`: file, folder, link or other. Sizes are None where there is nothing before or after. `note` says what else is to be known.
    """

    kind: str
    path: str
    type: str
    before_bytes: int | None = None
    after_bytes: int | None = None
    note: str = ""


@frozen()
class Piece:
    """What one step is to do at `path`: `kind` new, gone, swap or attributes; `old` and `new` are what is known of both sides."""

    kind: str
    path: str
    old: Side | None = None
    new: Side | None = None


@frozen()
class Side:
    """What is known of a path on one side: its identity, mode, attributes and, of a folder that moves as a whole, what is below."""

    identity: Identity
    mode: int
    mtime_ns: int
    attributes: Attributes = ()
    tree: Tree = Tree()
    links: int = 1


@dataclass
class ChangeSet:
    """All that a command would change below `root`. `since_ns`: nothing of what it changes may have been touched by others after this."""

    root: str
    layer: str
    since_ns: int
    changes: list[Change] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing but times of folders would change."""
        return not self.changes


def upper_of(layer: str) -> str:
    """Return where overlayfs writes in a layer."""
    return os.path.join(layer, "upper")


def work_of(layer: str) -> str:
    """Return the scratch folder of overlayfs in a layer."""
    return os.path.join(layer, "work")


def old_of(layer: str) -> str:
    """Return where what is replaced and deleted is kept."""
    return os.path.join(layer, "old")


def root_file_of(layer: str) -> str:
    """Return the file that says which folder a layer lies over."""
    return os.path.join(layer, "root")


def attributes_of(path: str | int) -> Attributes:
    """Return the extended attributes of a path, a link's own ones, without what belongs to overlayfs and to the system."""
    found = []
    follow = isinstance(path, int)
    try:
        for name in sorted(os.listxattr(path, follow_symlinks=follow)):
            if not name.startswith((*OWN_ATTRIBUTES, *_OF_THE_SYSTEM)):
                found.append((name, base64.b64encode(os.getxattr(path, name, follow_symlinks=follow)).decode()))
    except OSError:  # a file system without them, or a file that went away
        return ()
    return tuple(found)


def tree_of(folder: int, tell: Callable[[str, os.stat_result], None] | None = None) -> tuple[Tree, int]:
    """Return what a folder's content is known by, and the newest change of anything in it (nanoseconds). `tell` hears of each. Raises OSError."""
    digest = hashlib.sha256()
    entries = size = newest = 0
    for path, status in _below(folder):
        length = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
        digest.update(b"%s\0%o %d %d %d\0" % (os.fsencode(path), status.st_mode, status.st_ino, length, status.st_mtime_ns))
        entries += 1
        size += length
        newest = max(newest, status.st_ctime_ns)
        if tell is not None:
            tell(path, status)
    return Tree(digest.hexdigest(), entries, size), newest


def _below(folder: int, path: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Yield path and status of all that is below a folder, sorted; what overlayfs left to say that something is gone is left out."""
    for name in sorted(os.listdir(folder)):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if is_whiteout(folder, name, status):
            continue
        here = os.path.join(path, name)
        if stat.S_ISDIR(status.st_mode):
            try:
                inside = os.open(name, _O_FOLDER, dir_fd=folder)
            except PermissionError:
                yield here, status  # what nobody can look into moves as it is
                continue
            try:
                yield here, status
                yield from _below(inside, here)
            finally:
                os.close(inside)
        else:
            yield here, status


def is_whiteout(folder: int, name: str, status: os.stat_result) -> bool:
    """Return whether overlayfs has put this thing in a layer to say that what has its name below is gone."""
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == 0
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        return _has(f"/proc/self/fd/{folder}/{name}", "user.overlay.whiteout", follow=False)
    return False


def _has(path: str | int, name: str, *, follow: bool = True) -> bool:
    try:
        os.getxattr(path, name, follow_symlinks=follow)
    except OSError:
        return False
    return True
