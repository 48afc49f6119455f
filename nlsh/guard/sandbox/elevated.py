"""The process that is root's for one call: started by sudo or pkexec, it is told what it may do, confines itself, and only then reads what to do.

It owns which steps may be done so, what of root's rights each keeps, and what is refused on root's side. Starting it is `nlsh.guard.elevate`'s.
Nothing of the user's is obeyed here: neither his environment, his settings, his policy, nor anything that is installed beside Python and nlsh.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import struct
import sys
from dataclasses import replace
from typing import Any

from nlsh.guard import writers
from nlsh.guard.grant import LEVELS, Grant
from nlsh.guard.sandbox import capabilities, confine, landlock, seccomp
from nlsh.guard.sandbox.kernel import SET_DUMPABLE, SET_NO_NEW_PRIVS, prctl
from nlsh.guard.sandbox.supervisor import supervise
from nlsh.guard.sandbox.worker import Worker
from nlsh.plan.errors import Denied, NlshError, NotEnforced
from nlsh.plan.frozen import frozen
from nlsh.plan.steps import Step, step_from_data
from nlsh.steps import load

LENGTH = struct.Struct("=Q")
MOST_BYTES = 64 << 20  # of a frame
_IGNORED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGTERM, signal.SIGHUP)
_NOTHING = "Nothing was done as root."


@frozen(slots=False)
class Kept:
    """A kind of step that may be done as root: where it is, the rights of root's that it keeps, and the effects that it may have besides priv.root."""

    module: str
    rights: tuple[str, ...]
    effects: tuple[str, ...]


# LIMIT: a step that is not here is done as root only by a service that asks for it itself, or where nlsh is root. dac_read_search: root that has lost its
# rights may not even pass through a home folder that is closed to others.
STEPS = {
    "Signal": Kept("processes", ("kill",), ("proc.signal",)),
    "SetNice": Kept("processes", ("sys_nice",), ("proc.tune",)),
    "SetAffinity": Kept("processes", ("sys_nice",), ("proc.tune",)),
    "SetIoPriority": Kept("io_priority", ("sys_nice",), ("proc.tune",)),
    "ChangeOwner": Kept("marks", ("chown", "dac_read_search"), ("fs.meta",)),
    "SetFlag": Kept("marks", ("linux_immutable", "fowner", "dac_read_search"), ("fs.meta",)),
}


def rights_of(kinds: tuple[str, ...]) -> frozenset[str]:
    """Return the capabilities that a process for steps of these kinds keeps."""
    return frozenset(name for kind in kinds for name in STEPS[kind].rights)


