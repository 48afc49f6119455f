"""What this kernel can enforce, found by doing it in a forked child, and said in sentences for `nlsh doctor`: the level, what stays open, how to raise it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

from nlsh.guard.sandbox import bubblewrap, landlock, seccomp, view
from nlsh.guard.sandbox.confine import level
from nlsh.guard.sandbox.kernel import SET_NO_NEW_PRIVS, prctl
from nlsh.plan.frozen import frozen

# By the version of Landlock that has it: whether a mount view makes up for it, and what is so without it.
_LACKING = {
    2: (False, "Files cannot be moved between folders in one go; they are copied and the original is removed."),
    3: (True, "Truncating by path is refused altogether, because Landlock does not see it."),
    4: (False, "No connection can be held to one port, so plans that need one are refused."),
    6: (True, "Raw commands cannot send signals, not even to what they started (`timeout` does not work)."),
}
_OPEN_WITHOUT_VIEW = (
    "Without namespaces these stay open: names, sizes and times of secrets can be listed; a raw command that may change something can change modes,"
    " owners and times of your files elsewhere; start files of shells and hooks of repositories are not protected inside what it may change."
)
_OPEN = "Open at every level: files that can be read can be locked and watched; more is in docs/limits.md."
_BY_BUBBLEWRAP = (
    "bubblewrap makes the namespaces of raw commands and tools that change something, since nlsh may not: each of these takes a fresh process,"
    " and raw commands are not tried on a copy first."
)
_APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
# What may keep namespaces from whoever is not root: the file, what it says then, and what an administrator can do.
_SWITCHES = (
    (
        _APPARMOR, "1",
        "AppArmor lets only programs with a profile use them: an administrator can give the Python that runs nlsh a profile with `userns,`"
        " (`nlsh doctor` writes one), or allow it to all with `sysctl kernel.apparmor_restrict_unprivileged_userns=0`.",
    ),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "An administrator can allow them with `sysctl kernel.unprivileged_userns_clone=1`."),
    ("/proc/sys/user/max_user_namespaces", "0", "An administrator can allow them with `sysctl user.max_user_namespaces=10000`."),
)  # fmt: skip


@frozen(slots=False)
class Probe:
    """What was found. `level`: L3 with a mount view, L2 all of Landlock, L1 an older one, L0 none: then nothing is changed here.

    `lacks_view`: why no worker can have a mount view of nlsh's own making, empty where one can. `by_bubblewrap`: bubblewrap makes one instead.
    """

    level: str
    landlock_abi: int
    seccomp: bool
    lacks_view: str = ""
    by_bubblewrap: bool = False

    def sentences(self) -> tuple[str, ...]:
        """Return what this means for the user."""
        said = []
        if not self.seccomp:
            said.append("This kernel has no seccomp filter: nothing can be confined, so nothing is run.")
        elif self.level == "L0":
            said.append("This kernel has no Landlock: plans that change anything are refused, and raw commands may only read (level L0).")
            said.append("Landlock needs Linux 5.13 with `landlock` in `lsm=` at boot; in a container, a profile that lets it through.")
        else:
            by = "namespaces, Landlock" if self.level == "L3" else "Landlock"
            said.append(f"Workers are confined by {by} (version {self.landlock_abi}) and seccomp: level {self.level}.")
            said += [text for needed, (made_up, text) in _LACKING.items() if self.landlock_abi < needed and not (made_up and self.level == "L3")]
            said += [_OPEN] if self.level == "L3" else [_OPEN_WITHOUT_VIEW]
            said += [_BY_BUBBLEWRAP] if self.by_bubblewrap else []
            said += [self.lacks_view, *how_to_raise()] if self.lacks_view else []
        return tuple(said)


def how_to_raise() -> tuple[str, ...]:
    """Return what would give this machine level L3."""
    found = [advice for file, closed, advice in _SWITCHES if _says(file) == closed]
    if not found:
        found = ["Level L3 needs Linux 5.12 and namespaces for ordinary users; in a container, a profile that lets `unshare`, `mount` and a new /proc through."]
    if why := bubblewrap.why_not():
        found.append(f"Where the system lets bubblewrap make them, nlsh uses it: {why[0].lower()}{why[1:]}")
    return tuple(found)


def apparmor_profile() -> str:
    """Return the text of a profile that lets nlsh make namespaces where AppArmor keeps them from programs without one; empty elsewhere."""
    if _says(_APPARMOR) != "1":
        return ""
    python = os.path.realpath(sys.executable)
    return (
        "# Lets nlsh make the namespaces in which its workers are confined; and whatever else this very Python runs.\n"
        "abi <abi/4.0>,\n"
        "include <tunables/global>\n\n"
        f'profile nlsh "{python}" flags=(unconfined) {{\n  userns,\n  include if exists <local/nlsh>\n}}\n'
    )


def _says(file: str) -> str:
    try:
        with open(file) as opened:
            return opened.read().strip()
    except OSError:
        return ""


def probe() -> Probe:
    """Try seccomp, Landlock and a mount view, each in a child of its own."""
    filtered = _in_child(_filters)
    version = landlock.abi()
    if version and not _in_child(_confines):
        version = 0
    lacking = view.why_not() if version and filtered else "Without Landlock and seccomp no mount view is used."
    by_bubblewrap = bool(lacking and version and filtered) and not bubblewrap.why_not()
    return Probe(level(version, views=not lacking or by_bubblewrap) if filtered else "L0", version, filtered, lacking, by_bubblewrap)


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
