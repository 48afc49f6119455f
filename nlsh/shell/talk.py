"""Talking to whoever is at this process: what is said on stderr, what is asked there, and what goes to stdout as JSON."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from nlsh.guard.sandbox import heard
from nlsh.plan.errors import NlshError
from nlsh.shell.options import Options, is_plain
from nlsh.shell.progress import Progress
from nlsh.shell.show import Look, escape

_OWN = re.compile(r"(?:\x1b\[[0-9;]*m)*nlsh: ")
SCHEMA = 1  # the version of what --json prints: docs/json-schema-1.json


class Talk:
    """The two streams of a process, in its look; the base of a session."""

    def __init__(self, options: Options, look: Look) -> None:
        self.options = options
        self.look = look
        self.progress = Progress(look, quiet=options.quiet, plain=is_plain(options))
        self.still: Callable[[], AbstractContextManager[None]] = nullcontext  # holds what goes on behind still while something is asked

    def can_ask(self) -> bool:
        """Return whether a person can be asked: a terminal to read from and one to show on, and no flag against it."""
        return not self.options.no_input and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()

    def read(self, question: str) -> str:
        """Ask on stderr and return the line that is typed. Raises EOFError at Ctrl-D."""
        import termios

        # What was typed before the question was shown is no answer to it.
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
        sys.stderr.write(self.look.paint(question, "bold"))
        sys.stderr.flush()
        try:
            with self.still():
                heard.until_readable(sys.stdin.fileno())
                line = sys.stdin.readline()
        except KeyboardInterrupt:
            sys.stderr.write("\n")
            raise
        if not line:
            raise EOFError
        return line

    def fail(self, error: NlshError) -> int:
        """Report an error and return its exit status."""
        self.progress.clear()
        if self.look.json:
            self.emit({"error": error.as_data()})
        self.say(self.look.paint("nlsh: " + escape(str(error)), "red"))
        return error.exit_status

    def say(self, *lines: str) -> None:
        """Write lines to stderr, those that nlsh says of itself broken between words; plans and names of others stay on their lines."""
        for line in lines:
            sys.stderr.write((self.look.prose(line) if _OWN.match(line) else line) + "\n")
        sys.stderr.flush()

    def begin_line(self) -> None:
        """Have what is said next begin a line of its own, where a command has left the cursor behind its output or a ^C; on a new line nothing is seen."""
        if not self.look.prose_columns or not sys.stderr.isatty():
            return
        # As many blanks as fit a line lead to the next one from anywhere but its beginning.
        sys.stderr.write(" " * self.look.resized().prose_columns + "\r\x1b[K")
        sys.stderr.flush()

    def emit(self, data: dict[str, Any]) -> None:
        """Write a JSON line to stdout."""
        import json

        sys.stdout.write(json.dumps({**data, "schema": SCHEMA}) + "\n")
