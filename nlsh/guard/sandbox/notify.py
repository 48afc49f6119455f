"""Seccomp's user notification by ctypes: a listener's calls, the memory and descriptors of the process that waits, and the replies.

It owns the kernel's structures. What is asked, allowed and done is the broker's.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
from typing import NamedTuple

from nlsh.guard.sandbox.kernel import syscall
from nlsh.guard.sandbox.seccomp import name_of, number_of

_RECEIVE, _SEND, _IS_VALID, _ADD_DESCRIPTOR, _SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082102, 0x40182103, 0x40082104
_CONTINUE = 1
_AT_NUMBER = 1
_SYNC_WAKE_UP = 1
_CALL = struct.Struct("=QI4xi12x6Q")
_PAGE = 4096
_SCM_CREDENTIALS = 2
LONGEST_PATH = 4096
_USUAL = 256  # what most paths fit into


class Call(NamedTuple):
    """A system call that waits: its number with the listener, the thread that made it, and its name and arguments."""

    id: int
    thread: int
    name: str
    arguments: tuple[int, ...]

    def signed(self, index: int) -> int:
        """Return an argument as the signed 32-bit number that descriptors and process numbers are."""
        low = self.arguments[index] & 0xFFFFFFFF
        return low - (1 << 32) if low & 0x80000000 else low


class Listener:
    """The end of a filter that hears of the calls it notifies."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        with contextlib.suppress(OSError):
            # From Linux 6.6 on: both ends on one core.
            fcntl.ioctl(descriptor, _SET_FLAGS, _SYNC_WAKE_UP)

    def receive(self) -> Call | None:
        """Return the next call, None where who made it is gone. Raises OSError where nobody is left under the filter."""
        try:
            data = fcntl.ioctl(self.descriptor, _RECEIVE, bytes(_CALL.size))
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):
                return None
            raise
        number, thread, call, *arguments = _CALL.unpack(data)
        return Call(number, thread, name_of(call), tuple(arguments))

    def waits(self, call: Call) -> bool:
        """Return whether the call still waits. If not, its thread's number may be another's by now."""
        try:
            fcntl.ioctl(self.descriptor, _IS_VALID, struct.pack("=Q", call.id))
        except OSError:
            return False
        return True

    def hand_back(self, call: Call) -> None:
        """Let the kernel do the call as if nobody had listened: the caller's own confinement decides, on what the arguments are by then."""
        self._send(call, 0, 0, _CONTINUE)

    def reply(self, call: Call, error: int = 0, *, value: int = 0) -> None:
        """Have the call return `value`, or fail with `error`."""
        self._send(call, 0 if error else value, error, 0)

    def give(self, call: Call, descriptor: int, *, at: int | None = None, inherited: bool = False) -> int:
        """Put a descriptor into the caller, `at` a number in place of what is there, and return its number there. Raises OSError."""
        flags, number = (0, 0) if at is None else (_AT_NUMBER, at)
        data = struct.pack("=QIIII", call.id, flags, descriptor, number, 0 if inherited else os.O_CLOEXEC)
        while True:
            try:
                return fcntl.ioctl(self.descriptor, _ADD_DESCRIPTOR, bytearray(data))
            except InterruptedError:
                continue  # by the end of a child; then nothing was put there

    def _send(self, call: Call, value: int, error: int, flags: int) -> None:
        with contextlib.suppress(FileNotFoundError):  # the caller was ended meanwhile
            fcntl.ioctl(self.descriptor, _SEND, bytearray(struct.pack("=QqiI", call.id, value, -error, flags)))


class _Piece(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


# One of each, for a process with one thread: it reads an argument for every call.
_buffer = ctypes.create_string_buffer(_PAGE)
_ours, _theirs = _Piece(ctypes.addressof(_buffer), 0), _Piece(0, 0)
_ours_at, _theirs_at = ctypes.byref(_ours), ctypes.byref(_theirs)


def memory(thread: int, address: int, length: int) -> bytes:
    """Return `length` bytes, at most a page, of the memory of a thread's process. Raises OSError."""
    _ours.length = _theirs.length = length
    _theirs.base = address
    # SAFETY: the kernel writes at most `length` bytes, which is at most a page, into the buffer.
    got = syscall(number_of("process_vm_readv"), thread, _ours_at, 1, _theirs_at, 1, 0)
    if got != length:
        raise OSError(errno.EFAULT, "memory ends there")
    return ctypes.string_at(_buffer, length)


def text(thread: int, address: int) -> bytes:
    """Return the bytes up to the first zero. Raises OSError, ENAMETOOLONG where there is none in the length of a path."""
    found = b""
    while len(found) < LONGEST_PATH:
        # No further than the page goes: the next one may not be there.
        part = memory(thread, address + len(found), min(_PAGE - (address + len(found)) % _PAGE, LONGEST_PATH - len(found), _USUAL if not found else _PAGE))
        end = part.find(b"\0")
        if end >= 0:
            return found + part[:end]
        found += part
    raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


def descriptor_of(process: int, number: int) -> int:
    """Return a duplicate of a descriptor of another process. Raises OSError."""
    handle = os.pidfd_open(process)
    try:
        return syscall(number_of("pidfd_getfd"), handle, number, 0)
    finally:
        os.close(handle)


def send(channel: socket.socket, data: bytes, descriptors: tuple[int, ...] = ()) -> None:
    """Send a message with descriptors. Raises OSError."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    channel.sendmsg([data], rights, socket.MSG_NOSIGNAL)


def receive(channel: socket.socket, most: int = 1 << 16) -> tuple[bytes, list[int]]:
    """Return a message and the descriptors that came with it; empty where the other end is gone. Raises OSError."""
    data, ancillary, _, _ = channel.recvmsg(most, socket.CMSG_SPACE(4 * 4), socket.MSG_CMSG_CLOEXEC)
    return data, _descriptors(ancillary)


def receive_from(channel: socket.socket) -> tuple[int, list[int]]:
    """Return the number of the process that sent a message, as it is here, and the descriptors that came with it. Raises OSError.

    `channel` has SO_PASSCRED.
    """
    _, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(4 * 4) + socket.CMSG_SPACE(12), socket.MSG_CMSG_CLOEXEC)
    senders = [struct.unpack("=iII", content)[0] for _, kind, content in ancillary if kind == _SCM_CREDENTIALS]
    return senders[0] if senders else 0, _descriptors(ancillary)


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    given = array.array("i")
    for _, kind, content in ancillary:
        if kind == socket.SCM_RIGHTS:
            given.frombytes(content[: len(content) // 4 * 4])
    return list(given)
