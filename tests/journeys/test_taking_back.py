"""What makes room for a program has it back once that has ended: shown with the plan, done by the daemon, even by a later one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nlsh.kernel.jobs import Jobs
from nlsh.resources import limits
from tests.journeys.conftest import Run, Start, until

TRAIN, WEB = f"nlshr{os.getpid()}t", f"nlshr{os.getpid()}w"
SHARE = f'resource.share(["{TRAIN}", "{WEB}"])'
WAIT = "import time\nprint('ready',flush=True)\ntime.sleep(600)\n"


@pytest.fixture(autouse=True)
def without_models(environment: dict[str, str]) -> None:
    environment["NLSH_PLANNER"] = "/none"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Start a process that waits, of a given name."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is one core here")
    started = []

    def one(name: str) -> subprocess.Popen[bytes]:
        script = tmp_path / f"{name}.py"
        script.write_text(WAIT)
        child = subprocess.Popen([sys.executable, "-I", "-S", str(script)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        started.append(child)
        if limits.find(name, (child.pid,), limits.settings(cores=1, weight=100)).kind != "priority":
            pytest.skip("control groups hold it here, not cores, and what is looked at below is cores")
        return child

    yield one
    for child in started:
        child.kill()
        child.communicate()


def end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


def test_what_made_room_has_it_back_when_the_other_ends_even_after_the_daemon_did(
    nlsh: Run, start: Start, running: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    daemon = start()
    train, web = running(TRAIN), running(WEB)
    before = os.sched_getaffinity(web.pid)
    shared = nlsh("plan", "-", "--yes", stdin=SHARE)
    assert shared.returncode == 0, shared.stderr
    assert f"taken back when {TRAIN} ends: what this does to {WEB} (by a job" in shared.stderr
    held = os.sched_getaffinity(web.pid)
    assert held < before and not held & os.sched_getaffinity(train.pid)
    jobs = Jobs()
    (number,) = (j.id for j in jobs.all() if f"to {WEB} when" in j.request)
    job = jobs.job(number)
    # Each effect of each inverse, and nothing by name, by folder or by kind.
    assert job.grants == {"exact": [["proc.tune", str(web.pid)]], "trees": [], "reads": [], "processes": []}
    assert job.plan.strip() == f'with when(process.exits(pid="{train.pid}")): resource.release(pid="{web.pid}", run="1")'
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    end(train)
    assert os.sched_getaffinity(web.pid) == held
    start()
    until(lambda: jobs.job(number).status == "done")
    assert os.sched_getaffinity(web.pid) == before and jobs.runs(number)[0].status == "done"
    # The one the other way round still waits: it is for who still runs.
    assert [j.status for j in jobs.all() if j.id != number] == ["waiting"]
    jobs.close()
