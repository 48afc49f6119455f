"""The view by bubblewrap: where nlsh may make no namespaces itself, and the system lets its `bwrap` make them.

So it is where AppArmor gives user namespaces only to programs that have a profile. bwrap makes the same view and starts a fresh worker in it, which
takes the job over and confines itself as ever. What that costs and cannot do is in decision 25. Whether it works here is found by doing it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from nlsh.guard import isolated
from nlsh.guard.sandbox import view

if TYPE_CHECKING:
    from nlsh.guard.grant import Grant

_PROGRAM = "/usr/bin/bwrap"
_JOB = 9  # the descriptor from which the worker in it reads its job: above those that a worker has
_TRIAL_S = 20
# What is opened before a view is entered does not reach a process that is started in it.
_OPENED_BEFORE = ("bus.read", "bus.call", "fs.log")


def why_not() -> str:
    """Return why bubblewrap cannot make a view here, in a sentence; empty where it can. Found once in a process, by doing it."""
    if view.forbidden or not _is_the_systems(_PROGRAM):
        return "There is no bubblewrap of the system's (bwrap)."
    return _tried()


def is_due(grant: Grant) -> bool:
    """Return whether a worker for `grant` is to be started by bubblewrap: it is to have a view, and cannot make one itself."""
    return not view.inside and not grant.has(*_OPENED_BEFORE) and view.is_due(grant) and bool(view.why_not()) and not why_not()


def go(job: dict[str, Any], seen: view.View) -> NoReturn:
    """Go on in `seen` as a fresh worker, with the descriptors of this one. Raises OSError."""
    memory = os.memfd_create("nlsh-job")
    os.write(memory, json.dumps(job).encode())
    os.lseek(memory, 0, os.SEEK_SET)
    handed = [*range(_JOB), *_files(seen)]
    os.dup2(memory, _JOB)
    for descriptor in handed:
        if descriptor > 2:
            with contextlib.suppress(OSError):
                fcntl.fcntl(descriptor, fcntl.F_SETFD, 0)
    # bwrap itself does not know the wish to stop; what it has started is told by the terminal, or ended with it.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    files = iter(handed[_JOB:])
    command = isolated.command("from nlsh.guard.sandbox.bubblewrap import main; main()")
    os.execve(_PROGRAM, [_PROGRAM, *_words(seen, files), "--", *command], isolated.environment())


def main() -> None:
    """Be the worker in the view."""
    from nlsh.guard.sandbox.worker import HEARS, LEADS, MESSAGES, Worker

    view.inside = True
    with open(_JOB, "rb") as file:
        job = json.loads(file.read())
    for descriptor in (MESSAGES, HEARS, LEADS):
        with contextlib.suppress(OSError):
            os.set_inheritable(descriptor, False)
    Worker(MESSAGES).run(job)
    sys.stdout.flush()
    os._exit(0)


def _words(seen: view.View, files: Iterator[int]) -> Iterator[str]:
    """Yield the arguments of bwrap for a view; `files` are descriptors of empty files, one for each that is hidden."""
    yield from ("--die-with-parent", "--unshare-user", "--unshare-ipc", "--unshare-uts")
    yield from () if seen.network else ("--unshare-net",)
    yield from ("--unshare-pid",) if seen.alone else ()
    whole = "/" in seen.roots
    yield from ("--bind" if whole else "--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev")
    yield from ("--proc", "/proc") if seen.alone else ()
    if not whole and os.path.isdir("/run") and not os.path.islink("/run") and "/run" not in seen.roots:
        yield from ("--tmpfs", "/run")
        for path in filter(os.path.lexists, seen.kept):
            yield from ("--ro-bind", path, path)
        yield from ("--remount-ro", "/run")
    for root in filter(os.path.lexists, seen.roots if not whole else ()):
        yield from ("--bind", root, root)
    for path in filter(os.path.isdir, view.TEMPORARY if seen.temporary else ()):
        yield from ("--perms", "1777", "--tmpfs", path)
    for path, is_folder in _masked(seen):
        yield from ("--perms", "0000", "--tmpfs", path, "--remount-ro", path) if is_folder else ("--perms", "0000", "--ro-bind-data", str(next(files)), path)
    for path in view.ways(seen):
        yield from ("--bind", path, path)
    for path in filter(os.path.lexists, seen.protected):
        yield from ("--ro-bind", path, path)
    yield from ("--chdir", view.here())


def _masked(seen: view.View) -> Iterator[tuple[str, bool]]:
    for path in seen.hidden:
        with contextlib.suppress(OSError):
            mode = os.lstat(path).st_mode
            if not stat.S_ISLNK(mode):  # where it leads is in the list, too
                yield path, stat.S_ISDIR(mode)


def _files(seen: view.View) -> list[int]:
    """Open an empty file for each file that is hidden: bwrap closes each that it has used."""
    made = [os.memfd_create("nlsh-empty") for _, is_folder in _masked(seen) if not is_folder]
    return [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 100) for descriptor in made]


@functools.cache
def _tried() -> str:
    return view.ask_child(_try)


def _try() -> str:
    """Have bwrap make a view and look in it whether it holds; return what does not, in a sentence."""
    writable = view.stage()
    words = list(_words(view.View((writable,), exact=True, hidden=("/sys",)), iter(())))
    code = f"from nlsh.guard.sandbox import view; print(view.holds({writable!r}))"
    try:
        done = subprocess.run(
            [_PROGRAM, *words, "--", *isolated.command(code)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TRIAL_S, check=False, env=isolated.environment(),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap cannot be run: {type(error).__name__}."
    if done.stdout.strip() == "True":
        return ""
    said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
    return f"bubblewrap makes no view here: {said.removeprefix('bwrap: ').rstrip('.')}."


def _is_the_systems(path: str) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    # One that is setuid gets its rights from its owner, and none of these checks are made for that.
    return stat.S_ISREG(status.st_mode) and status.st_uid == 0 and not status.st_mode & (0o022 | stat.S_ISUID)
