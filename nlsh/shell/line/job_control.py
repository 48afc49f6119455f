"""Job control: raw commands that were stopped or go on behind, and the words for them: jobs, fg, bg, kill %1, wait, a trailing &.

It owns the table of these commands, who is in front on the terminal, and the terminal's modes. A command stays what it was when it was agreed to: its
worker, its grant, and its place in the journal and the audit are the kernel's, and last until it ends. Only what the prompt runs by itself can be
stopped: not what is tried on a copy, and no plan of nlsh's own.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlsh.guard.sandbox.group import Group
from nlsh.plan.plan import Preview
from nlsh.shell.line.behind import Printed
from nlsh.shell.line.job_words import parts, words_of
from nlsh.shell.options import UsageError
from nlsh.shell.show import escape

if TYPE_CHECKING:
    from nlsh.kernel.command import Command
    from nlsh.kernel.outcome import Outcome
    from nlsh.shell.turn import Session

_ENDS_WITHIN_S = 1.0  # for commands to end in their own way when nlsh is left
_INTERRUPTED = 130
_READS, _WRITES = signal.SIGTTIN, signal.SIGTTOU
_CONTINUED_BY = (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)


@dataclass
class Job:
    """A raw command that was stopped or goes on behind: `modes` are the terminal's as it left them, `printed` what it prints behind."""

    number: int
    line: str
    preview: Preview
    command: Command
    modes: list[Any] | None = None
    size: os.terminal_size | None = None
    printed: Printed | None = None

    @property
    def group(self) -> Group:
        """The process group."""
        return self.command.group

    @property
    def state(self) -> str:
        """What it does."""
        if not self.group.stopped:
            return "Running"
        return {_READS: "Stopped (it wants to read)", _WRITES: "Stopped (it wants the terminal)"}.get(signal.Signals(self.group.stopped), "Stopped")

    def words(self, state: str = "", mark: str = " ") -> str:
        """Return the line that says what it does."""
        return f"[{self.number}]{mark} {state or self.state}  {escape(' '.join(self.line.split()))}"


