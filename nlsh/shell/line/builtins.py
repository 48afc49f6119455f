"""The words that only a shell itself can do: cd, exit, export, alias, undo, history.

`undo` and `history` are plans and commands like any other; the rest changes this process and nothing else. They are taken as they are written;
what has to be computed first (`cd "$X"`, `export A=$B`) is a raw command, whose shell says what came of it.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from dataclasses import replace

from nlsh.plan.plan import Call, Plan
from nlsh.shell.line.carried import NOT_CARRIED
from nlsh.shell.line.state import ShellState, stand_in
from nlsh.shell.options import UsageError
from nlsh.shell.show import escape
from nlsh.shell.turn import Session

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = re.compile(r"[|<>;&`]|\$\(")
_LAST = ("that", "it", "this")  # what is undone: the same as with no word
_OWN = ("cd", "exit", "quit", "export", "unset", "alias", "unalias", "undo", "history")


def is_own(line: str) -> bool:
    """Return whether a line is one of the shell's own words with what it takes, and not a sentence that begins with one ("exit firefox", "alias for ls")."""
    first, _, rest = line.strip().partition(" ")
    if first not in _OWN or _OPERATORS.search(line) or "\n" in line:
        return False
    if first in ("cd", "export") and re.search(r"\$|=~|[*?]", rest):
        return False  # what is put together is the shell's
    try:
        words = shlex.split(rest)
    except ValueError:
        return False
    if first == "undo" and len(words) == 1 and words[0].lower() in _LAST:
        return True
    if first in ("undo", "history", "exit", "quit"):
        return not words or (len(words) == 1 and words[0].isdigit())
    if first == "cd":
        return not words or words[0] in ("-", "--") or not words[0].startswith("-")
    if first == "alias":
        return (len(words) <= 1 or all("=" in w for w in words)) and not any(w.startswith("-") for w in words)
    if first == "export":
        return bool(words) and all(_NAME.fullmatch(w.partition("=")[0]) and ("=" in w or w.isupper()) for w in words)
    return not any(w.startswith("-") for w in words) and (len(words) == 1 or all(w.isupper() for w in words))


class Leave(Exception):
    """The user leaves the shell, with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Words:
    """The shell's own words, over its state."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.state = session.shell = ShellState()
        self.known: dict[str, Callable[[list[str]], int]] = {
            "cd": self._cd, "exit": self._exit, "quit": self._exit, "export": self._export, "unset": self._unset,
            "alias": self._alias, "unalias": self._unalias, "undo": self._undo, "history": self._history,
        }  # fmt: skip

    @property
    def aliases(self) -> dict[str, str]:
        """What the shell's aliases stand for."""
        return self.state.aliases

    def handle(self, line: str) -> int | None:
        """Do what a line says if it is one of the shell's own words; return its status, or None if it is not. Raises UsageError."""
        if not is_own(line):
            return None
        words = shlex.split(line)
        self.state.status = 1
        self.state.status = self.known[words[0]](words[1:])
        self.state.lend(self.session)
        return self.state.status

    def _cd(self, words: list[str]) -> int:
        from nlsh.world import World

        written = " ".join(words)
        if written == "-":
            target = os.environ.get("OLDPWD", "")
            if not target:
                raise UsageError("There is no folder to go back to.")
            self.session.say(escape(target))
        else:
            home = self.state.value("HOME")
            world = World(home=home) if home.startswith("/") else World()
            target = world.resolve(written) if written else world.home
        try:
            stand_in(self.session, target)
        except OSError as error:
            raise UsageError(f"cd: {target}: {error.strerror}.") from error
        return 0

    def _exit(self, words: list[str]) -> int:
        raise Leave(int(words[0]) % 256 if words else 0)

    def _export(self, words: list[str]) -> int:
        if own := [n for n in (w.partition("=")[0] for w in words) if NOT_CARRIED.fullmatch(n)]:
            raise UsageError(f"export: {', '.join(own)} is not carried from line to line.", hint="Nothing was set. It may stand before a command: A=b command.")
        for word in words:
            name, equals, value = word.partition("=")
            if equals:
                self.state.export(name, value)
            elif (known := self.state.variables.get(name)) is not None:
                self.state.variables[name] = replace(known, attributes=known.attributes.replace("x", "") + "x")
        return 0

    def _unset(self, words: list[str]) -> int:
        for word in words:
            self.state.unset(word)
        return 0

    def _alias(self, words: list[str]) -> int:
        for word in words:
            name, equals, value = word.partition("=")
            if equals:
                self.aliases[name] = value
            elif name not in self.aliases:
                raise UsageError(f"alias: there is no alias “{name}”.")
        for name in [w for w in words if "=" not in w] or ([] if words else sorted(self.aliases)):
            print(escape(f"alias {name}={shlex.quote(self.aliases[name])}"))
        return 0

    def _unalias(self, words: list[str]) -> int:
        for word in words:
            if self.aliases.pop(word, None) is None:
                raise UsageError(f"unalias: there is no alias “{word}”.")
        return 0

    def _undo(self, words: list[str]) -> int:
        run = {"run": words[0]} if words and words[0].isdigit() else {}
        return self.session.run(Plan((Call("history.undo", run),)), " ".join(["undo", *words]))

    def _history(self, words: list[str]) -> int:
        return self.session.run(Plan((Call("history.list", {"limit": words[0]} if words else {}),)), " ".join(["history", *words]))
