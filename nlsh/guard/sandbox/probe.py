"""What this kernel can enforce, found by doing it in a forked child, and said in sentences for `nlsh doctor`."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass

from nlsh.guard.sandbox import landlock, seccomp
from nlsh.guard.sandbox.confine import level
from nlsh.guard.sandbox.kernel import SET_NO_NEW_PRIVS, prctl

_LACKING = {
    2: "Files cannot be moved between folders in one go; they are copied and the original is removed.",
    3: "Truncating by path is refused altogether, because Landlock does not see it.",
    4: "No connection can be held to one port, so plans that need one are refused.",
    6: "Raw commands cannot send signals, not even to what they started (`timeout` does not work).",
}


@dataclass(frozen=True)
class Probe:
    """What was found. `level`: L2 all of it, L1 an older Landlock, L0 no Landlock: then nothing is changed here."""

    level: str
    landlock_abi: int
    seccomp: bool

    def sentences(self) -> tuple[str, ...]:
        """Return what this means for the user."""
        said = []
        if not self.seccomp:
            said.append("This kernel has no seccomp filter: nothing can be confined, so nothing is run.")
        elif self.level == "L0":
            said.append("This kernel has no Landlock: plans that change anything are refused, and raw commands may only read.")
            said.append("Landlock needs Linux 5.13 with `landlock` in `lsm=` at boot; in a container, a profile that lets it through.")
        else:
            said.append(f"Workers are confined by Landlock (version {self.landlock_abi}) and seccomp: level {self.level}.")
            said += [text for needed, text in _LACKING.items() if self.landlock_abi < needed]
        return tuple(said)


def probe() -> Probe:
    """Try Landlock and seccomp, each in a child of its own."""
    filtered = _in_child(_filters)
    version = landlock.abi()
    if version and not _in_child(_confines):
        version = 0
    return Probe(level(version) if filtered else "L0", version, filtered)


def _filters() -> bool:
    prctl(SET_NO_NEW_PRIVS, 1)
    seccomp.install(seccomp.build(seccomp.Profile()))
    try:
        os.mkdir("/proc/nlsh-probe")
    except OSError as error:
        return error.errno == seccomp.OURS
    return False


def _confines() -> bool:
    rules = landlock.Ruleset(landlock.abi())
    rules.allow("/proc", landlock.READ)
    rules.finish()
    prctl(SET_NO_NEW_PRIVS, 1)
    rules.enforce()
    os.listdir("/proc")
    try:
        os.listdir("/")
    except OSError as error:
        return error.errno == errno.EACCES
    return False


def _in_child(works: Callable[[], bool]) -> bool:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if works() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
