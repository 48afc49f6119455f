"""A worker that was forked ahead of its job is a worker like any other: confined by the job's grant, ended with its client, used once."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.guard.grant import Grant
from nlsh.guard.sandbox import confine, landlock
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.steps.command import RunCommand
from nlsh.steps.start import StartProgram


@pytest.fixture
def zygote() -> Iterator[Zygote]:
    found = Zygote.start()
    yield found
    found.close()


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _spare(zygote: Zygote) -> tuple[int, int]:
    """Return the supervisor and the worker that wait, once what it tries at its start is over."""
    assert zygote.level
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for supervisor in _children(zygote.pid):
            if waiting := _children(supervisor):
                return supervisor, waiting[0]
        time.sleep(0.005)
    raise AssertionError("no spare worker was forked")


def _run(zygote: Zygote, command: str, folder: Path) -> list[dict[str, Any]]:
    step = RunCommand(command, str(folder))
    grant = Grant.of(step.effects())
    null = os.open(os.devnull, os.O_RDWR)
    try:
        return list(zygote.run({"steps": [step.as_data()], "grant": grant.as_data(), "cwd": str(folder), "env": dict(os.environ)}, (null, null, null)))
    finally:
        os.close(null)


def test_a_job_is_done_by_the_supervisor_that_waits(zygote: Zygote, tmp_path: Path) -> None:
    supervisor, worker = _spare(zygote)
    assert _run(zygote, "cut -d' ' -f4 /proc/$PPID/stat > parent; echo $PPID > who", tmp_path)[-1]["type"] == "done"
    assert supervisor != worker
    # In a view of its own processes the shell sees other numbers.
    if (tmp_path / "who").read_text().strip() == str(worker):
        assert (tmp_path / "parent").read_text().strip() == str(supervisor)
    until = time.monotonic() + 20
    while _runs(supervisor) and time.monotonic() < until:
        time.sleep(0.005)
    assert not _runs(supervisor), "one job each"
    assert _spare(zygote)[0] != supervisor, "and another waits for the next"


def test_it_is_confined_by_the_jobs_grant(zygote: Zygote, tmp_path: Path) -> None:
    for number in range(3):  # the one that is there, and those that come after
        granted, other = tmp_path / f"granted{number}", tmp_path / f"other{number}"
        granted.mkdir()
        other.mkdir()
        _spare(zygote)
        _run(zygote, f"touch {granted}/made; touch {other}/made", granted)
        assert (granted / "made").exists()
        assert not (other / "made").exists()


def test_where_it_was_killed_another_is_forked(zygote: Zygote, tmp_path: Path) -> None:
    supervisor, _ = _spare(zygote)
    os.kill(supervisor, signal.SIGKILL)
    until = time.monotonic() + 20
    while supervisor in _children(zygote.pid) and time.monotonic() < until:
        time.sleep(0.005)
    assert _run(zygote, "echo there > said", tmp_path)[-1]["type"] == "done"
    assert (tmp_path / "said").read_text() == "there\n"


def test_where_its_worker_was_killed_another_is_forked(zygote: Zygote, tmp_path: Path) -> None:
    supervisor, worker = _spare(zygote)
    os.kill(worker, signal.SIGKILL)
    until = time.monotonic() + 20
    while _runs(supervisor) and time.monotonic() < until:
        time.sleep(0.005)
    assert _run(zygote, "echo there > said", tmp_path)[-1]["type"] == "done"
    assert (tmp_path / "said").read_text() == "there\n"


def test_where_its_worker_is_killed_with_the_job_the_client_is_told(zygote: Zygote, tmp_path: Path) -> None:
    supervisor, worker = _spare(zygote)
    os.kill(supervisor, signal.SIGSTOP)  # it takes the job without having heard of its worker's end
    os.kill(worker, signal.SIGKILL)
    go_on = threading.Timer(0.2, os.kill, (supervisor, signal.SIGCONT))
    go_on.start()
    assert [m["type"] for m in _run(zygote, "echo there > said", tmp_path)] == ["failed"]
    go_on.join()
    assert _run(zygote, "echo there > said", tmp_path)[-1]["type"] == "done"


def test_a_wish_to_stop_that_comes_before_the_worker_hears_it_is_not_lost(zygote: Zygote, tmp_path: Path) -> None:
    _, worker = _spare(zygote)
    os.kill(worker, signal.SIGSTOP)

    def stop() -> None:
        until = time.monotonic() + 20
        while not _is_told(worker) and time.monotonic() < until:
            zygote.cancel()  # of no job, until there is one
            time.sleep(0.005)
        os.kill(worker, signal.SIGCONT)

    stopping = threading.Thread(target=stop)
    stopping.start()
    (ended,) = _run(zygote, "echo there > said", tmp_path)
    stopping.join()
    assert ended["error"]["code"] == "step.cancelled"
    assert not (tmp_path / "said").exists()


def _is_told(pid: int) -> bool:
    """Return whether a wish to stop waits for a process."""
    pending = re.search(r"^ShdPnd:\t(\w+)", Path(f"/proc/{pid}/status").read_text(), re.M)
    return pending is not None and bool(int(pending[1], 16) >> (signal.SIGUSR1 - 1) & 1)


def test_one_that_was_stopped_keeps_nobody_waiting() -> None:
    zygote = Zygote.start()
    supervisor, _ = _spare(zygote)
    os.kill(supervisor, signal.SIGSTOP)
    go_on = threading.Timer(10, os.kill, (supervisor, signal.SIGCONT))
    go_on.start()
    zygote.close()
    waits = go_on.is_alive()
    go_on.cancel()
    os.kill(supervisor, signal.SIGCONT)
    assert waits


def test_what_is_started_by_it_goes_on(tmp_path: Path) -> None:
    """The supervisor that waits knows no steps yet, and so not which of them may leave something running."""
    zygote = Zygote.spawn()  # has imported nothing that this process has
    _spare(zygote)
    step = StartProgram("exec sleep 100", "sleep", str(tmp_path), str(tmp_path / "log"), "token", changes=True)
    job = {"steps": [step.as_data()], "grant": Grant.of(step.effects()).as_data(), "cwd": str(tmp_path), "env": dict(os.environ)}
    messages = list(zygote.run(job))
    zygote.close()
    assert messages[-1]["type"] == "done", messages
    (pid,) = [r["pid"] for m in messages if m["type"] == "records" for r in m["records"]]
    assert _runs(pid)
    os.kill(pid, signal.SIGKILL)


def test_nothing_is_imported_from_the_folder_of_a_job(tmp_path: Path) -> None:
    """Where Python looks for modules in its working folder, as after `python -c`."""
    (tmp_path / "zipfile.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    step: dict[str, Any] = {"step": "Observe", "in": "observe", "action": "document.convert", "args": {}, "seen": None, "needed": []}
    job = {"steps": [step], "grant": Grant.of(()).as_data(), "cwd": str(tmp_path), "env": {}}
    code = "import json, sys, time; from nlsh.guard.sandbox.zygote import Zygote; zygote = Zygote.start(); zygote.level; time.sleep(0.5)"
    code += "; assert '' in sys.path; list(zygote.run(json.loads(sys.argv[1]))); zygote.close()"
    subprocess.run([sys.executable, "-c", code, json.dumps(job)], cwd=Path(__file__).parents[2], check=True)
    assert not (tmp_path / "ran").exists()


def test_a_home_folder_that_does_not_answer_keeps_no_zygote_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "away").mkdir()
    opened: list[str] = []
    monkeypatch.setattr(landlock.Ruleset, "allow", lambda _, path, __: opened.append(path))
    confine.rehearse()
    assert opened and not [p for p in opened if p.startswith(str(tmp_path))]


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_nothing_is_left_when_the_zygote_ends(how: str) -> None:
    zygote = Zygote.start()
    both = _spare(zygote)
    if how == "killed":
        os.kill(zygote.pid, signal.SIGKILL)
    zygote.close()
    until = time.monotonic() + 20
    while any(map(_runs, both)) and time.monotonic() < until:
        time.sleep(0.005)
    assert not [p for p in both if _runs(p)]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
