"""The worker: one confined process that checks and applies the steps of one job, and tells what comes of each.

It owns the messages of the protocol and what an error means to the user; starting and ending it is the zygote's.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import time
from typing import Any

from nlsh.guard.grant import Grant
from nlsh.guard.sandbox import bubblewrap, enter, notify
from nlsh.guard.sandbox.broker import ASKS
from nlsh.guard.sandbox.confine import by_bubblewrap
from nlsh.guard.sandbox.seccomp import OURS
from nlsh.guard.sandbox.zygote import MOST_AT_ONCE
from nlsh.plan.errors import Denied, NlshError, NotEnforced, NotFound, NotPossible
from nlsh.plan.steps import Step, step_from_data
from nlsh.steps import _group, handles

MESSAGES = 3  # the descriptor that messages go to
HEARS = 4  # the one over which a broker gets the listener of this worker's filter, where there is one
LEADS = 5  # the one over which the leader of a command's group says who it is, where it has one
_BATCH_RECORDS = 512
_BATCH_S = 0.03
# Of quick steps that are done the client hears together, so often.
_QUICK_S = 0.03
# What a typed step may know of the environment. A program that the user runs gets his own.
_KNOWN = {
    "HOME", "PATH", "LANG", "LANGUAGE", "TZ", "TERM", "USER", "LOGNAME", "SHELL", "TMPDIR", "PWD", "COLUMNS", "LINES", "NO_COLOR",
    "DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST",
}  # fmt: skip
_KNOWN_PREFIXES = ("LC_", "XDG_")
# What makes a shell or the loader run something else first.
_NEVER = {"BASH_ENV", "ENV", "LD_PRELOAD", "LD_AUDIT", "PYTHONSTARTUP", "PYTHONINSPECT"}


_as_json = json.JSONEncoder(separators=(",", ":")).encode


class _Stop(Exception):
    """The user asked to stop."""


class Worker:
    """Runs a job and writes its messages to a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._out = descriptor
        self._cancelled = False
        self._step = 0
        self._untold: range | None = None  # the quick steps that are done and that nobody was told of yet
        self._told_at = 0.0

    def cancel(self, *_: object) -> None:
        """Stop before the next step, and between the records of an observation."""
        self._cancelled = True

    def run(self, job: dict[str, Any]) -> None:
        """Run every step of `job`, confined to its grant. Sends exactly one last message for each."""
        self.begin()
        count = len(job["steps"])
        try:
            grant = Grant.from_data(job["grant"])
            steps = [step_from_data(s) for s in job["steps"]]
            _import_for(steps)  # before that folder could be where Python looks for modules
            os.chdir(job["cwd"])
            # What is nlsh's own and what is secret is found by nlsh's environment, before it is the command's.
            grant, layer = _on_copy(steps, grant)
            # LIMIT: bubblewrap makes no copies, so what is to be tried is refused where only it makes views.
            if not layer and (seen := by_bubblewrap(grant)) is not None:
                bubblewrap.go(job, seen)
            if "terminal" in job:
                _group.on_terminal(job["terminal"], LEADS, lambda kind, number: self._send(kind, signal=number))
            _set_environment(job.get("env", {}), everything=grant.has("exec"))
            if "ask" in job:
                _hand_over(enter(grant, layer, ASKS))
            else:
                enter(grant, layer)
        except Exception as error:
            self.refuse(error, count)
            return
        self.through(steps, grant)

    def begin(self) -> None:
        """Be told of a wish to stop, and tell of progress."""
        signal.signal(signal.SIGUSR1, self.cancel)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})  # blocked by its supervisor until now
        handles.on_progress(
            lambda done, total, unit: self._send("progress", done=done, total=total, **({"unit": unit} if unit else {})), lambda: self._cancelled
        )

    def refuse(self, error: Exception, count: int) -> None:
        """Tell of `count` steps that none was begun, because of `error`."""
        kind = "denied" if isinstance(error, (NotEnforced, Denied)) else "failed"
        for self._step in range(count):
            self._send(kind if self._step == 0 else "failed", error=(_as_error(error) if self._step == 0 else SKIPPED).as_data())

    def through(self, steps: list[Step], grant: Grant) -> None:
        """Do the steps in order, until one is not done or the user asks to stop. This process must be confined."""
        broken = False
        for self._step, step in enumerate(steps):
            if self._cancelled:
                self._send("failed", error=CANCELLED.as_data())
            elif broken:
                self._send("failed", error=SKIPPED.as_data())
            else:
                broken = not self._one(step, grant)
        self._tell()

    def _one(self, step: Step, grant: Grant) -> bool:
        if self._untold is None or not step.quick:
            self._send("start")
        try:
            if not step.applies_checked:
                step.check()
            status = self._records(step)
        except _Stop:
            self._send("failed", error=CANCELLED.as_data())
        except Exception as error:
            kind, data = _meaning(error, grant)
            extra = {"status": error.status} if hasattr(error, "status") else {}
            self._send(kind, error=data, **extra)
        else:
            if step.quick and status is None:
                self._untold = range(self._step if self._untold is None else self._untold.start, self._step + 1)
                if len(self._untold) >= MOST_AT_ONCE or time.monotonic() - self._told_at >= _QUICK_S:
                    self._tell()
            else:
                self._send("done", status=status)
            return True
        return False

    def _tell(self) -> None:
        """Tell in one message of the quick steps that are done."""
        if self._untold is not None:
            told, self._untold = self._untold, None
            self.write({"type": "done", "step": told.start, "status": None, "to": told.stop - 1})
            self._told_at = time.monotonic()

    def _records(self, step: Step) -> int | None:
        found = step.apply()
        if found is None:
            return None
        batch: list[dict[str, Any]] = []
        sent, status = 0.0, None

        def flush() -> None:
            if batch:
                self._send("records", records=batch)
                batch.clear()

        handles.on_wait(flush)
        # What is live ends by itself: to stop it is not to break it off.
        live = _is_live(step)
        try:
            for record in found:
                batch.append(record.as_data())
                status = getattr(record, "status", None) if batch[-1]["record"] == "Exit" else None
                now = time.monotonic()
                if now - sent >= _BATCH_S or len(batch) >= _BATCH_RECORDS:
                    flush()
                    sent = now
                # A command that was interrupted has said itself how it ended.
                if self._cancelled and status is None and not live:
                    raise _Stop
        finally:
            handles.on_wait(None)
            flush()
        return status

    def _send(self, kind: str, **fields: Any) -> None:
        self._tell()
        self.write({"type": kind, "step": self._step, **fields})

    def write(self, message: dict[str, Any]) -> None:
        """Send one message."""
        # Escaped to ASCII, so that a name that is not text travels as it is.
        data = _as_json(message).encode() + b"\n"
        while data:
            data = data[os.write(self._out, data) :]


