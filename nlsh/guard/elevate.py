"""How a call that needs root is done where nlsh is not root: which calls, what root is ordered, in what words it is asked about, and who starts it.

The process that obeys is `nlsh.guard.sandbox.elevated`: sudo or pkexec starts it for one call, and it ends with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nlsh.guard import isolated, writers
from nlsh.guard.sandbox.elevated import LENGTH, STEPS, rights_of
from nlsh.plan.errors import Denied, NlshError, NotPossible
from nlsh.plan.frozen import frozen
from nlsh.world import privilege

if TYPE_CHECKING:
    from nlsh.guard.grant import Grant
    from nlsh.plan.plan import PreviewedCall
    from nlsh.plan.steps import Step

_NOTHING = "Nothing was changed."
_PROMPT = "nlsh asks for root, for what you have approved. Password of %p: "
_SERVED = ("bus.call", "bus.read")
_MEANT = {
    "kill": "end and stop processes of others", "sys_nice": "set the priority of processes of others", "chown": "change owners",
    "dac_read_search": "pass through closed folders", "linux_immutable": "set flags of the file system", "fowner": "change what belongs to others",
}  # fmt: skip


def is_due(call: PreviewedCall) -> bool:
    """Return whether a call has to be done by a process of root's: it needs root rights, nlsh has none, and no service does it that has them."""
    return os.geteuid() != 0 and any(map(_needs_root, call.steps))


def _needs_root(step: Step) -> bool:
    kinds = {e.kind for e in step.effects()}
    return "priv.root" in kinds and kinds.isdisjoint(_SERVED)


def words(call: PreviewedCall) -> tuple[str, ...]:
    """Return what is said of it before it is approved. Raises NotPossible where it cannot be done as root, Denied where the code cannot be trusted."""
    way, kinds = privilege.way(), kinds_of(call)
    if not way:
        raise NotPossible("This needs root rights, and there is no way to get them from here.", hint=f"{_NOTHING} Run nlsh with sudo and ask again.")
    if others := sorted(set(kinds) - STEPS.keys()):
        raise NotPossible(f"This needs root rights, and nlsh does not do it through {os.path.basename(way)} ({', '.join(others)}).",
            hint=f"{_NOTHING} Run nlsh with sudo and ask again.")  # fmt: skip
    yours, others_could = writers.of_code(os.getuid())
    if others_could:
        raise Denied(f"nlsh is not run as root, because somebody else could have changed it: {others_could}.", hint=_NOTHING)
    does = " and to ".join(_MEANT[r] for r in sorted(rights_of(kinds)))
    said = [
        f"This needs root. {os.path.basename(way)} starts one process as root for this call alone; it keeps the right to {does}, is confined before it"
        " reads what to do, and ends afterwards."
    ]
    if yours:
        said.append(f"What root runs is nlsh's own code, and you can change it ({yours}), and so could any program that has run as you.")
    return tuple(said)


def kinds_of(call: PreviewedCall) -> tuple[str, ...]:
    """Return the kinds of steps of a call."""
    return tuple(sorted({type(s).__name__ for s in call.steps}))


@frozen(slots=False)
class Order:
    """What root is told for one call, frozen when it is approved: first what it may do, then, once it is confined to that, what it does."""

    way: str
    may: bytes
    does: bytes

    @classmethod
    def of(cls, call: Any, grant: Grant) -> Order:
        """Return the order for a call and its grant."""
        may = json.dumps({"kinds": kinds_of(call), "grant": grant.as_data()}, sort_keys=True).encode()
        return cls(privilege.way(), may, b'{"steps":[' + ",".join(call.step_texts()).encode() + b"]}")

    @cached_property
    def digests(self) -> tuple[str, str]:
        """The SHA-256 of both parts: they stand in the command line that sudo logs, and in the audit."""
        return hashlib.sha256(self.may).hexdigest(), hashlib.sha256(self.does).hexdigest()

    def sent(self, *, may_ask: bool) -> Elevated:
        """Return it on its way. `may_ask`: there is somebody who can be asked for a password."""
        return Elevated(self, may_ask=may_ask)

    def as_data(self) -> dict[str, str]:
        """Return what the audit holds of it."""
        return {"by": self.way, "may": self.digests[0], "does": self.digests[1]}


class Elevated:
    """One order on its way: `begin` starts the process that is root's, `takes` hears what it says of itself, `end` says what became of it."""

    def __init__(self, order: Order, *, may_ask: bool) -> None:
        """`may_ask`: there is somebody who can be asked for a password."""
        self._order, self._may_ask = order, may_ask
        self._process: subprocess.Popen[bytes] | None = None
        self._refused: NlshError | None = None
        self.confined: dict[str, Any] = {}  # the level, and the rights that were kept, as it told them once it was confined

    def begin(self) -> tuple[int, socket.socket]:
        """Start it; return where its messages come from, and the socket over which it is told to stop. Raises OSError and NotPossible."""
        ours, theirs = socket.socketpair()
        reader, writer = os.pipe()
        try:
            # It is asked on the terminal, whatever happens to the standard error output: what it complains of there is the user's to read.
            self._process = subprocess.Popen(
                self._words(), stdin=theirs.fileno(), stdout=writer, stderr=None if self._may_ask else subprocess.DEVNULL, cwd="/", env=_environment()
            )
        except OSError as error:
            ours.close()
            os.close(reader)
            raise NotPossible(f"{self._order.way} cannot be run: {error.strerror}.", hint=_NOTHING) from error
        finally:
            theirs.close()
            os.close(writer)
        try:
            for frame in (self._order.may, self._order.does):
                ours.sendall(LENGTH.pack(len(frame)) + frame, socket.MSG_NOSIGNAL)
        except OSError:
            pass  # it is gone, and `end` says so
        return reader, ours

    def takes(self, message: dict[str, Any]) -> bool:
        """Take a message that is about the process itself; return whether it was one."""
        if message["type"] == "confined":
            self.confined = {k: v for k, v in message.items() if k in ("level", "rights")}
        elif message["type"] == "refused":
            self._refused = NlshError.from_data(message["error"])
        else:
            return False
        return True

    def end(self) -> None:
        """Wait for its end. Raises where nothing can have been done: Denied where the process was never there, and what it refused with."""
        assert self._process is not None
        status = self._process.wait()
        if self._refused is not None:
            raise self._refused
        if not self.confined:
            name = os.path.basename(self._order.way)
            asked = "" if self._may_ask else " Nobody could be asked for a password."
            raise Denied(f"{name} did not let nlsh do this as root (it ended with status {status}).{asked}", hint=_NOTHING, code="guard.not-root")

    def _words(self) -> list[str]:
        code = isolated.as_root("from nlsh.guard.sandbox.elevated import main; main()", *self._order.digests)
        if os.path.basename(self._order.way) == "pkexec":
            return [self._order.way, *code]
        # -k: nobody's earlier password counts, and this one counts for nothing else.
        return [self._order.way, "-k", *(("-p", _PROMPT) if self._may_ask else ("-n",)), "--", *code]


def _environment() -> dict[str, str]:
    kept = ("TERM", "LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **{k: os.environ[k] for k in kept if k in os.environ}}
