"""Drive one worker through one call, and stop it cleanly on Ctrl-C: between steps the first time, at once the second."""

from __future__ import annotations

import os
import signal
import threading
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


class Stop:
    """Whether the user asked to stop; `ask` stops the running worker between steps."""

    def __init__(self, zygote: Any) -> None:
        self._zygote = zygote
        self.asked = False

    def ask(self) -> None:
        """Stop the worker after the step it is in."""
        self.asked = True
        self._zygote.cancel()


@contextmanager
def interruptible(zygote: Any, stop: Stop | None = None) -> Iterator[Stop]:
    """Within: the first Ctrl-C asks to stop, the second raises KeyboardInterrupt. Outside the main thread, Ctrl-C is left alone."""
    stop = stop or Stop(zygote)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_interrupt(number: int, frame: Any) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.ask()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _on_the_terminal(call: PreviewedCall) -> bool:
    """Whether a command of the call runs on the user's own terminal: one that is to go on without it does not."""
    return any(e.kind == "exec" for e in call.effects) and not any(s.detaches for s in call.steps)


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
        asks = gate is not None and _on_the_terminal(call) and gate.takes(call)
        if gate is not None and asks:
            job["ask"] = gate.seconds
        given: dict[str, Any] = {"via": via} if via is not None else {"group": group} if group is not None else {}
        stdio = (0, 1, 2) if group is None else group.stdio
        stream = zygote.run(job, stdio=stdio if _on_the_terminal(call) else None, ask=gate.answer if gate is not None and asks else None, **given)
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
