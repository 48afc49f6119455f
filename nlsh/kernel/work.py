"""Drive one worker through one call, and stop it cleanly on Ctrl-C: between steps the first time, at once the second.

A command on the terminal gets its Ctrl-C itself and may do with it what it likes, as an interpreter at its prompt does: it is ended by three in a row.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nlsh.plan.errors import NlshError

if TYPE_CHECKING:
    from nlsh.guard.elevate import Elevated
    from nlsh.guard.grant import Grant
    from nlsh.guard.sandbox.group import Group
    from nlsh.kernel.gate import Gate
    from nlsh.plan.plan import PreviewedCall

_OURS = ("NLSH_CARRIED", "NLSH_KEEPS", "NLSH_TYPED")  # what only a shell's own state may say to a command's step
_TERMINAL = ("done", "failed", "denied")
_IN_A_ROW_S = 2.0
_ENDS_A_COMMAND = 3  # Ctrl-C in a row
_GRACE_S = 0.3  # for what only looks to tell what it has found


class Stop:
    """Whether the user asked to stop; `ask` stops the running worker between steps. `command`: what runs has the terminal.

    `looks`: what runs may be broken off in the middle of a step, and so it is ended where it does not stop by itself.
    """

    def __init__(self, zygote: Any) -> None:
        self._zygote = zygote
        self.asked = self.command = self.looks = False
        self._ending: threading.Timer | None = None
        self._times, self._last = 0, 0.0

    def ask(self) -> None:
        """Stop the worker after the step it is in."""
        self.asked = True
        self._zygote.cancel()
        if self.looks and self._ending is None:
            self._ending = threading.Timer(_GRACE_S, self._end)
            self._ending.daemon = True
            self._ending.start()

    def _end(self) -> None:
        if self.looks:
            self._zygote.end()

    def over(self) -> None:
        """Take note that nothing runs any more that could be stopped."""
        self.looks = False
        if self._ending is not None:
            self._ending.cancel()

    def interrupted(self) -> int:
        """Take one Ctrl-C; return how many more end it at once. Raises KeyboardInterrupt where this one does."""
        now = time.monotonic()
        self._times = 1 if self.command and now - self._last > _IN_A_ROW_S else self._times + 1
        self._last = now
        left = (_ENDS_A_COMMAND if self.command else 2) - self._times
        if left <= 0:
            raise KeyboardInterrupt
        self.ask()
        return left


@contextmanager
def interruptible(zygote: Any, stop: Stop | None = None, told: Callable[[dict[str, Any]], None] | None = None) -> Iterator[Stop]:
    """Within: the first Ctrl-C asks to stop, the second (of a command: the third in a row) raises KeyboardInterrupt.

    `told` gets, from within the signal's handler, an event of the type "stopping" with how many more it takes (`left`). Outside the main thread, Ctrl-C
    is left alone.
    """
    stop = stop or Stop(zygote)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_interrupt(number: int, frame: Any) -> None:
        left = stop.interrupted()
        if told is not None:
            told({"type": "stopping", "left": left, "command": stop.command})

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
        stop.over()


def on_the_terminal(call: PreviewedCall) -> bool:
    """Whether a command of the call runs on the user's own terminal: one that is to go on without it does not."""
    return any(e.kind == "exec" for e in call.effects) and not any(s.detaches for s in call.steps)


def only_looks(call: PreviewedCall) -> bool:
    """Whether a call can be broken off in the middle of a step: nothing is half done then. What is live ends by itself, a command as it likes."""
    from nlsh.plan import registry

    if any(e.kind in ("exec", "priv.root") for e in call.effects) or not all(s.reads_only for s in call.steps):
        return False
    return not registry.get(call.call.action).live


def _environment(call: PreviewedCall, given: Mapping[str, str | None]) -> dict[str, str]:
    """Return what a job is told of the environment: the user's own, and for a raw command what his shell has beside that (None: that it has not)."""
    if not any(e.kind == "exec" for e in call.effects):
        return dict(os.environ)
    # By its own SHELL nlsh was started; the one of `given` is a value for commands, and chooses no shell.
    whole = {**os.environ, **dict.fromkeys(_OURS), **given, "NLSH_SHELL": os.environ.get("SHELL", "")}
    return {name: value for name, value in whole.items() if value is not None}


def drive(
    zygote: Any,
    call: PreviewedCall,
    grant: Callable[[], Grant],
    cwd: str,
    gate: Gate | None = None,
    environment: Mapping[str, str | None] | None = None,
    via: Elevated | None = None,
    group: Group | None = None,
) -> Generator[dict[str, Any], None, None]:
    """Run a call's steps in a worker confined to what `grant` gives; yield its messages, one terminal message for every step.

    `environment` is what a raw command gets beside the user's own. `gate` answers what a raw command wants beyond that. `via`: the worker is
    root's, and has its order already. `group`: that of its command, which may be stopped.

    A failure to start the worker becomes the failure of its first step. Closing this generator kills the worker.
    """
    ended = [False] * len(call.steps)
    first = NlshError("The worker ended before it had said what became of this step.", hint="See `nlsh audit`.", code="step.lost")
    stream = None
    try:
        job: dict[str, Any] = {"steps": call.step_texts(), "grant": grant().as_data(), "cwd": cwd, "env": _environment(call, environment or {})}
        asks = gate is not None and on_the_terminal(call) and gate.takes(call)
        if gate is not None and asks:
            job["ask"] = gate.seconds
        given: dict[str, Any] = {"via": via} if via is not None else {"group": group} if group is not None else {}
        stdio = (0, 1, 2) if group is None else group.stdio
        stream = zygote.run(job, stdio=stdio if on_the_terminal(call) else None, ask=gate.answer if gate is not None and asks else None, **given)
        for message in stream:
            if message["type"] in _TERMINAL:
                ended[message["step"]] = True
            if gate is not None and message["type"] == "gated":
                gate.note(message.get("what"))
                continue
            yield message
    except NlshError as error:
        first = error
    finally:
        # Closing the stream is what kills a worker that is still there.
        if stream is not None:
            stream.close()
    for step, has_ended in enumerate(ended):
        if not has_ended:
            yield {"type": "denied" if first.exit_status == 3 else "failed", "step": step, "error": first.as_data()}
            first = NlshError("It was not tried, because an earlier step failed.", code="step.skipped")
