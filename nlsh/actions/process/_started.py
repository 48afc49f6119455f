"""Where the output of a started program goes, and what it is known by. Shared by start and restart."""

from __future__ import annotations

import os
import re
import shlex
import time

from nlsh.plan.errors import NotFound, Refused
from nlsh.world import World


def program_of(command: str) -> str:
    """Return the file name of the program that a command line begins with, or what stands there."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    # What stands before the program sets variables or hands on.
    rest = [w for w in words if not re.fullmatch(r"\w+=.*", w, re.S) and w not in ("nohup", "exec", "setsid", "env", "nice")]
    return os.path.basename(rest[0]) if rest and os.path.basename(rest[0]) else command.strip()


def log_path(written: str | None, name: str, world: World) -> str:
    """Return the file for what a program prints: the one that was asked for, or a new one in nlsh's cache folder. Raises Refused and NotFound."""
    if written is None:
        from nlsh.settings import cache_dir

        plain = re.sub(r"[^\w.+-]+", "_", name, flags=re.A).strip("._")[:40] or "program"
        base = os.path.join(os.path.realpath(cache_dir()), "started", f"{plain}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(world.now()))}")
        return next(path for number in range(1, 10_000) if not os.path.lexists(path := f"{base}{f'-{number}' if number > 1 else ''}.log"))
    path = world.resolve(written, must_exist=False)
    if world.is_folder(path):
        path = os.path.join(path, f"{name}.log")
    if world.exists(path):
        raise Refused(f"{path} is there already.", hint="Nothing was started and nothing overwritten. Name another file for the log, or leave it out.")
    if not os.path.isdir(os.path.dirname(path)):
        raise NotFound(f"There is no folder {os.path.dirname(path)} for the log.", hint="Nothing was started.")
    return path


def token() -> str:
    """Return what no other process has in its environment."""
    import secrets

    return secrets.token_hex(8)
