"""Programs of the system that an action asks for facts that no library has: git, journalctl, ffprobe, apt-cache.

It owns how one is found and run for reading: never through a shell, with fixed arguments, no terminal, the C locale, and a limit on how much it may
say. In a worker it runs inside the worker's sandbox; the action's `needs` names it as `tool.read`.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence

from nlsh.plan.errors import NlshError, NotPossible

MOST_BYTES = 64 << 20
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ToolFailed(NlshError):
    """A program that an action needs ended with another status than 0."""

    code = "tool.failed"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None, status: int = 1) -> None:
        super().__init__(message, hint=hint, code=code)
        self.exit_status = status


def present(name: str) -> str | None:
    """Return the path of a program in the system's folders or the user's PATH, or None."""
    return shutil.which(name, path=SYSTEM_PATH) or shutil.which(name, path=_own_path())


def _own_path() -> str:
    """Return the user's PATH without what others could put a program into: the working folder, wherever that is, and folders of other users."""
    found = []
    for folder in os.environ.get("PATH", SYSTEM_PATH).split(os.pathsep):
        try:
            status = os.stat(folder) if os.path.isabs(folder) else None
        except OSError:
            continue
        if status is not None and status.st_uid in (0, os.geteuid()) and not status.st_mode & stat.S_IWOTH:
            found.append(folder)
    return os.pathsep.join(found) or SYSTEM_PATH


def of_the_system(path: str) -> bool:
    """Return whether a program lies in the system's folders: what is to run with more rights than the user's must."""
    return os.path.dirname(path) in SYSTEM_PATH.split(os.pathsep)


def find(name: str, *, why: str = "", install: str = "") -> str:
    """Return the path of a program. Raises NotPossible, saying what is not available here and what would make it so."""
    path = present(name)
    if path is None:
        reason = f" It is needed to {why}." if why else ""
        raise NotPossible(
            f"Not available here, because the program {name} is not installed.{reason}", hint=f"Nothing was changed. Install {install or name} and ask again."
        )
    return path


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what a tool may know of the environment: the C locale, so that its output is the same everywhere."""
    kept = {k: os.environ[k] for k in ("HOME", "USER", "LOGNAME", "TMPDIR", "XDG_RUNTIME_DIR", "TZ") if k in os.environ}
    return {**kept, "PATH": _own_path(), "LC_ALL": "C.UTF-8", "LANGUAGE": "", **(extra or {})}


def output(argv: Sequence[str], *, cwd: str | None = None, ok: tuple[int, ...] = (0,), extra: Mapping[str, str] | None = None, seconds: float = 60.0) -> str:
    """Return what a program writes. Raises ToolFailed with its last line of complaint, NotPossible where it takes longer than `seconds`."""
    try:
        done = subprocess.run(argv, cwd=cwd, env=environment(extra), stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotPossible(f"{os.path.basename(argv[0])} did not answer within {seconds:.0f} seconds.", hint="Nothing was changed.") from error
    if done.returncode not in ok:
        raise failed(argv, done.returncode, done.stderr or done.stdout)
    return done.stdout[:MOST_BYTES].decode("utf-8", "surrogateescape")


def lines(argv: Sequence[str], *, cwd: str | None = None, ok: tuple[int, ...] = (0,), extra: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield what a program writes, line by line as it comes; it is ended when nobody wants more. Raises ToolFailed."""
    # Not a pipe: a program that complains at length would wait for it to be read, and nobody does before it has ended.
    with (
        os.fdopen(os.memfd_create("complaint"), "r+b") as said,
        subprocess.Popen(
            argv, cwd=cwd, env=environment(extra), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True, errors="surrogateescape"
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                yield line.rstrip("\n")
            if process.wait() not in ok:
                said.seek(0)
                raise failed(argv, process.returncode, said.read(1 << 20))
        finally:
            if process.poll() is None:
                process.kill()


def failed(argv: Sequence[str], status: int, complaint: bytes) -> ToolFailed:
    """Return the error for a program that ended with `status`."""
    said = [line for line in complaint.decode("utf-8", "replace").splitlines() if line.strip()]
    why = said[-1].strip()[:300] if said else f"it ended with status {status}"
    return ToolFailed(f"{os.path.basename(argv[0])}: {why}", status=status)
