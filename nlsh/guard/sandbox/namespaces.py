"""Namespaces and mounts by ctypes: one function for each thing the kernel does, errors as OSError.

It owns the kernel's numbers and the order that a new user namespace needs. What a worker sees is `view`'s; whether namespaces can be had
here is found by `probe`, by doing it.
"""

from __future__ import annotations

import ctypes
import os
import re
import struct
from collections.abc import Iterator

from nlsh.guard.sandbox import capabilities
from nlsh.guard.sandbox.kernel import syscall
from nlsh.plan.frozen import frozen

NEW_MOUNTS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PIDS, NEW_NETWORK = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000

# What `set_attributes` sets and clears.
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC = 1, 2, 4, 8
PRIVATE, SLAVE = 1 << 18, 1 << 19

_X86 = os.uname().machine == "x86_64"
_UNSHARE, _MOUNT, _UMOUNT, _PIVOT_ROOT = (272, 165, 166, 155) if _X86 else (97, 40, 39, 41)
# The same on every architecture.
_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT, _MOUNT_SETATTR = 428, 429, 430, 431, 432, 442
_OPENAT2, _NO_MAGICLINKS, _NO_SYMLINKS = 437, 2, 4
_HERE = -100  # AT_FDCWD
_NO_FOLLOW, _EMPTY_PATH, _RECURSIVE = 0x100, 0x1000, 0x8000
_CLONE = 1
_FROM_EMPTY = 4
_SET_FLAG, _SET_STRING, _CREATE = 0, 1, 6
_FS_CLOEXEC = 1
_DETACH = 2


def privileged() -> bool:
    """Return whether this process may make namespaces and mounts as it is, without a user namespace of its own."""
    return bool(capabilities.held() >> capabilities.NUMBERS["sys_admin"] & 1)


def unshare(flags: int) -> None:
    """Give this process new namespaces; a new one for process numbers is its next child's. Raises OSError."""
    syscall(_UNSHARE, flags)


def map_ids(user: int, group: int) -> None:
    """In a new user namespace of this process, be the same user and group as outside, and nobody else. Raises OSError.

    Files of all others seem to belong to the overflow user. `user` and `group` are those that this process had outside.
    """
    # Without this first, the kernel lets nobody but root map a group.
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def enter(flags: int) -> bool:
    """Give this process new namespaces, in a user namespace of its own where it needs one for that; return whether it did. Raises OSError.

    No mount of it will reach the system. What the system mounts or unmounts afterwards is mounted or unmounted here, too.
    """
    user, group = os.geteuid(), os.getegid()
    own = not privileged()
    unshare(flags | (NEW_USER if own else 0))
    if own:
        map_ids(user, group)
    if flags & NEW_MOUNTS:
        set_attributes("/", propagation=SLAVE)
    return own


def mount(source: str | None, target: str, kind: str | None, flags: int = 0, data: str | None = None) -> None:
    """Call mount(2). Raises OSError."""
    syscall(_MOUNT, _text(source), _text(target), _text(kind), flags, _text(data))


def unmount(target: str) -> None:
    """Take away the topmost mount at `target`, and all below it, as soon as nobody uses it. Raises OSError."""
    syscall(_UMOUNT, _text(target), _DETACH)


def pivot_root(new: str, put_old: str) -> None:
    """Make `new` the root and put the old one at `put_old`, below it. Raises OSError."""
    syscall(_PIVOT_ROOT, _text(new), _text(put_old))


def set_attributes(where: str | int, *, add: int = 0, remove: int = 0, propagation: int = 0, below: bool = True) -> None:
    """Change the attributes of a mount, or of a detached one by its descriptor, and of all mounts below it unless `below` is false. Raises OSError."""
    attributes = ctypes.create_string_buffer(struct.pack("=QQQQ", add, remove, propagation, 0), 32)
    at, path, flags = (where, b"", _EMPTY_PATH) if isinstance(where, int) else (_HERE, os.fsencode(where), _NO_FOLLOW)
    # SAFETY: version 0 of the structure is 32 bytes, which the kernel only reads.
    syscall(_MOUNT_SETATTR, at, path, flags | (_RECURSIVE if below else 0), attributes, 32)


def copy_tree(where: str | int, *, below: bool = True) -> int:
    """Return a descriptor of a detached copy of the mount at a path or descriptor, with all mounts below it unless `below` is false. Raises OSError.

    In a user namespace of one's own a mount with others below it can only be copied with them.
    """
    at, path, flags = (where, b"", _EMPTY_PATH) if isinstance(where, int) else (_HERE, os.fsencode(where), _NO_FOLLOW)
    return syscall(_OPEN_TREE, at, path, _CLONE | os.O_CLOEXEC | flags | (_RECURSIVE if below else 0))


def place(path: str) -> int | None:
    """Return a descriptor that stands for what is at a path, None where nothing is, or where a link is on the way to it or at its end."""
    how = ctypes.create_string_buffer(struct.pack("=QQQ", os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW, 0, _NO_SYMLINKS | _NO_MAGICLINKS), 24)
    try:
        # SAFETY: the kernel reads 24 bytes. O_NOFOLLOW with O_PATH opens a link itself, which NO_SYMLINKS refuses.
        return syscall(_OPENAT2, _HERE, os.fsencode(path), how, 24)
    except OSError:
        return None


def attach(tree: int, where: str | int) -> None:
    """Put a detached mount at a path, or at what a descriptor stands for, and close its own descriptor. A link at the end is not followed. Raises OSError."""
    at, path, flags = (where, b"", _FROM_EMPTY | 0x40) if isinstance(where, int) else (_HERE, os.fsencode(where), _FROM_EMPTY)
    syscall(_MOVE_MOUNT, tree, b"", at, path, flags)
    os.close(tree)


def new_mount(kind: str, options: dict[str, str | None], attributes: int = 0) -> int:
    """Return a descriptor of a new, detached mount of a kind of file system; an option without a value is None. Raises OSError."""
    context = syscall(_FSOPEN, kind.encode(), _FS_CLOEXEC)
    try:
        for key, value in options.items():
            how = _SET_FLAG if value is None else _SET_STRING
            syscall(_FSCONFIG, context, how, key.encode(), _text(value), 0)
        syscall(_FSCONFIG, context, _CREATE, None, None, 0)
        return syscall(_FSMOUNT, context, _FS_CLOEXEC, attributes)
    finally:
        os.close(context)


@frozen(slots=False)
class Mount:
    """A line of mountinfo: where it is mounted, on what kind of file system, and its number (that of its parent)."""

    path: str
    kind: str
    number: int
    parent: int


def mounts() -> Iterator[Mount]:
    """Yield the mounts that this process sees, as they were mounted. Raises OSError."""
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            fields = line.split(b" ")
            path = re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), fields[4])
            yield Mount(os.fsdecode(path), fields[fields.index(b"-", 6) + 1].decode(), int(fields[0]), int(fields[1]))


def _text(value: str | None) -> bytes | None:
    return None if value is None else os.fsencode(value)
