"""The words that only a shell itself can do: cd, exit, export, alias, undo, history.

`undo` and `history` are plans and commands like any other; the rest changes this process and nothing else.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable

from nlsh.plan.errors import SettingsError
from nlsh.plan.plan import Call, Plan
from nlsh.shell.options import UsageError
from nlsh.shell.show import escape
from nlsh.shell.turn import Session

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = re.compile(r"[|<>;&`]|\$\(")


class Leave(Exception):
    """The user leaves the shell, with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Words:
    """The shell's own words, and what they keep: aliases and the folder before this one."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.aliases: dict[str, str] = {}
        self._known: dict[str, Callable[[list[str]], int]] = {
            "cd": self._cd, "exit": self._exit, "quit": self._exit, "export": self._export, "unset": self._unset,
            "alias": self._alias, "unalias": self._unalias, "undo": self._undo, "history": self._history,
        }  # fmt: skip

    def handle(self, line: str) -> int | None:
        """Do what a line says if its first word is one of the shell's own; return its status, or None if it is not."""
        first = line.split(None, 1)[0]
        if first not in self._known or _OPERATORS.search(line):
            return None
        try:
            words = shlex.split(line)
        except ValueError:
            return None
        if first in ("undo", "history", "exit", "quit") and len(words) > 1 and not words[1].isdigit():
            return None  # "undo the last change", "exit firefox": language
        return self._known[first](words[1:])

    def expanded(self, line: str) -> str:
        """Return the line with an alias in its first word replaced."""
        first, space, rest = line.partition(" ")
        return self.aliases[first] + space + rest if first in self.aliases else line

    def _cd(self, words: list[str]) -> int:
        from nlsh.world import World

        here = os.getcwd()
        written = " ".join(words)
        if written == "-":
            target = os.environ.get("OLDPWD", "")
            if not target:
                raise UsageError("There is no folder to go back to.")
            self.session.say(escape(target))
        else:
            target = os.path.expanduser("~") if not written else World().resolve(os.path.expandvars(written))
        try:
            os.chdir(target)
        except OSError as error:
            raise UsageError(f"cd: {target}: {error.strerror}.") from error
        try:
            # A project's own rules hold from the moment one stands in it.
            self.session.policy = self.session.kernel.policy = self.session.policy.renewed()
        except SettingsError:
            os.chdir(here)
            raise
        os.environ["OLDPWD"], os.environ["PWD"] = here, os.getcwd()
        self.session.kernel.world = World()
        return 0

    def _exit(self, words: list[str]) -> int:
        raise Leave(int(words[0]) % 256 if words else 0)

    def _export(self, words: list[str]) -> int:
        for word in words:
            name, equals, value = word.partition("=")
            if not _NAME.fullmatch(name):
                raise UsageError(f"export: “{word}” is not NAME=VALUE.")
            if equals:
                os.environ[name] = os.path.expandvars(value)
        return 0

    def _unset(self, words: list[str]) -> int:
        for word in words:
            os.environ.pop(word, None)
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
        return self.session.run(Plan((Call("history.undo", {"run": words[0]} if words else {}),)), " ".join(["undo", *words]))

    def _history(self, words: list[str]) -> int:
        return self.session.run(Plan((Call("history.list", {"limit": words[0]} if words else {}),)), " ".join(["history", *words]))
