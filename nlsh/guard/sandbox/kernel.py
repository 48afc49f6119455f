"""System calls that Python has no function for, by ctypes."""

from __future__ import annotations

import ctypes
import os
import resource
from contextlib import suppress
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
# SAFETY: `syscall` and `prctl` are variadic; every argument is passed in a whole register, as the kernel takes it, be it a number or a pointer. Those
# that a call does not have are 0, which it does not look at. Declared once: a worker's start makes some four hundred calls.
raw = _libc.syscall  # returns -1 for an error, which `ctypes.get_errno` then tells; takes all six arguments
raw.restype, raw.argtypes = ctypes.c_long, [ctypes.c_long, *([ctypes.c_void_p] * 6)]
_prctl = _libc.prctl
_prctl.restype, _prctl.argtypes = ctypes.c_int, [ctypes.c_int, *([ctypes.c_ulong] * 4)]
_NONE = tuple((0,) * (6 - given) for given in range(7))

SET_PDEATHSIG = 1
SET_DUMPABLE = 4
GET_SECCOMP = 21
CAPBSET_DROP = 24
SET_CHILD_SUBREAPER = 36
SET_NO_NEW_PRIVS = 38
GET_NO_NEW_PRIVS = 39
CAP_AMBIENT = 47
CAP_AMBIENT_CLEAR_ALL = 4


def syscall(number: int, *args: Any) -> int:
    """Make a system call by its number and return what it returns; its arguments are numbers, bytes that it only reads, None, or pointers. Raises OSError."""
    result: int = raw(number, *args, *_NONE[len(args)])
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def prctl(option: int, *args: int) -> int:
    """Call prctl(2) with whole numbers. Raises OSError."""
    result: int = _prctl(option, *(*args, 0, 0, 0, 0)[:4])
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}): {os.strerror(error)}")
    return result


def be_called(name: str) -> None:
    """Have this process go by a name of at most 15 letters in lists of processes."""
    with suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as file:
        file.write(name)


def leave_no_core() -> None:
    """Have this process leave no core when it crashes, nor start the handler of crashes, which is root's and outside: at 1 byte the kernel does neither."""
    # LIMIT: where 0 is the most that is allowed, as after sudo, it stays; then a handler is started all the same.
    with suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