class JobControl:
    """The stopped and the background commands of one shell on one terminal. `redraw` is called, from another thread, when there is something new."""

    def __init__(self, session: Session, redraw: Callable[[], None]) -> None:
        self._session, self._redraw = session, redraw
        self._terminal = sys.stdin.fileno()
        self._own = os.getpgrp()
        self._jobs: dict[int, Job] = {}
        self._current: list[int] = []  # numbers, the one that fg means last
        self._statuses: dict[int, int] = {}  # of those that have ended, by number
        self._begun: Group | None = None  # that of the command that is being run
        self._warned = self._explained = False
        self._left = termios.tcgetattr(self._terminal)
        for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
            signal.signal(number, signal.SIG_IGN)
        session.zygote.unstopped = True
        session.still = self.still

    @classmethod
    def of(cls, session: Session, redraw: Callable[[], None]) -> JobControl | None:
        """Return that of a session; None where nlsh is not in front on a terminal of its own session, which it needs for that."""
        try:
            if not (session.can_ask() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()):
                return None
        except OSError:
            return None
        return cls(session, redraw)

    def __len__(self) -> int:
        return len(self._jobs)

    def in_short(self) -> list[str]:
        """Return how many are stopped and how many go on behind, for the bar."""
        stopped = sum(bool(j.group.stopped) for j in self._jobs.values())
        return [f"{count} {word}" for count, word in ((stopped, "stopped"), (len(self) - stopped, "running")) if count]

    def has(self, request: str) -> bool:
        """Return whether what was asked for so is among them."""
        return any(job.preview.request == request for job in self._jobs.values())

    def line(self, text: str, request: str, *, direct: bool) -> int:
        """Run a command line, part by part; return the status of the last. `direct`: none is tried on a copy first."""
        status, found = 0, parts(text)
        assert self._session.shell is not None
        for part, behind in found:
            if not behind and len(found) > 1 and (own := self.handle(part)) is not None:
                status = own
                continue
            asked = request if len(found) == 1 else f"{part} &" if behind else part
            status = self._session.shell.run(self._session, part, asked, direct=direct, behind=behind)
            if status == _INTERRUPTED:
                break
        return status

    # --- running -------------------------------------------------------------------------------------------------

    def run(self, preview: Preview, request: str, *, behind: bool) -> Outcome | int:
        """Run a preview that is one raw command. Return its outcome, or the status of a line that has stopped or begun a job."""
        printed = Printed(self._redraw) if behind else None
        group = Group((printed.stdin, printed.writer, printed.writer), front=False) if printed is not None else Group()
        job = None
        self._begun = group
        try:
            with self._in_front(group):
                outcome = self._session.kernel.run(preview, group)
                if outcome.resting is None:
                    return outcome
                if behind and not self._is_begun(outcome.resting):
                    group.waits = True  # it was not even begun: why is said now
                    return self._session.kernel.go_on(outcome.resting)
                line = request.strip().lstrip("!").strip() if not behind else parts(request.strip().lstrip("!"))[0][0]
                number = min(set(range(1, len(self._jobs) + 2)) - self._jobs.keys())
                job = Job(number, line, preview, outcome.resting, printed=printed)
        finally:
            self._begun = None
            signal.signal(signal.SIGTSTP, signal.SIG_IGN)
            if printed is not None:
                printed.started(job.number if job is not None else 0)
            if job is None:
                group.close()
        self._jobs[job.number] = job
        self._current.append(job.number)
        if behind:
            self._session.say(f"[{job.number}] {group.leader()}")
            return 0
        return self._stopped(job)

    def _is_begun(self, command: Command) -> bool:
        """Return whether a command is there, once that is known; it is ended where nobody waits for that."""
        try:
            return bool(command.group.leader())
        except BaseException:
            self._session.kernel.end(command)
            raise

    @contextmanager
    def _in_front(self, group: Group) -> Iterator[None]:
        """Within, a command may have the terminal; afterwards nlsh has it, in its own modes where the command could not put them back itself."""
        if not group.front:
            yield
            return
        modes = termios.tcgetattr(self._terminal)
        try:
            yield
        finally:
            if os.tcgetpgrp(self._terminal) != self._own:
                os.tcsetpgrp(self._terminal, self._own)
            left = termios.tcgetattr(self._terminal)
            if group.stopped or not left[3] & termios.ICANON:
                termios.tcsetattr(self._terminal, termios.TCSADRAIN, modes)
            self._left = left

    def _stopped(self, job: Job) -> int:
        """Take a command from the front that was stopped, and say so."""
        job.modes = self._left
        with suppress(OSError):
            job.size = os.get_terminal_size(self._terminal)
        job.group.front = job.group.waits = False
        job.group.stop()
        if job.number in self._current:
            self._current.remove(job.number)
        self._current.append(job.number)
        self._session.say("", job.words())
        if not self._explained and not self._session.options.quiet:
            self._explained = True
            self._session.say(self._session.look.paint(f"  fg goes on with it, bg lets it go on behind, kill %{job.number} ends it", "dim"))
        return 128 + int(job.group.stopped)

    # --- what is said --------------------------------------------------------------------------------------------

    def news(self) -> list[str]:
        """Return what has come of the commands behind since this was asked last, what they have printed first."""
        found: list[str] = []
        self.take_terminal()
        for job in list(self._jobs.values()):
            before = job.group.stopped
            outcome = self._session.kernel.go_on(job.command)
            if outcome.resting is None:
                found += [*self._printed(job, whole=True), *self._ended(job, outcome)]
                continue
            found += self._printed(job)
            if job.group.stopped and not before:
                job.group.stop()
                found.append(job.words())
        return found

    def has_printed(self) -> bool:
        """Return whether there are whole lines of commands behind that were not shown yet."""
        return any(job.printed is not None and job.printed.has_lines for job in self._jobs.values())

    def printed(self) -> list[str]:
        """Return the whole lines that commands behind have printed since."""
        return [line for job in list(self._jobs.values()) for line in self._printed(job)]

    @staticmethod
    def _printed(job: Job, *, whole: bool = False) -> list[str]:
        return job.printed.take(whole=whole) if job.printed is not None else []

    def _ended(self, job: Job, outcome: Outcome) -> list[str]:
        self._forget(job)
        status = self._statuses[job.number] = outcome.command_status or (0 if outcome.status == "done" else outcome.exit_status)
        others = [e for e in outcome.errors if e.code != "command.exit"]
        if status > 128:
            with suppress(ValueError):
                return [job.words(signal.strsignal(status - 128) or f"Exit {status}")]
        return [job.words(f"Exit {status}" if status else "Done" if not others else "Failed"), *(f"nlsh: {escape(str(e))}" for e in others)]

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.number, None)
        if job.number in self._current:
            self._current.remove(job.number)
        if job.printed is not None:
            job.printed.close()
        job.group.close()

    def note(self, event: dict[str, Any]) -> None:
        """Take notice of a kernel's event: while what cannot be stopped runs, Ctrl-Z says so; what is not in front yet gets it from here."""
        if event["type"] == "run":
            group = self._begun
            signal.signal(signal.SIGTSTP, self._cannot if group is None else lambda *_: group.is_there and group.signal(signal.SIGTSTP))
        elif event["type"] == "outcome":
            signal.signal(signal.SIGTSTP, signal.SIG_IGN)

    def _cannot(self, *_: object) -> None:
        tried = self._session.kernel.world.layer
        why = "what is tried on a copy is kept or dropped when it ends, and !!command is not tried" if tried else "only a command can be stopped, and no plan"
        words = self._session.look.paint(f"nlsh: Ctrl-Z stops nothing here: {why}. Ctrl-C ends it.", "yellow")
        os.write(sys.stderr.fileno(), f"\n{words}\n".encode())  # the stream may be in the middle of a write

    @contextmanager
    def still(self) -> Iterator[None]:
        """Within, what goes on behind stands still: nothing of it draws over a question, or takes its answer. One in front has the terminal again after."""
        running = [job for job in self._jobs.values() if not job.group.stopped]
        fronts = [job.group for job in running if job.group.front]
        for job in running:
            job.group.hold()
        # What it has printed before that is not shown either: it may be a question of its own making.
        straight = [job.printed for job in running if job.printed is not None and job.printed.straight(on=False)]
        self.take_terminal()
        try:
            yield
        finally:
            for group in fronts:
                with suppress(OSError):
                    os.tcsetpgrp(self._terminal, group.leader())
            for printed in straight:
                printed.straight(on=True)
            for job in running:
                job.group.release()

    def take_terminal(self) -> None:
        """Be in front, whoever has put itself there, if what is run now is not to be."""
        with suppress(OSError):  # the terminal is gone
            if (self._begun is None or not self._begun.front) and os.tcgetpgrp(self._terminal) != self._own:
                os.tcsetpgrp(self._terminal, self._own)

    # --- words ---------------------------------------------------------------------------------------------------

    def handle(self, line: str) -> int | None:
        """Do what a line of job control says, and return its status; None for any other line. Raises UsageError."""
        if (words := words_of(line)) is None:
            return None
        self._say(self.news())
        known = {"jobs": self._list, "fg": self._fg, "bg": self._bg, "kill": self._kill, "wait": self._wait, "disown": self._disown}
        return known[words[0]](words[1:])

    def _say(self, lines: list[str]) -> None:
        self._session.say(*lines)

    def _list(self, words: list[str]) -> int:
        specs = [w for w in words if not w.startswith("-")]
        for job in [self._job(s) for s in specs] if specs else [self._jobs[n] for n in sorted(self._jobs)]:
            mark = "+" if job.number == self._current[-1] else "-" if job.number in self._current[-2:] else " "
            print(job.group.leader() if "-p" in words else job.words(mark=mark) + (f"  ({job.group.leader()})" if "-l" in words else ""))
        return 0

    def _job(self, spec: str = "") -> Job:
        """Return the command that %1, %name, %?part, a number or nothing means. Raises UsageError."""
        name = spec.removeprefix("%")
        if not self._jobs:
            raise UsageError("There are no stopped or background commands.", hint="What runs later or repeatedly is listed by /jobs.")
        if name in ("", "+", "%"):
            return self._jobs[self._current[-1]]
        if name == "-":
            return self._jobs[self._current[-2:][0]]
        if name.isdigit() and int(name) in self._jobs:
            return self._jobs[int(name)]
        found = [j for j in self._jobs.values() if (name[1:] in j.line if name.startswith("?") else j.line.startswith(name))]
        if len(found) != 1:
            raise UsageError(f"{spec}: {'several commands' if found else 'no command'} by that name.", hint="See jobs.")
        return found[0]

    def _fg(self, words: list[str]) -> int:
        job = self._job(*words)
        group, outcome = job.group, None
        group.front = True
        try:
            with self._in_front(group):
                if job.modes is not None:
                    termios.tcsetattr(self._terminal, termios.TCSADRAIN, job.modes)
                with suppress(OSError):  # it has just ended
                    os.tcsetpgrp(self._terminal, group.leader())
                print(escape(job.line), flush=True)
                if job.printed is not None:
                    job.printed.straight(on=True)
                if job.size is not None and job.size != os.get_terminal_size(self._terminal):
                    group.signal(signal.SIGWINCH)
                if group.stopped:
                    group.go_on()
                group.waits = True
                outcome = self._session.kernel.go_on(job.command)
        finally:
            if job.printed is not None:
                job.printed.straight(on=False)
            if outcome is None:
                group.front = group.waits = False
        if outcome.resting is not None:
            return self._stopped(job)
        self._forget(job)
        return self._session.report(job.preview, outcome)

    def _bg(self, words: list[str]) -> int:
        for job in [self._job(w) for w in words] or [self._job()]:
            if not job.group.stopped:
                raise UsageError(f"{job.line} goes on behind already.")
            job.group.go_on()
            self._session.say(f"[{job.number}] {escape(job.line)} &")
        return 0

    def _kill(self, words: list[str]) -> int:
        number = signal.SIGTERM
        if words[0].startswith("-"):
            name = words.pop(0)[1:].upper()
            try:
                number = signal.Signals(int(name)) if name.isdigit() else signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]
            except (ValueError, KeyError):
                raise UsageError(f"kill: there is no signal {name}.", hint="Nothing was sent.") from None
        for job in [self._job(w) for w in words]:
            job.group.signal(number)
            if job.group.stopped and number in (*_CONTINUED_BY, signal.SIGCONT):
                job.group.go_on()
        return 0

    def _wait(self, words: list[str]) -> int:
        awaited = {j.number: j for j in ([self._job(w) for w in words] or self._jobs.values()) if not j.group.stopped}
        last = max(awaited, default=0)
        self._statuses.clear()
        while awaited := {n: j for n, j in awaited.items() if self._jobs.get(n) is j and not j.group.stopped}:
            select.select([j.group for j in awaited.values()], [], [], 0.2)
            self._say(self.news())
        return self._statuses.get(last, 0)

    def _disown(self, words: list[str]) -> int:
        raise UsageError(
            "What nlsh confines ends with nlsh, so nothing can be disowned.",
            hint="“start make in the background” (process.start) runs what is to go on without it.",
        )

    # --- leaving -------------------------------------------------------------------------------------------------

    def may_leave(self) -> bool:
        """Return whether nlsh may be left; the first time that it may not, because commands would end with it, say so."""
        self._say(self.news())
        if not self._jobs or self._warned:
            return True
        self._warned = True
        stopped = any(j.group.stopped for j in self._jobs.values())
        self._session.say(f"There are {'stopped' if stopped else 'running'} jobs.", *(f"  {j.words()}" for j in self._jobs.values()))
        self._session.say(self._session.look.paint("  Leaving again ends them.", "dim"))
        return False

    def stay(self) -> None:
        """Take note that something else was done: leaving is warned about anew."""
        self._warned = False

    def end(self) -> None:
        """End all of them, in their own way where they find one, and have that in the journal and the audit."""
        for job in self._jobs.values():
            job.group.signal(signal.SIGHUP)
            if job.group.stopped:
                job.group.go_on()
        until = time.monotonic() + _ENDS_WITHIN_S
        with suppress(KeyboardInterrupt):  # then they end at once
            while self._jobs and (left := until - time.monotonic()) > 0:
                select.select([j.group for j in self._jobs.values()], [], [], left)
                self.news()
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # what came of them is to be in the journal and the audit
        for job in list(self._jobs.values()):
            self._session.kernel.end(job.command)
            self._forget(job)
        signal.signal(signal.SIGINT, before)
