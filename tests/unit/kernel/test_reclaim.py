"""What is taken back by itself: for whom it was done, what its job may do and no more, that it runs once, and that undo calls it off."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlsh.cli import main
from nlsh.guard.standing import StandingPolicy
from nlsh.kernel import reclaim
from nlsh.kernel.job_clock import JobClock
from nlsh.kernel.jobs import Jobs
from nlsh.kernel.kernel import Kernel
from nlsh.plan import registry
from nlsh.plan.errors import NotFound
from nlsh.resources import inventory, limits

TRAIN, WEB = f"nlshu{os.getpid()}t", f"nlshu{os.getpid()}w"
BOTH = f'resource.share(["{TRAIN}", "{WEB}"])'
WAIT = "import time\nprint('ready',flush=True)\ntime.sleep(600)\n"


@pytest.fixture
def them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start the two programs that share the machine; here they are held by cores."""
    if len(inventory.read().cores) < 2:
        pytest.skip("there is one core here")
    monkeypatch.setattr(limits, "find", lambda *_: limits.Means("priority"))
    started = []
    for name in (TRAIN, WEB):
        script = tmp_path / f"{name}.py"
        script.write_text(WAIT)
        started.append(subprocess.Popen([sys.executable, "-I", "-S", str(script)], stdout=subprocess.PIPE))
    for child in started:
        assert child.stdout is not None
        child.stdout.readline()
    yield started
    for child in started:
        child.kill()
        child.communicate()


def test_who_has_what_is_left_makes_room_and_a_share_that_was_named_is_its_own(kernel: Kernel, them: list[subprocess.Popen[bytes]]) -> None:
    def found(text: str) -> dict[str, tuple[str, str]]:
        return {r.until.of_name: (r.when, r.why_not) for r in reclaim.foreseen(kernel.preview(registry.parse(text)))}

    assert found(BOTH) == {WEB: (f"{TRAIN} ends", ""), TRAIN: (f"{WEB} ends", "")}
    assert found(f'resource.share(["{TRAIN}", "{WEB}"], share=["50%", "50%"])') == {}
    responsive = found(f'resource.share("{TRAIN}", share="50%", first="{WEB}")')
    # Only root may have it served first by priority, and only what was done can be taken back.
    assert responsive == ({WEB: (f"{TRAIN} ends", "")} if os.geteuid() == 0 else {})
    twice = found(f'{BOTH}\nresource.limit(pid="{them[1].pid}", cores="1")')
    assert twice[WEB] == (f"{TRAIN} ends", "this plan changes more about it") and twice[TRAIN][1] == ""


def test_its_job_takes_back_just_that_once_and_may_do_nothing_else(kernel: Kernel, them: list[subprocess.Popen[bytes]]) -> None:
    train, web = them
    before = os.sched_getaffinity(web.pid)
    preview = kernel.preview(registry.parse(BOTH))
    outcome = kernel.run(preview)
    assert outcome.status == "done" and outcome.run_id is not None and len(os.sched_getaffinity(web.pid)) < len(before)
    one = next(r for r in reclaim.foreseen(preview) if r.until.of_name == WEB)
    jobs = Jobs()
    number = one.make(jobs, outcome.run_id, {})
    job = jobs.job(number)
    assert job.state["processes"] == [[train.pid, job.state["processes"][0][1]]] and job.due is None

    held = StandingPolicy(kernel.policy.rules, kernel.policy.cwd, one.grant(), f"job {number}")
    back = registry.parse(f'resource.release(pid="{web.pid}", run="{outcome.run_id}")')
    assert held.decide(kernel.preview(back)).answer == "allow"
    for beyond in (f'resource.release(pid="{train.pid}", run="{outcome.run_id}")', f'process.priority(pid="{train.pid}", level="low")'):
        assert held.decide(kernel.preview(registry.parse(beyond))).answer == "deny"

    clock = JobClock(lambda *words: ["true"])
    assert clock._watch(job, 1.0) and jobs.job(number).due is None, "it still runs"
    train.kill()
    train.wait()
    clock._watch(job, 1.0)
    run = jobs.claim(jobs.job(number), 1.0)
    assert run is not None and jobs.begin(run)
    clock._watch(jobs.job(number), 2.0)
    assert jobs.job(number).due is None, "what ends once is due once, however long its run takes"
    kernel.policy = held
    assert kernel.run(kernel.preview(back)).status == "done" and os.sched_getaffinity(web.pid) == before
    jobs.end(run, "done", "")
    assert jobs.job(number).status == "done"
    with pytest.raises(NotFound, match="left to take back"):
        kernel.preview(back)
    jobs.close()


def test_undo_calls_it_off_and_where_no_daemon_may_run_it_is_said_that_it_stays(
    home: Path, them: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (home / "p.plan").write_text(BOTH)
    before = [os.sched_getaffinity(c.pid) for c in them]
    assert main(["plan", "p.plan", "--yes", "--plain"]) == 0
    assert f"what this does to {WEB} stays after {TRAIN}, as the daemon is switched off: resource.release takes it back" in capfd.readouterr().err
    assert main(["undo", "--yes", "-q"]) == 0 and not Jobs().exist
    monkeypatch.setenv("NLSH_DAEMON", "auto")
    monkeypatch.setattr("nlsh.shell.commands.daemon.wake", lambda: True)
    assert main(["plan", "p.plan", "--yes", "--plain"]) == 0
    capfd.readouterr()
    assert main(["jobs", "--json"]) == 0
    listed = capfd.readouterr().out
    assert listed.count('"waiting"') == 2 and f"to {WEB} when {TRAIN} ends" in listed and f"once, when process {them[0].pid} has ended" in listed
    assert main(["undo", "--yes", "-q"]) == 0
    assert [j.status for j in Jobs().all()] == ["cancelled", "cancelled"]
    assert [os.sched_getaffinity(c.pid) for c in them] == before
