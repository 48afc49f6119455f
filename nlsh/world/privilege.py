"""Whether a process of nlsh's could become root's here, and by which program of the system's. Nothing is run to find out, and nobody is asked."""

from __future__ import annotations

import os
import stat

_FOLDERS = ("/usr/bin", "/bin", "/usr/local/bin", "/run/wrappers/bin")
# Where a program may be that makes others root's. Tests set this to a folder of their own; deliberately not an environment variable.
folders: tuple[str, ...] = _FOLDERS


def way() -> str:
    """Return the path of the program by which a step can be done as root: sudo, or pkexec where there is no terminal; empty where there is none.

    Empty, too, where nlsh is root already, and where it may get no further rights.
    """
    if os.geteuid() == 0 or _may_gain_nothing():
        return ""
    sudo, pkexec = _program("sudo"), _program("pkexec")
    if sudo and (has_terminal() or not (pkexec and _has_desktop())):
        return sudo
    return pkexec if pkexec and (has_terminal() or _has_desktop()) else ""


def can_be_root() -> bool:
    """Return whether a step that needs root rights can be done: nlsh is root, or there is a way to ask for it."""
    return os.geteuid() == 0 or bool(way())


def has_terminal() -> bool:
    """Return whether this process has a terminal on which somebody can be asked for a password."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _program(name: str) -> str:
    """Return the path of a program that is root's, that only root can change, and that runs as root."""
    for folder in folders:
        path = os.path.join(folder, name)
        try:
            status = os.stat(path)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode) and status.st_uid == 0 and status.st_mode & stat.S_ISUID and not status.st_mode & 0o022:
            return path
    return ""


def _has_desktop() -> bool:
    return bool(os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY"))


def _may_gain_nothing() -> bool:
    try:
        with open("/proc/self/status") as file:
            return any(line.split() == ["NoNewPrivs:", "1"] for line in file)
    except OSError:
        return False