SKIPPED = NlshError("Not run, because an earlier step was not done.", code="step.skipped")
CANCELLED = NlshError("Not run: it was cancelled.", code="step.cancelled")


def _hand_over(listener: int | None) -> None:
    """Give the broker the listener, and keep none: whoever has it could answer for the broker."""
    with socket.socket(fileno=HEARS) as broker:
        if listener is not None:
            notify.send(broker, b"l", (listener,))
            os.close(listener)


def _on_copy(steps: list[Step], grant: Grant) -> tuple[Grant, str]:
    """Return the grant with leave to change the folder of a command that is tried, and the layer over it: the command only sees a copy."""
    from nlsh.steps.command import TryCommand

    tried = next((s for s in steps if isinstance(s, TryCommand)), None)
    return (grant, "") if tried is None else (grant.with_folder(tried.cwd), tried.layer)


def _meaning(error: Exception, grant: Grant) -> tuple[str, dict[str, str]]:
    """Return the kind of message an error is, and its data."""
    origin = error if isinstance(error, OSError) else error.__cause__
    if isinstance(origin, OSError) and _ours(origin, grant):
        where = next((_text(n) for n in (origin.filename, origin.filename2) if n is not None), "")
        what = f" to {where}" if where else ""
        return "denied", Denied(f"The kernel refused this step access{what}: it is outside what was approved.", hint="Nothing else was changed.").as_data()
    if isinstance(error, (Denied, NotEnforced)):
        return "denied", error.as_data()
    return "failed", _as_error(error).as_data()


def _ours(error: OSError, grant: Grant) -> bool:
    """Whether the sandbox, not the system's own permissions, made this error."""
    if error.errno == OURS:
        return True
    # What is protected is a mount of its own: read-only, and in the way of who would replace it.
    if error.errno not in (errno.EACCES, errno.EPERM, errno.EXDEV, errno.EROFS, errno.EBUSY):
        return False
    names = [_text(n) for n in (error.filename, error.filename2) if isinstance(n, (str, bytes))]
    return any(grant.refused(os.path.abspath(n), busy=error.errno == errno.EBUSY) for n in names)


def _text(name: str | bytes | int) -> str:
    return os.fsdecode(name) if isinstance(name, (str, bytes)) else str(name)


def _as_error(error: Exception) -> NlshError:
    if isinstance(error, NlshError):
        return error
    if isinstance(error, OSError):
        kind = NotFound if isinstance(error, FileNotFoundError) else NotPossible
        where = f"{_text(error.filename)}: " if error.filename is not None else ""
        return kind(f"{where}{error.strerror or error}.", hint="This step was not done.")
    import traceback

    place = traceback.extract_tb(error.__traceback__)[-1]
    return NlshError(
        f"nlsh itself failed: {type(error).__name__}: {error} ({os.path.basename(place.filename)}:{place.lineno}).",
        hint="This step was not done, or not finished. Please report it.",
        code="internal.error",
    )


def _set_environment(given: dict[str, str], *, everything: bool) -> None:
    kept = {k: v for k, v in given.items() if k not in _NEVER and (everything or k in _KNOWN or k.startswith(_KNOWN_PREFIXES))}
    zone = os.environ.get("TZ")
    for name in [n for n in os.environ if n not in kept]:
        del os.environ[name]
    for name, value in kept.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    if os.environ.get("TZ") != zone:
        time.tzset()


def _is_live(step: Step) -> bool:
    from nlsh.plan.registry import get

    return hasattr(step, "action") and get(step.action).live


def _import_for(steps: list[Step]) -> None:
    """Import the actions that observe, while everything can still be read."""
    from nlsh.plan.registry import get

    for action in {s.action for s in steps if hasattr(s, "action")}:
        get(action)
