"""Run a function confined to a grant, or not at all confined, in a child process, and tell what came of it."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nlsh.guard.grant import Grant
from nlsh.guard.sandbox import confine, enter, landlock, namespaces, seccomp, view
from nlsh.guard.sandbox.kernel import SET_DUMPABLE, prctl
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NlshError
from nlsh.plan.steps import Step
from nlsh.steps.command import ReadCommand, RunCommand

NOBODY = 65534
CODE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Came:
    """What a child's function gave: its value, or the number of the OSError, or the code of the NlshError, or the signal that ended it."""

    value: Any = None
    errno: int = 0
    code: str = ""
    signal: int = 0

    @property
    def done(self) -> bool:
        return not (self.errno or self.code or self.signal)


def in_child(function: Callable[[], Any], *, grant: Grant | None = None, user: int | None = None, abi: int | None = None, seccomp_there: bool = True) -> Came:
    """Run `function` in a forked child: as `user`, confined to `grant`, on a kernel with Landlock `abi`."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        came = Came(code="test.broken")
        try:
            signal.alarm(60)
            landlock.ceiling, seccomp.available = abi, seccomp_there
            if user is not None:
                let_through_to_code()
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
                prctl(SET_DUMPABLE, 1)  # as whoever logs in is, and whoever gives up rights is not: only such a one may map its ids
            if grant is not None:
                enter(grant)
            came = Came(function())
        except NlshError as error:
            came = Came(code=error.code)
        except OSError as error:
            came = Came(errno=error.errno or -1)
        finally:
            os.write(writer, pickle.dumps(came))
            os._exit(0)
    os.close(writer)
    data = b""
    while chunk := os.read(reader, 65536):
        data += chunk
    os.close(reader)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return Came(signal=-status) if status < 0 else pickle.loads(data)


def let_through_to_code() -> None:
    """Let everybody through to this clone and to Python, in a mount namespace of its own, where a folder above them is only for its owner."""
    needed = dict.fromkeys((CODE, Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve()))
    closed = {place: tops[-1] for place in needed if (tops := [f for f in place.parents if f.stat().st_mode & 0o001 == 0])}
    if not closed:
        return
    namespaces.unshare(namespaces.NEW_MOUNTS)
    namespaces.set_attributes("/", propagation=namespaces.PRIVATE)
    trees = [(place, namespaces.copy_tree(str(place))) for place in sorted(closed)]
    for top in sorted({top for top in closed.values() if not any(other in top.parents for other in closed.values())}):
        namespaces.mount("tmpfs", str(top), "tmpfs", 0, "mode=755")
    os.umask(0o022)  # it may be any here
    for place, tree in trees:
        place.mkdir(parents=True, exist_ok=True)
        namespaces.attach(tree, str(place))


def reading(command: str = "ls") -> Grant:
    """The grant of a raw command that only reads."""
    return Grant.of(ReadCommand(command, "/").effects())


def changing(folder: Path) -> Grant:
    """The grant of a raw command that may change `folder`."""
    return Grant.of(RunCommand("make", str(folder)).effects())


def typed(*effects: tuple[str, str]) -> Grant:
    """The grant of a typed step with these effects."""
    return Grant.of([Effect(kind, str(target)) for kind, target in effects])


def give_to_nobody(folder: Path) -> None:
    """Make `folder` nobody's, and let everybody through to it."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    for parent in folder.parents:
        if parent.stat().st_mode & 0o011 != 0o011:
            parent.chmod(parent.stat().st_mode | 0o011)


@pytest.fixture
def zygote(home: Path) -> Iterator[Zygote]:
    """A zygote that knows the scratch home."""
    started = Zygote.start()
    yield started
    started.close()


def run_steps(zygote: Zygote, *steps: Step, effects: tuple[Effect, ...] | None = None, **more: Any) -> list[dict[str, Any]]:
    """Run steps in one worker, confined to what they need (or to `effects`), and return all messages."""
    grant = Grant.of(effects if effects is not None else [e for s in steps for e in s.effects()])
    job = {"steps": [s.as_data() for s in steps], "grant": grant.as_data(), "cwd": os.getcwd(), "env": dict(os.environ)}
    return list(zygote.run(job, **more))


def last_of(messages: list[dict[str, Any]], step: int = 0) -> dict[str, Any]:
    """Return the one last message of a step."""
    found = [m for m in messages if m["step"] == step and m["type"] in ("done", "failed", "denied")]
    assert len(found) == 1, messages
    return found[0]


def eventually(true: Callable[[], bool], *, within_s: float = 20.0) -> bool:
    """Wait on a condition; return whether it came true."""
    until = time.monotonic() + within_s
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


@pytest.fixture
def victim() -> Iterator[int]:
    """A process of the test's own that waits to be ended."""
    pid = os.fork()
    if pid == 0:
        try:
            for number in (signal.SIGTERM, signal.SIGUSR1):
                signal.signal(number, signal.SIG_DFL)
            while True:
                signal.pause()
        finally:
            os._exit(0)
    yield pid
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


@pytest.fixture
def no_views(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without namespaces: what is refused, Landlock and seccomp refuse."""
    monkeypatch.setattr(view, "forbidden", True)


@pytest.fixture(autouse=True)
def _needs_the_kernel() -> None:
    if landlock.abi() < 1:
        pytest.skip("this kernel has no Landlock: there is nothing to test here")
    assert confine.level(landlock.abi()) in ("L1", "L2")
