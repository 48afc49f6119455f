"""How soon a process gets the disk, as the kernel's numbers and in words: a class (none, realtime, best effort, idle) and a level from 0 to 7."""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache

from nlsh.plan.errors import NotPossible

# (get, set): the numbers of the system calls, which the C library has no names for.
CALLS = {"x86_64": (252, 251), "aarch64": (31, 30), "riscv64": (31, 30), "i686": (290, 289), "armv7l": (315, 314), "ppc64le": (274, 273), "s390x": (283, 282)}
PROCESS = 1
_SHIFT = 13
LEVELS = {"idle": 3 << _SHIFT, "low": 2 << _SHIFT | 7, "normal": 0, "high": 2 << _SHIFT}


@cache
def libc() -> ctypes.CDLL:
    """Return the C library, for `syscall`."""
    found = ctypes.CDLL(None, use_errno=True)
    found.syscall.restype = ctypes.c_long
    return found


def numbers() -> tuple[int, int]:
    """Return the numbers of ioprio_get and ioprio_set here. Raises NotPossible."""
    if platform.machine() not in CALLS:
        raise NotPossible(f"Not available here, because nlsh does not know this system call of {platform.machine()}.", hint="Nothing was changed.")
    return CALLS[platform.machine()]


def get(thread: int) -> int:
    """Return the priority of a thread. Raises ProcessLookupError where it has ended, NotPossible where the kernel has none."""
    # SAFETY: ioprio_get takes two numbers.
    found = libc().syscall(ctypes.c_long(numbers()[0]), ctypes.c_long(PROCESS), ctypes.c_long(thread))
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(found)


def words(value: int) -> str:
    """Return a priority in words."""
    for name, known in LEVELS.items():
        if value == known:
            return name
    kind, level = value >> _SHIFT, value & 7
    return {0: "normal", 1: f"realtime {level}", 2: f"best effort {level}", 3: "idle"}.get(kind, str(value))
