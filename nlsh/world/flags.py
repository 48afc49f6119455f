"""The flags that a file system keeps of a file (as chattr and lsattr know them): which there are, and reading them."""

from __future__ import annotations

import os
import stat
import struct

# What people call it: the bit, which is the same on every file system that has it.
FLAGS = {"immutable": 0x10, "append-only": 0x20, "no-dump": 0x40}
# As the kernel's headers make the number of an ioctl: which way, the size of a long, the letter and the number.
GET_FLAGS = 2 << 30 | struct.calcsize("l") << 16 | 0x6601


def open_for_flags(path: str) -> int:
    """Return a descriptor of a file or folder whose flags can be asked for; links are not followed. Raises OSError, also for devices and pipes."""
    held = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        mode = os.fstat(held).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise OSError(95, os.strerror(95), path)
        return os.open(f"/proc/self/fd/{held}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(held)


def flags_of(path: str) -> int:
    """Return the flags of a file or folder, as bits. Raises OSError where its file system has none."""
    import fcntl

    descriptor = open_for_flags(path)
    try:
        return int(struct.unpack("=i", fcntl.ioctl(descriptor, GET_FLAGS, bytes(4)))[0])
    finally:
        os.close(descriptor)
