"""StartProgram and RestartProgram: programs that go on when nlsh has ended, confined for good to what was approved; EndStarted takes a start back.

What is started stands in a session of its own, has no terminal, and writes to a log. It stays in the sandbox of the worker that started it.
"""

from __future__ import annotations

import os
import resource
import select
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError, NotPossible, StaleStep
from nlsh.plan.records import Note, Record
from nlsh.plan.records.process import Started
from nlsh.plan.steps import Step
from nlsh.steps import handles
from nlsh.steps._group import USUAL_SIGNALS
from nlsh.steps._process import check_same
from nlsh.steps.command import CommandFailed, stand_in, user_shell
from nlsh.steps.processes import Signal
from nlsh.world.process_facts import TOKEN, started_with

# How long is waited to see whether a program ends as soon as it has begun, as one does that cannot be found or set up.
FIRST_LOOK_S = 0.3
_TAIL_BYTES = 4096


def _allowed(command: str, cwd: str, log: str, changes: bool) -> tuple[Effect, ...]:
    """Return what a started program may do: what a raw command may, and its log."""
    read = (Effect("exec", command), Effect("fs.read", "/"), Effect("proc.read", "*"), Effect("fs.log", log))
    return (*read, *(Effect(kind, cwd) for kind in ("fs.write", "fs.delete", "fs.meta"))) if changes else read


@dataclass(frozen=True)
class StartProgram(Step):
    """Start `command` in the shell, in `cwd`, which it may change with all below it where `changes`; what it prints goes to the new file `log`.

    `token` is put into its environment, so that undo knows it and what it has started.
    """

    detaches: ClassVar[bool] = True

    command: str
    name: str
    cwd: str
    log: str
    token: str
    changes: bool

    def effects(self) -> tuple[Effect, ...]:
        return _allowed(self.command, self.cwd, self.log, self.changes)

    def describe(self) -> str:
        return f"start {self.command} in the background ({_confined(self.changes, self.cwd)}); what it prints goes to {self.log}"

    def apply(self) -> Iterator[Record]:
        output = _ready(self.cwd, self.log)
        shell = user_shell()
        environment = {**dict(os.environ), TOKEN: self.token}
        yield from _start(shell, [os.path.basename(shell), "-c", self.command], environment, output, Started(0, self.name, self.log, self.command))

    def inverse(self) -> EndStarted:
        return EndStarted(self.name, self.command, self.token, self.log)

    def state(self) -> str:
        return "done" if started_with(self.token, self.log) else "unknown"


def _confined(changes: bool, cwd: str) -> str:
    return f"it may change {cwd} and nothing else, and use no network" if changes else "it may change nothing, and use no network"


@dataclass(frozen=True)
class EndStarted(Step):
    """End what a StartProgram has started. Which processes these are is known when it is asked for: then it is a Signal to each."""

    name: str
    command: str
    token: str
    log: str

    def effects(self) -> tuple[Effect, ...]:
        return ()

    def describe(self) -> str:
        return f"end {self.name}, which was started as {self.command}"

    def check(self) -> None:
        if not started_with(self.token, self.log):
            raise StaleStep(f"{self.name} has ended by itself.", hint=f"What it printed is in {self.log}.")

    def apply(self) -> None:
        raise StaleStep(f"{self.name} cannot be told from other processes here.", hint="Nothing was ended.")

    def resolved(self) -> tuple[Step, ...]:
        # Parents first: a shell whose command ends goes on to the next.
        found = started_with(self.token, self.log)
        everyone = tuple((p.pid, p.started) for p in found)
        return tuple(
            Signal(
                p.pid, p.started, p.called, "TERM", p.summary, begins=everyone if number == 0 else (),
                awaits=everyone if number == len(found) - 1 else (), may_be_gone=number > 0,
            )
            for number, p in enumerate(found)
        ) or (self,)  # fmt: skip


