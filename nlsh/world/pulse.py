"""The sound server (PulseAudio, or PipeWire in its place), in its own protocol over its socket: how loud it is, and making it so.

pactl and wpctl would have to connect by themselves, which no confined worker may; this speaks over a connection that is there already.
The protocol is that of version 12: later ones add to the answers, and every server still speaks it.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.frozen import frozen

_VERSION = 12
_ERROR, _REPLY, _AUTH, _SET_NAME, _SINK_INFO, _SET_VOLUME, _SET_MUTE = 0, 2, 8, 9, 21, 36, 39
_CONTROL = 0xFFFFFFFF
_BY_NAME = 0xFFFFFFFF
_CREDENTIALS = 2  # SCM_CREDENTIALS: process, user and group of who sends, which the kernel checks
_MOST_BYTES = 1 << 20
FULL = 0x10000  # the volume that is 100%
DEFAULT = "@DEFAULT_SINK@"
_WORDS = {1: "access denied", 3: "invalid argument", 5: "there is no sound output", 6: "connection refused", 12: "no data", 21: "not supported"}


class PulseError(NlshError):
    """The sound server said no."""

    code = "sound.failed"


@frozen()
class Output:
    """Where sound comes out: its name, what a person calls it, the volume of each channel (`FULL` is 100%), and whether it is muted."""

    name: str
    description: str
    volumes: tuple[int, ...]
    muted: bool

    @property
    def percent(self) -> int:
        """Return how loud its loudest channel is."""
        return round(100 * max(self.volumes, default=0) / FULL)


def socket_path() -> str:
    """Return the path of the sound server's socket. Raises NotPossible where there is none."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    places = [f"{runtime}/pulse/native", "/run/pulse/native", "/var/run/pulse/native"]
    if own := os.environ.get("PULSE_RUNTIME_PATH"):
        places.insert(0, f"{own}/native")
    server = os.environ.get("PULSE_SERVER", "").removeprefix("unix:")
    if server.startswith("/"):
        places.insert(0, server)
    for place in places:
        if os.path.exists(place):
            return place
    raise NotPossible(
        "Not available here, because no sound server runs for you: neither PulseAudio nor PipeWire has a socket.",
        hint="Nothing was changed. A machine without a desktop often has none.",
    )


class Pulse:
    """The sound server at the other end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        """Say hello. Raises NotPossible where nobody answers as a sound server does."""
        self._connection = connection
        self._tag = 0
        # Who asks goes with the first message; the cookie is for those who come over the network.
        self._ask(_AUTH, _u32(_VERSION) + b"x" + struct.pack(">I", 256) + bytes(256))
        self._ask(_SET_NAME, _text("nlsh"))

    def close(self) -> None:
        self._connection.close()

    def output(self, name: str = DEFAULT) -> Output:
        """Return an output, or the one that sound goes to now. Raises PulseError where there is none."""
        answer = _Reader(self._ask(_SINK_INFO, _u32(_BY_NAME) + _text(name)))
        answer.u32()
        found, description = answer.text(), answer.text()
        answer.skip_format()
        answer.u32()
        return Output(found, description or found, answer.volumes(), answer.flag())

    def set_volumes(self, name: str, volumes: tuple[int, ...]) -> None:
        """Set how loud each channel of an output is."""
        packed = b"v" + struct.pack(f">B{len(volumes)}I", len(volumes), *volumes)
        self._ask(_SET_VOLUME, _u32(_BY_NAME) + _text(name) + packed)

    def set_muted(self, name: str, muted: bool) -> None:
        """Have an output be silent, or not any more."""
        self._ask(_SET_MUTE, _u32(_BY_NAME) + _text(name) + (b"1" if muted else b"0"))

    def _ask(self, command: int, body: bytes) -> bytes:
        self._tag += 1
        payload = _u32(command) + _u32(self._tag) + body
        try:
            message = struct.pack(">5I", len(payload), _CONTROL, 0, 0, 0) + payload
            who = [(socket.SOL_SOCKET, _CREDENTIALS, struct.pack("=iII", os.getpid(), os.getuid(), os.getgid()))] if command == _AUTH else []
            sent = self._connection.sendmsg([message], who)
            self._connection.sendall(message[sent:])
            while True:
                length, channel, _, _, _ = struct.unpack(">5I", self._exactly(20))
                if length > _MOST_BYTES:
                    raise NotPossible("What answers on the sound server's socket is no sound server.", hint="Nothing was changed.")
                answer = _Reader(self._exactly(length))
                if channel != _CONTROL:
                    continue
                kind, tag = answer.u32(), answer.u32()
                if tag != self._tag:
                    continue
                if kind == _ERROR:
                    number = answer.u32()
                    raise PulseError(f"The sound server says no: {_WORDS.get(number, f'error {number}')}.", hint="Nothing was changed.")
                if kind == _REPLY:
                    return answer.rest()
        except (OSError, struct.error, IndexError) as error:
            raise NotPossible(f"The sound server does not answer: {error}.", hint="It may have been done all the same: look.") from error

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._connection.recv(count - len(data))
            if not piece:
                raise ConnectionResetError("it hung up")
            data += piece
        return data


def _u32(value: int) -> bytes:
    return b"L" + struct.pack(">I", value)


def _text(value: str) -> bytes:
    return b"t" + value.encode("utf-8", "surrogateescape") + b"\0"


class _Reader:
    """Reads the typed values of an answer one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def _take(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return found

    def u32(self) -> int:
        return int(self._take(">xI")[0])

    def text(self) -> str:
        if self._data[self._at] == ord("N"):
            self._at += 1
            return ""
        end = self._data.index(b"\0", self._at)
        found = self._data[self._at + 1 : end].decode("utf-8", "replace")
        self._at = end + 1
        return found

    def skip_format(self) -> None:
        """Pass over a sample specification and a map of channels."""
        self._take(">xBBI")
        channels = int(self._take(">xB")[0])
        self._at += channels

    def volumes(self) -> tuple[int, ...]:
        count = int(self._take(">xB")[0])
        return self._take(f">{count}I")

    def flag(self) -> bool:
        return bool(self._take(">c")[0] == b"1")

    def rest(self) -> bytes:
        return self._data[self._at :]
