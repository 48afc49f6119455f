"""What commands behind print: taken up by a thread as it comes, and shown where it disturbs nothing, line by line, with the number of its job."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

from nlsh.shell.fit import width
from nlsh.shell.show import escape

_MOST_BYTES = 1 << 20  # that wait to be shown; then the command waits in its turn
_PAUSE_S = 0.05  # between two notices


class Printed:
    """What one command prints. `redraw` is called, from another thread, when there is more."""

    def __init__(self, redraw: Callable[[], None]) -> None:
        self._redraw = redraw
        self._reader, self.writer = os.pipe()
        self.stdin = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._number = 0
        self._waiting = b""
        self._straight = self._ended = False
        self._change = threading.Condition()

    def started(self, number: int) -> None:
        """Begin to take up what the command of a job prints; 0: there is none. The ends of the command's own are its own from here on."""
        os.close(self.writer)
        os.close(self.stdin)
        self._number = number
        if number:
            threading.Thread(target=self._run, name=f"printed-{number}", daemon=True).start()
        else:
            os.close(self._reader)

    def straight(self, *, on: bool) -> bool:
        """Write what comes to the terminal as it comes, while the command is in front; what has waited first. Return whether that was so before."""
        with self._change:
            before, self._straight = self._straight, on
            if on:
                self._write(self._waiting)
                self._waiting = b""
            self._change.notify()
        return before

    @property
    def has_lines(self) -> bool:
        """Whether there are whole lines that were not shown yet."""
        return b"\n" in self._waiting

    def take(self, *, whole: bool = False) -> list[str]:
        """Return the lines that were not shown yet; `whole`: the last one, too, where it has no end."""
        if whole:
            self._drain()
        with self._change:
            lines = self._waiting.split(b"\n")
            rest = lines.pop()
            if whole or len(rest) >= _MOST_BYTES:
                lines, rest = [*lines, *([rest] if rest else [])], b""
            self._waiting = rest
            self._change.notify()
        mark = f"[{self._number}] "
        # By parts that a terminal keeps on one line: where it would go on in the next one, a text could look like nlsh's own.
        return [f"{mark}{part}" for line in lines for part in _parts(_shown(line), _columns() - len(mark))]

    def close(self) -> None:
        """Take up nothing more."""
        with self._change:
            self._straight, self._waiting = False, b""
            self._number = 0
            self._change.notify()

    def _drain(self) -> None:
        """Wait for what a command that has ended has printed: it is in the pipe."""
        with self._change:
            self._change.wait_for(lambda: self._ended or len(self._waiting) >= _MOST_BYTES, _PAUSE_S * 10)

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: len(self._waiting) < _MOST_BYTES or not self._number)
            data = os.read(self._reader, 1 << 16)
            with self._change:
                if not data:
                    self._ended = True
                elif self._straight:
                    self._write(data)
                elif self._number:
                    self._waiting += data
                self._change.notify_all()
                quiet = self._straight
            if not quiet:
                self._redraw()
            if not data:
                os.close(self._reader)
                return
            if not quiet:
                time.sleep(_PAUSE_S)

    @staticmethod
    def _write(data: bytes) -> None:
        while data:
            data = data[os.write(sys.stdout.fileno(), data) :]


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return 80


def _parts(text: str, room: int) -> list[str]:
    found, taken = [""], 0
    for char in text:
        columns = 1 if char.isascii() else width(char)
        if taken + columns > max(room, 2):
            found.append("")
            taken = 0
        found[-1] += char
        taken += columns
    return found


def _shown(line: bytes) -> str:
    """Return a line as a terminal would leave it that knows no sequences: a program that draws its progress anew has drawn it once."""
    return escape(line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "surrogateescape").replace("\t", "    "))
