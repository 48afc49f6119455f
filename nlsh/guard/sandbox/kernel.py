"""System calls that Python has no function for, by ctypes."""

from __future__ import annotations

import ctypes
import os
import resource
from contextlib import suppress
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
# SAFETY: `syscall` and `prctl` are variadic; every number is passed as a C long, every pointer as ctypes makes it.
_libc.syscall.restype = ctypes.c_long
_libc.prctl.restype = ctypes.c_int

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
    """Make a system call by its number and return what it returns. Raises OSError."""
    result = _libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in args))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def prctl(option: int, *args: int) -> int:
    """Call prctl(2) with whole numbers. Raises OSError."""
    padded = [ctypes.c_ulong(a) for a in (*args, 0, 0, 0, 0)[:4]]
    result = _libc.prctl(ctypes.c_int(option), *padded)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}): {os.strerror(error)}")
    return result


def leave_no_core() -> None:
    """Have this process leave no core when it crashes, nor start the handler of crashes, which is root's and outside: at 1 byte the kernel does neither."""
    # LIMIT: where 0 is the most that is allowed, as after sudo, it stays; then a handler is started all the same.
    with suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