@dataclass(frozen=True)
class RestartProgram(Step):
    """End a process, and start its program again with its arguments, environment and folder.

    Arguments and environment are read from the process when the worker is made, not written down: they may hold secrets. `network` are the
    effects on the network that it is given because it uses the network now. `force`: it is ended at once, with no time to save, and
    so are its `helpers` (their ids and when they were started), which it has no time to end itself.
    """

    detaches: ClassVar[bool] = True

    pid: int
    started: str
    name: str
    command: str
    program: str
    cwd: str
    log: str
    token: str
    changes: bool
    network: tuple[tuple[str, str], ...] = ()
    force: bool = False
    helpers: tuple[tuple[int, str], ...] = ()

    def effects(self) -> tuple[Effect, ...]:
        network = (Effect(kind, target) for kind, target in self.network)
        ended = (Effect("proc.signal", str(pid)) for pid in (self.pid, *(pid for pid, _ in self.helpers)))
        return (*ended, *_allowed(self.command, self.cwd, self.log, self.changes), *network)

    def describe(self) -> str:
        confined = _confined(self.changes, self.cwd).removesuffix(", and use no network" if self.network else "")
        helpers = f" and {len(self.helpers)} of its helpers" if self.helpers else ""
        at_once = f"{helpers} at once, with no time to save," if self.force else ""
        ended = f"end {self.name} (process {self.pid}){at_once}"
        return f"{ended} and start it again: {self.command} (in the background, {confined}); what it prints goes to {self.log}"

    def check(self) -> None:
        check_same(self.pid, self.started, self.name)

    def apply(self) -> Iterator[Record]:
        known = handles.surroundings(self.pid)
        if known is None:
            raise StaleStep(f"How {self.name} (process {self.pid}) was started cannot be read any more.", hint="Nothing was ended.")
        argv, environment = known
        output = _ready(self.cwd, self.log)
        try:
            everyone = ((self.pid, self.started), *self.helpers)
            Signal(self.pid, self.started, self.name, "KILL" if self.force else "TERM", awaits=() if self.helpers else everyone).apply()
            for number, (pid, since) in enumerate(self.helpers, start=1):
                Signal(pid, since, self.name, "KILL", awaits=everyone if number == len(self.helpers) else (), may_be_gone=True).apply()
        except NlshError as error:
            if error.code == "process.still-running":
                hint = "It was not started again. It may still be saving its work; where it hangs: process.restart, force=true."
                raise NlshError(error.message, hint=hint, code=error.code) from error
            raise
        # LIMIT: it may send no signals: a worker that may signal one process cannot be kept by Landlock from signalling others, so none is let
        # through, and what is started stays in its filter. Nor may it open a descriptor with a number that stands for that leave.
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = handles.FIRST if hard == resource.RLIM_INFINITY else min(handles.FIRST, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, most) if soft != resource.RLIM_INFINITY else most, most))
        environment[TOKEN.encode()] = self.token.encode()
        try:
            yield from _start(self.program, argv, environment, output, Started(0, self.name, self.log, self.command))
        except NlshError as error:
            raise NlshError(f"{self.name} was ended, and could not be started again: {error.message}", hint=error.hint, code=error.code) from error


def _ready(cwd: str, log: str) -> int:
    """Stand in the folder and return the descriptor of the log. Raises NotFound, StaleStep and NotPossible, before anything is ended or started."""
    stand_in(cwd)
    try:
        return handles.log(log)
    except OSError as error:
        raise NotPossible(f"{log} cannot be made: {error.strerror}.", hint="Nothing was started. Name another file with log.") from error


def _start(path: str, argv: Sequence[str | bytes], environment: Mapping[Any, Any], output: int, about: Started) -> Iterator[Record]:
    """Start a program in a session of its own, and look for a moment whether it goes on. Raises NotPossible, CommandFailed."""
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    streams = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
    try:
        pid = os.posix_spawn(path, list(argv), environment, file_actions=streams, setsid=True, setsigmask=[], setsigdef=USUAL_SIGNALS)
    except OSError as error:
        raise NotPossible(f"{path} cannot be run: {error.strerror}.", hint="Nothing was started.") from error
    finally:
        os.close(null)
    status = _status_of(pid)
    if status:
        words = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        said = _last_line(about.log)
        raise CommandFailed(
            f"{about.name} {words} as soon as it was started{': ' + said.rstrip('.') if said else ''}.",
            hint=f"What it printed is in {about.log}.", status=status if status > 0 else 128 - status,
        )  # fmt: skip
    handles.leave_running()
    yield replace(about, pid=pid, running=status is None)
    if status == 0:
        yield Note(f"{about.name} has ended already, with status 0. What it printed is in {about.log}.")


def _status_of(pid: int) -> int | None:
    """Return the exit status of a child that ends at once (negative: by which signal), or None if it goes on."""
    descriptor = os.pidfd_open(pid)
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        if not poller.poll(FIRST_LOOK_S * 1000):
            return None
    finally:
        os.close(descriptor)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _last_line(log: str) -> str:
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")
