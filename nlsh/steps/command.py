"""RunCommand: run a raw command in the shell, on the user's own terminal. ReadCommand: one that may not change anything. TryCommand: one that
changes a copy.

It owns how the command is started and what its exit status means; what it may touch is its worker's grant.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotFound, NotPossible, StaleStep
from nlsh.plan.records import Exit, Kept, Record
from nlsh.plan.steps import Step
from nlsh.steps import _group, handles
from nlsh.steps._shell import CARRIED, KEEPS, TYPED, Said, arguments, script

# What names one of these is shown the machine's processes, not only its own. A guess that gives sight of their names, and leave for nothing.
_LOOKS_AT_PROCESSES = re.compile(r"(?<![\w.-])(ps|top|htop|pgrep|pidof|pstree|lsof|fuser|ss|netstat|/proc)(?![\w-])")


OWN_SHELL = "NLSH_SHELL"  # in a job's environment: the SHELL of nlsh itself


class CommandFailed(NlshError):
    """A command ended with another status than 0, which is in `status`."""

    code = "command.exit"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None, status: int = 1) -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = status


@dataclass(frozen=True)
class RunCommand(Step):
    """Run `command` in `cwd`, which it may change with all below it."""

    environment: ClassVar[dict[str, str]] = {}

    command: str
    cwd: str

    def effects(self) -> tuple[Effect, ...]:
        changes = tuple(Effect(kind, self.cwd) for kind in ("fs.write", "fs.delete", "fs.meta"))
        others = (Effect("proc.read", "*"),) if _LOOKS_AT_PROCESSES.search(self.command) else ()
        return (Effect("exec", self.command), Effect("fs.read", "/"), *others, *changes)

    def describe(self) -> str:
        return f"run {self.command}"

    def no_undo(self) -> str:
        return "what a command changes where it stands is not journalled"

    def apply(self) -> Iterator[Record]:
        stand_in(self.cwd)
        shell = user_shell(typed=os.environ.pop(TYPED, None) is not None)
        keeps = os.environ.pop(KEEPS, None) is not None
        said = Said() if keeps else None
        line = script(shell, self.command, keeps=keeps) if CARRIED in os.environ else self.command
        try:
            pid, stops = _group.start(shell, arguments(shell, line), {**os.environ, **self.environment}, said.given() if said is not None else {})
        except OSError as error:
            if said is not None:
                said.close()
            raise NotPossible(f"{shell} cannot be run: {error.strerror}.", hint="Nothing was run.") from error
        if handles.stopping():
            with suppress(OSError):  # it has ended; or it is an older kernel, where no worker may send a signal: then Ctrl-C once more
                os.kill(pid if stops is None else -pid, signal.SIGINT)  # Ctrl-C came before there was anybody to hear it
        state = ""
        if said is not None:
            state = said.hear(pid, stops)
        elif stops is not None:
            stops.wait()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if stops is not None:
            stops.close()
        if state:
            yield Kept(state)
        # As shells say it.
        status = status if status >= 0 else 128 - status
        yield Exit(status)
        if status:
            raise CommandFailed(_words(status), status=status)


@dataclass(frozen=True)
class ReadCommand(RunCommand):
    """Run `command`, which may read but change nothing."""

    reads_only: ClassVar[bool] = True
    # less and more, and who pages with them, then start no shell, editor or preprocessor of their own.
    environment: ClassVar[dict[str, str]] = {"LESSSECURE": "1", "PAGERSECURE": "1"}

    network: bool = False

    def effects(self) -> tuple[Effect, ...]:
        found = (Effect("exec", self.command), Effect("fs.read", "/"), Effect("proc.read", "*"))
        return (*found, Effect("net.read", "*")) if self.network else found

    def describe(self) -> str:
        return f"run {self.command} (it may change nothing)"


@dataclass(frozen=True)
class TryCommand(RunCommand):
    """Run `command` where its folder is a copy: what it changes there goes to `layer`, and nothing else can be changed."""

    reads_only: ClassVar[bool] = True

    layer: str = ""

    def effects(self) -> tuple[Effect, ...]:
        # No processes but its own: what it does to those of others could not be dropped.
        return (Effect("exec", self.command), Effect("fs.read", "/"))

    def describe(self) -> str:
        return f"run {self.command} on a copy of {self.cwd}"


def stand_in(cwd: str) -> None:
    """Change into the folder a command is to run in. Raises NotFound, and StaleStep where it is another one than was shown."""
    try:
        folder = os.open(cwd, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"{cwd} is gone.", hint="Nothing was run.") from error
    try:
        # Not where a link leads that has come into the path since: it would be another folder than the one that was shown.
        if os.readlink(f"/proc/self/fd/{folder}") != cwd:
            raise StaleStep(f"A part of {cwd} is a link now.", hint="Nothing was run. Ask again.")
        os.fchdir(folder)
    finally:
        os.close(folder)


def user_shell(*, typed: bool = False) -> str:
    """Return the user's bash, or sh: by the SHELL of nlsh itself, never by one that a line has set for its commands.

    `typed`: for a line that the user types at a prompt, which is in the words of his own shell: his zsh or fish, too.
    """
    wanted = os.environ.pop(OWN_SHELL, os.environ.get("SHELL", ""))
    known = ("bash", "zsh", "fish") if typed else ("bash",)
    return wanted if os.path.basename(wanted) in known and os.access(wanted, os.X_OK) else "/bin/sh"


def _words(status: int) -> str:
    if status > 128:
        try:
            return f"The command was ended by {signal.Signals(status - 128).name}."
        except ValueError:
            pass
    if status == 127:
        return "There is no such command."
    return f"The command ended with status {status}."
