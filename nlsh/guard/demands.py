"""Demands: what the `[guard]` table of a policy file asks for: paths to hide and to protect, which only add, and the level without which nothing runs."""

from __future__ import annotations

import errno
import functools
import os
import stat
from pathlib import Path
from typing import Any

from nlsh.guard import files
from nlsh.plan.errors import SettingsError
from nlsh.plan.frozen import frozen

_MOST_BYTES = 1 << 20  # of a policy file
REQUIRED = ("L1", "L2", "L3")
ASKED_S, LONGEST_S = 30.0, 3600.0  # how long a question at the system call waits, and how long it may be made to
_KEYS = ("hide", "protect", "require", "ask_at_syscall", "ask_seconds")


@frozen(slots=False)
class Demands:
    """What policy files demand in `[guard]`: paths to hide, paths to protect, and the level without which nothing is run (empty: none).

    `ask_at_syscall`: what a raw command wants outside its grant may become a question, for `ask_seconds` seconds.
    """

    hide: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    require: str = ""
    ask_at_syscall: bool = True
    ask_seconds: float = LONGEST_S


def found() -> Demands:
    """Return what the policy files demand together, the strictest level. Raises SettingsError."""
    every = [_of_file(str(path), *_stamp(str(path))) for path, _ in files.layers()]
    return Demands(
        tuple(dict.fromkeys(p for d in every for p in d.hide)),
        tuple(dict.fromkeys(p for d in every for p in d.protect)),
        max((d.require for d in every), key=lambda level: REQUIRED.index(level) if level else -1),
        all(d.ask_at_syscall for d in every),
        min((d.ask_seconds for d in every if d.ask_seconds != LONGEST_S), default=ASKED_S),
    )


def parse(path: str, table: Any) -> Demands:
    """Return what a `[guard]` table demands. Raises SettingsError that names the key."""
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: [guard] must be a table.", hint="Nothing was run.")
    for key in table:
        if key not in _KEYS:
            raise SettingsError(f"{path}: unknown key “{key}” in [guard].", hint=f"Nothing was run. Known: {', '.join(_KEYS)}.")
    lists = []
    for key in ("hide", "protect"):
        listed = table.get(key, [])
        if not isinstance(listed, list) or not all(isinstance(i, str) and i.startswith(("/", "~/")) for i in listed):
            raise SettingsError(f"{path}: {key} in [guard] must be a list of paths that begin with / or ~/.", hint="Nothing was run.")
        paths = [os.path.normpath(os.path.expanduser(i)) for i in listed]
        if any(p == "/" or p == os.path.expanduser("~") for p in paths):
            raise SettingsError(f"{path}: {key} in [guard] cannot name the root of the file system or a whole home folder.", hint="Nothing was run.")
        lists.append(tuple(paths))
    require = table.get("require", "")
    if require not in ("", *REQUIRED):
        raise SettingsError(f"{path}: require in [guard] cannot be “{require}”.", hint=f"Nothing was run. Known: {', '.join(REQUIRED)}.")
    asks, seconds = table.get("ask_at_syscall", True), table.get("ask_seconds", LONGEST_S)
    if not isinstance(asks, bool):
        raise SettingsError(f"{path}: ask_at_syscall in [guard] must be true or false.", hint="Nothing was run.")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= LONGEST_S:
        raise SettingsError(f"{path}: ask_seconds in [guard] must be a number of seconds up to {LONGEST_S:.0f}.", hint="Nothing was run.")
    return Demands(lists[0], lists[1], require, asks, float(seconds))


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns


@functools.lru_cache(16)
def _of_file(path: str, inode: int, size: int, time_ns: int) -> Demands:
    if not inode:
        return Demands()
    data = read(path)
    return parse(path, data["guard"]) if "guard" in data else Demands()


def read(path: Path | str) -> dict[str, Any]:
    """Return what stands in a policy file, nothing where there is none. Raises SettingsError, also where somebody else could have written it."""
    files.check_writers(path)
    try:
        text = _text_of(path)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.", hint="Nothing was run.") from error
    return parsed(text, path)


def parsed(text: str, path: Path | str) -> dict[str, Any]:
    """Return what stands in the text of a policy file. Raises SettingsError."""
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.", hint="Nothing was run. Mend the file or remove it.") from error


def _text_of(path: Path | str) -> str:
    # The working directory may be anybody's: a pipe or a device there must not keep nlsh waiting, nor fill its memory.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {_MOST_BYTES:,} bytes")
    return data.decode()