def main() -> None:
    """Do one order as root: its two digests are the arguments, the order comes on the standard input, messages go to the standard output."""
    control, writer = (os.dup(d) for d in (0, 1))
    null = os.open(os.devnull, os.O_RDWR)
    control, writer, null = (_high(d) for d in (control, writer, null))
    for number in (0, 1):
        os.dup2(null, number)
    os.closerange(3, min(control, writer, null))
    os.closerange(max(control, writer, null) + 1, 65536)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    user = _invoker()
    os.environ.clear()
    os.environ.update(PATH="/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL="C.UTF-8", HOME="/root")
    os.umask(0o077)
    os.chdir("/")
    try:
        _refuse_foreign_code(user)
        first, second = sys.argv[1:3]
        order = json.loads(_frame(control, first))
        kinds = tuple(order["kinds"])
        if not kinds or not set(kinds) <= STEPS.keys():
            raise Denied(f"{', '.join(kinds) or 'Nothing'} is not done as root.", hint=_NOTHING)
        grant = _checked(Grant.from_data(order["grant"]), kinds)
        # As bytes, which nobody looks at before the worker is confined.
        sealed = os.memfd_create("nlsh-steps")
        os.write(sealed, _frame(control, second))
    except Exception as error:
        told = error if isinstance(error, NlshError) else Denied(f"The order could not be read: {type(error).__name__}: {error}.", hint=_NOTHING)
        Worker(writer).write({"type": "refused", "step": 0, "error": told.as_data()})
        sys.exit(1)
    job = {"grant": grant.as_data(), "steps": [], "kinds": kinds}
    supervise(job, writer, control, [sealed, null, os.dup(2)], kind=_AsRoot, confine=_confine_supervisor)


class _AsRoot(Worker):
    """A worker that is confined before it reads its steps, which are its standard input."""

    def run(self, job: dict[str, Any]) -> None:
        self.begin()
        kinds = job["kinds"]
        try:
            for kind in kinds:
                load(STEPS[kind].module)
            grant = Grant.from_data(job["grant"])
            rights = rights_of(kinds)
            confine.enter(grant, rights=frozenset(capabilities.NUMBERS[r] for r in rights))
            if capabilities.held() & ~sum(1 << capabilities.NUMBERS[r] for r in rights):
                raise NotEnforced("Root's other rights could not be given up.", hint=_NOTHING)
        except Exception as error:
            self.write({"type": "refused", "step": 0, "error": _told(error).as_data()})
            return
        level = confine.level(landlock.abi(), views=not confine.view.why_not())
        self.write({"type": "confined", "step": 0, "level": level, "rights": sorted(rights)})
        os.lseek(0, 0, os.SEEK_SET)
        try:
            with open(0, "rb", closefd=False) as file:
                steps = [step_from_data(s) for s in json.loads(file.read())["steps"]]
            _refuse_others(steps, kinds, grant)
        except Exception as error:
            self.write({"type": "refused", "step": 0, "error": _told(error).as_data()})
            return
        self.through(steps, grant)


def _told(error: Exception) -> NlshError:
    return error if isinstance(error, NlshError) else Denied(f"{type(error).__name__}: {error}.", hint=_NOTHING)


def _refuse_others(steps: list[Step], kinds: tuple[str, ...], grant: Grant) -> None:
    """Raise Denied for a step of another kind than was said, or one that needs what was not granted."""
    for step in steps:
        if type(step).__name__ not in kinds:
            raise Denied(f"{type(step).__name__} was not what root was asked for.", hint=_NOTHING)
        if not set(step.effects()) <= set(grant.effects):
            raise Denied("A step needs more than root was asked for.", hint=_NOTHING)


def _checked(grant: Grant, kinds: tuple[str, ...]) -> Grant:
    """Return the grant as root takes it: never without Landlock. Raises Denied where it holds more than such steps need."""
    may = {"priv.root", *(e for kind in kinds for e in STEPS[kind].effects)}
    if more := sorted({e.kind for e in grant.effects} - may):
        raise Denied(f"{', '.join(more)} is more than these steps need as root.", hint=_NOTHING)
    if grant.read or grant.change or grant.remove or grant.devices:
        raise Denied("To read, write or remove files is more than these steps need as root.", hint=_NOTHING)
    level = grant.level_required if grant.level_required in LEVELS[1:] else LEVELS[1]
    return replace(grant, level_required=level)


def _frame(descriptor: int, digest: str) -> bytes:
    """Return the next frame, which must be the one with this SHA-256. Raises Denied."""
    (length,) = LENGTH.unpack(_exactly(descriptor, LENGTH.size))
    if length > MOST_BYTES:
        raise Denied("The order is too long.", hint=_NOTHING)
    data = _exactly(descriptor, length)
    if not hmac.compare_digest(hashlib.sha256(data).hexdigest(), digest):
        raise Denied("What arrived is not what was approved.", hint=_NOTHING)
    return data


def _exactly(descriptor: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        if not (read := os.read(descriptor, count - len(data))):
            raise Denied("The order broke off.", hint=_NOTHING)
        data += read
    return data


def _refuse_foreign_code(user: int) -> None:
    """Raise Denied where the code that runs here could have been changed by somebody who is neither root nor the one who asked."""
    loaded = [f for m in list(sys.modules.values()) if isinstance(f := getattr(m, "__file__", None), str)]
    if others := writers.of_code(user, loaded)[1]:
        raise Denied(f"nlsh is not run as root: {others}.", hint=_NOTHING)


def _invoker() -> int:
    """Return who asked for root, as sudo or pkexec says."""
    for name in ("SUDO_UID", "PKEXEC_UID"):
        if (said := os.environ.get(name, "")).isdigit():
            return int(said)
    return 0


def _high(descriptor: int) -> int:
    import fcntl

    found = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return found


def _confine_supervisor() -> None:
    """Leave what ends the worker nothing but that: it looks at /proc, signals and writes how it ended. Raises OSError."""
    rules = landlock.Ruleset(landlock.abi(), scope_signals=False)
    rules.allow("/proc", landlock.READ)
    rules.finish()
    prctl(SET_DUMPABLE, 0)
    prctl(SET_NO_NEW_PRIVS, 1)
    capabilities.drop(frozenset())
    rules.enforce()
    seccomp.install(seccomp.build(seccomp.Profile(ends=True)))
