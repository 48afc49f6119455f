"""The question at the system call, on the terminal: what a program wants outside what was approved, and for how long it may.

It shows a `Question` and reads one line, while the command stands still. All that comes from the machine is escaped here; no answer, a late one and
any other word is no.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nlsh.guard.sandbox import heard
from nlsh.kernel.gate import ALWAYS, END, JOB, LATE, NO, ONCE, Question
from nlsh.plan.errors import NlshError
from nlsh.shell.show import escape, escape_name, place

if TYPE_CHECKING:
    from nlsh.guard.sandbox.zygote import Standstill
    from nlsh.shell.turn import Session

MOST_TOLD = 10  # refusals of a run that are told as they come
_LONGEST = 200  # characters of a name: no more is shown of it than fits beside the question
_ANSWERS = {"o": ONCE, "once": ONCE, "y": ONCE, "yes": ONCE, "j": JOB, "job": JOB, "a": ALWAYS, "always": ALWAYS, "": NO, "n": NO, "no": NO}


def ask(session: Session, question: Question, standstill: Standstill) -> str:
    """Ask, and return one of the answers of `gate`. Ctrl-C means no, and that the command is to end."""
    if not session.can_ask():
        return NO
    with session.still(), _interrupts() as interrupted, _terminal() as terminal:
        if not standstill.begin():
            return NO
        try:
            return _asked(session, question, standstill, terminal)
        except KeyboardInterrupt:
            session.say("", "nlsh: no, and the command is ended.")
            interrupted()
            return END


def told(session: Session, event: dict[str, Any]) -> None:
    """Say that something was refused that nobody was asked about."""
    if event["count"] > MOST_TOLD or session.options.quiet:
        return
    wanted = f"{_short(event['program'])} wanted to {escape(event['what'])} {_short(event['target'])}".rstrip()
    session.say(session.look.paint(f"nlsh: refused: {wanted}. {escape(event['why'])}", "red"))


def gated_lines(entries: list[dict[str, str]], count: int) -> list[str]:
    """Return what became of the gated calls of a run, one line each, escaped."""
    lines = [
        f"{e.get('decision', '?')}: {_short(e.get('program', '?'))}: {escape(e.get('what', ''))} {_short(e.get('target', ''))}".rstrip()
        + f" ({escape(e.get('who', ''))}: {escape(e.get('rule', ''))})"
        for e in entries
    ]
    return [*lines, f"and {count - len(entries):,} more"] if count > len(entries) else lines


def _asked(session: Session, question: Question, standstill: Standstill, terminal: int) -> str:
    until = time.monotonic() + question.seconds
    look = session.look
    session.say("", look.paint(f"nlsh: {_short(question.program)} wants to {escape(question.verb)} {_place(question.target)}", "yellow"))
    at_once = " It is done at once, and dropping the changes does not take it back." if question.tried else ""
    session.say(look.prose(f"  This is outside what you have approved.{at_once}"))
    wider = f" (all in {place(question.folder)})" if question.folder else ""
    always = "" if question.signalled else " / [a]lways"
    while True:
        left = max(0, round(until - time.monotonic()))
        answer = _line(session, f"  Allow it? [o]nce / this [j]ob{wider}{always} / [N]o ({left} s: no) ", standstill, terminal, until)
        if answer is None:
            session.say("", "nlsh: no answer in time, so: no.")
            return LATE
        found = _ANSWERS.get(answer.strip().lower())
        if found == ALWAYS and not _written(session, question, standstill, terminal, until):
            continue
        if found is not None:
            return found


def _written(session: Session, question: Question, standstill: Standstill, terminal: int, until: float) -> bool:
    """Show the rule, and write it where that is agreed to."""
    from nlsh.guard import remember
    from nlsh.shell.commands.policy import rule_lines

    try:
        rules = question.rules()
        session.say(*rule_lines(rules, "always", session.policy.cwd))
        answer = _line(session, "  Write this? [y/N] ", standstill, terminal, until)
        if (answer or "").strip().lower() not in ("y", "yes"):
            return False
        path = remember.write(rules)
        session.policy = session.kernel.policy = session.policy.renewed()
    except NlshError as error:
        session.say(session.look.paint("nlsh: " + escape(str(error)), "yellow"))
        return False
    session.say(f"  Written to {place(path)}. Take it out there when it is no longer wanted.")
    return True


def _line(session: Session, text: str, standstill: Standstill, terminal: int, until: float) -> str | None:
    """Show `text` and return the line that is typed; None where none is in time, or the question is none any more."""
    # What was typed before was for the command.
    termios.tcflush(terminal, termios.TCIFLUSH)
    sys.stderr.write(session.look.paint(text, "bold"))
    sys.stderr.flush()
    with heard.signals() as signalled:
        listened: list[int | Standstill] = [terminal, standstill, *signalled]
        ready = select.select(listened, [], [], max(0.0, until - time.monotonic()))[0]
        while signalled and ready == signalled:
            os.read(signalled[0], 512)
            ready = select.select(listened, [], [], max(0.0, until - time.monotonic()))[0]
    if standstill in ready:
        session.say("", "nlsh: who asked is gone.")
        return ""
    if terminal not in ready:
        return None
    data = os.read(terminal, 4096)
    if not data.endswith(b"\n"):
        session.say("")  # Ctrl-D is not seen
    return data.decode("utf-8", "replace") if data else ""


@contextmanager
def _interrupts() -> Iterator[Any]:
    """Within, Ctrl-C raises KeyboardInterrupt; yield what tells of it whoever listened before."""
    before = signal.getsignal(signal.SIGINT)

    def interrupted() -> None:
        if callable(before):
            before(signal.SIGINT, None)

    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    except ValueError:  # not in the main thread
        yield lambda: None
        return
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _terminal() -> Iterator[int]:
    """Yield the terminal as it is typed at line by line, whatever the command has made of it; it gets it back as it left it."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    front = os.tcgetpgrp(descriptor)
    mode = list(before)
    mode[0] |= termios.ICRNL
    mode[1] |= termios.OPOST | termios.ONLCR
    mode[3] |= termios.ISIG | termios.ICANON | termios.ECHO
    stops = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        if front != os.getpgrp():
            os.tcsetpgrp(descriptor, os.getpgrp())
        termios.tcsetattr(descriptor, termios.TCSADRAIN, mode)
        yield descriptor
    finally:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
            if front != os.getpgrp():
                os.tcsetpgrp(descriptor, front)
        signal.signal(signal.SIGTTOU, stops)


def _place(target: str) -> str:
    home = os.path.expanduser("~").rstrip("/") + "/"
    return _short(target.replace(home, "~/") if target.startswith(home) and len(home) > 1 else target)


def _short(name: str) -> str:
    text = escape_name(name)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
