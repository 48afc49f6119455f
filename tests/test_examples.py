"""Every example of every action does what it says: run for real, confined, and taken back. That it was confined each worker shows by trying."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nlsh
from nlsh import testing
from nlsh.guard.grant import Grant
from nlsh.guard.sandbox.worker import Worker
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan import registry
from nlsh.plan.action import Example
from nlsh.plan.steps import Step

_SHOWN = "shown"
_THROUGH = Worker.through


def _show_and_go_through(worker: Worker, steps: list[Step], grant: Grant) -> None:
    """Before the first step, have a worker say what holds it, and what it could do that no action needs."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    attempts: dict[str, Callable[[], object]] = {
        "make a folder anywhere": lambda: os.mkdir("/nlsh-test-made"),
        "send to a local socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
        "see all that passes by": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    }
    if not grant.looks_into_processes:
        attempts["look into its supervisor"] = lambda: os.readlink(f"/proc/{os.getppid()}/root")
    could = []
    for name, attempt in attempts.items():
        with contextlib.suppress(OSError):
            attempt()
            could.append(name)
    rights = int(status["CapBnd"], 16) if os.geteuid() == 0 else 0
    worker._send(_SHOWN, filter=status["Seccomp"], new=status["NoNewPrivs"], many_rights=rights.bit_count() > 8, could=could)
    _THROUGH(worker, steps, grant)


class Watched:
    """A zygote whose workers show what holds them; it keeps what they have shown."""

    def __init__(self, zygote: Zygote) -> None:
        self._zygote = zygote
        self.shown: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._zygote, name)

    def run(self, job: dict[str, Any], *args: Any, **more: Any) -> Iterator[dict[str, Any]]:
        for message in self._zygote.run(job, *args, **more):
            if message["type"] == _SHOWN:
                self.shown.append({**message, "grant": job["grant"]})
            else:
                yield message


@pytest.fixture(scope="module")
def zygote() -> Iterator[Watched]:
    Worker.through = _show_and_go_through  # type: ignore[method-assign]
    try:
        started = Zygote.start()
    finally:
        Worker.through = _THROUGH  # type: ignore[method-assign]
    yield Watched(started)
    started.close()


def examples() -> list[pytest.param]:
    return [pytest.param(e, id=f"{action.name}-{n}") for action in registry.all_actions() for n, e in enumerate(action.examples)]


# There is nothing to be done in these scenes: what runs already is not resumed, what is mine need not become it, what has no limits has none to lose.
_NOTHING_TO_DO = ("process.resume", 'file.chown("notes.txt", owner="me")', 'file.chown("site", owner="me", all=true)', "resource.release")


@pytest.mark.parametrize("example", examples())
def test_example(example: Example, tmp_path: Path, zygote: Watched) -> None:
    zygote.shown.clear()
    testing.check(example, tmp_path, zygote=zygote)  # type: ignore[arg-type]
    assert zygote.shown or example.refused or example.may_lack or example.plan.startswith(_NOTHING_TO_DO), "it was done by no worker"
    for shown in zygote.shown:
        assert (shown["filter"], shown["new"], shown["could"], shown["many_rights"]) == ("2", "1", [], False), shown
        grant = Grant.from_data(shown["grant"])
        elsewhere = [r for r in (*grant.change, *grant.remove, *grant.meta) if not r.startswith(f"{tmp_path}/")]
        assert not elsewhere, "it may change what is not the scene's"


def test_steps_are_done_by_workers_alone() -> None:
    """What no example can run on this machine has no other way to be run either."""
    root = Path(nlsh.__file__).parent
    found = {str(f.relative_to(root)) for f in root.rglob("*.py") for line in f.read_text().splitlines() if re.search(r"(?<!super\(\))\.apply\(", line)}
    # The second does a step of its own within one, the third tells the user that a job has ended.
    assert found == {"guard/sandbox/worker.py", "steps/start.py", "shell/commands/job_run.py"}
