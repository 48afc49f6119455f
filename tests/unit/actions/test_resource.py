"""How the machine is used: rates, users, swap, and how it went; real work of this test's own where it can be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nlsh.actions.resource import io, network, users
from nlsh.guard.grant import Grant
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.monitor import sampler
from nlsh.plan import registry
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Note, Record, record_from_data
from nlsh.plan.steps import Step
from nlsh.settings import cache_dir
from nlsh.world import World, pressure, process_facts, processes, samples

# Those that tell how busy the machine is; the others are about programs and files that are named.
NAMES = sorted(n for n in registry.names() if n.startswith("resource.") and n.partition(".")[2] not in ("fit", "limit", "release", "share", "spare"))


def step_of(text: str) -> Step:
    (call,) = registry.parse(text).calls
    action = registry.get(call.action)
    args = action.Args.bind(call.action, call.args)
    (step,) = action.steps(args, json.loads(json.dumps(action.look(args, World()))))
    assert step.reads_only and {e.kind for e in step.effects()} <= set(action.effects)
    return step


def look(text: str) -> list[Record]:
    found = step_of(text).apply()
    assert found is not None
    return [record_from_data(json.loads(json.dumps(r.as_data()))) for r in found]


def without_notes(text: str) -> list[Record]:
    return [r for r in look(text) if not isinstance(r, Note)]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (io, network, users):
        monkeypatch.setattr(module, "SAMPLE_S", 0.05)


@pytest.mark.parametrize("name", NAMES)
def test_each_works_confined_or_says_why_not(name: str, home: Path) -> None:
    zygote = Zygote.start()
    try:
        step = step_of(f"{name}()")
        job = {"steps": [step.as_data()], "grant": Grant.of(step.effects()).as_data(), "cwd": os.getcwd(), "env": dict(os.environ)}
        last = list(zygote.run(job))[-1]
    finally:
        zygote.close()
    if last["type"] != "done":
        assert last["error"]["code"] == "world.not-possible" and last["error"]["message"].startswith("Not available here, because"), last


def test_a_process_that_writes_is_found(tmp_path: Path) -> None:
    code = "import os,sys\nf=open(sys.argv[1],'wb',0)\nprint('ready',flush=True)\nwhile True:\n f.seek(0); f.write(b'x'*65536); os.fsync(f.fileno())\n"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "f")], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline()
        try:
            before = process_facts.io(child.pid)
            if not _grows(lambda: process_facts.io(child.pid)[1], before[1]):
                pytest.skip("the temporary folder is on no disk")
            found = {r.pid: r for r in without_notes("resource.io(each=true)")}  # type: ignore[attr-defined]
        finally:
            child.kill()
    assert found[child.pid].write_bytes_per_s > 0 and found[child.pid].name  # type: ignore[attr-defined]


def _grows(value: object, start: int) -> bool:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if value() > start:  # type: ignore[operator]
            return True
    return False


def test_network_is_one_line_or_one_for_each_interface() -> None:
    (whole,) = without_notes("resource.network()")
    each = without_notes("resource.network(each=true)")
    assert whole.interface == "all" and {r.interface for r in each} == set(os.listdir("/sys/class/net"))  # type: ignore[attr-defined]
    assert all(r.received_bytes_per_s >= 0 and r.sent_total_bytes >= 0 for r in each)  # type: ignore[attr-defined]
    assert each[-1].interface == "lo"  # type: ignore[attr-defined]


def test_users_are_measured() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            found = {r.user: r for r in without_notes("resource.users()")}  # type: ignore[attr-defined]
        finally:
            busy.kill()
    mine = found[processes.user_name(os.geteuid())]
    assert mine.cpu_percent > 0 and mine.processes >= 2 and 0 < mine.memory_percent <= 100  # type: ignore[attr-defined]


def test_swap_has_the_whole_first() -> None:
    first, *rest = without_notes("resource.swap()")
    assert first.kind == "swap" and first.used_bytes <= first.total_bytes  # type: ignore[attr-defined]
    amounts = [r.swap_bytes for r in rest]  # type: ignore[attr-defined]
    assert amounts == sorted(amounts, reverse=True)


def test_load_is_the_kernels() -> None:
    (found,) = without_notes("resource.load()")
    assert found.cores == len(os.sched_getaffinity(0)) or found.cores > 0  # type: ignore[attr-defined]
    assert found.tasks > 0 and abs(found.load_15m - os.getloadavg()[2]) < 1  # type: ignore[attr-defined]


def test_without_pressure_it_is_said_and_history_does_without(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pressure, "PRESSURE", str(tmp_path / "none"))
    with pytest.raises(NotPossible, match="does not count pressure"):
        look("resource.pressure()")
    assert [type(r).__name__ for r in without_notes("resource.history()")] == ["LoadAverage"]
    assert [type(r).__name__ for r in without_notes('resource.history(what="memory")')] == ["LoadAverage"]


# --- history ---


def written(*at: tuple[float, float, float, float]) -> None:
    """Leave samples as a session would have."""
    descriptor = sampler.opened(samples.path())
    for sample in at:
        os.pwrite(descriptor, samples.packed(samples.Sample(*sample)), samples.place(sample[0]))
    os.close(descriptor)


def test_without_samples_history_says_so_and_shows_what_the_kernel_keeps(home: Path) -> None:
    note, *rest = look("resource.history()")
    assert isinstance(note, Note) and "no nlsh session ran" in note.text
    assert any(type(r).__name__ == "LoadAverage" for r in rest)
    assert [type(r).__name__ for r in without_notes('resource.history(what="load")')] == ["LoadAverage"]


def test_history_shows_what_was_noted(home: Path) -> None:
    now = time.time()
    written(*((now - 10 * n, 50.0 if n % 2 else 100.0, 25.0, n / 10) for n in range(60)))
    cpu, memory, load = look("resource.history()")
    assert (cpu.of, memory.of, load.of) == ("cpu", "memory", "load")  # type: ignore[attr-defined]
    assert (cpu.lowest, cpu.highest, cpu.latest) == (50.0, 100.0, 100.0) and memory.mean == 25.0  # type: ignore[attr-defined]
    assert len(load.series) == len(load.course) == 60 and load.step_seconds == 10  # type: ignore[attr-defined]
    assert load.course.startswith("█") and load.course.endswith("▁")  # type: ignore[attr-defined]
    (only,) = look('resource.history(what="cpu", time="2 minutes")')
    assert only.of == "cpu" and len(only.series) == 12  # type: ignore[attr-defined]
    hour, note = look('resource.history(what="memory", time="1 hour")')
    assert hour.step_seconds == 60 and hour.series[0] is None and hour.course.startswith(" ")  # type: ignore[attr-defined]
    assert isinstance(note, Note) and "Nothing was noted before 9 minutes" in note.text


def test_history_further_back_than_is_kept(home: Path) -> None:
    now = time.time()
    written((now - 5, 1.0, 2.0, 3.0), (now - 3600, 1.0, 2.0, 3.0))
    found = look('resource.history(what="cpu", time="3 days")')
    assert "1 day" in found[0].text and len(found[1].series) == 60  # type: ignore[attr-defined]


@pytest.mark.parametrize("content", [b"", b"x", b"nlsh samples 1\n\0", os.urandom(samples.SIZE), b"nlsh samples 1\n\0" + os.urandom(samples.SIZE - 16)])
def test_a_broken_file_of_samples_is_as_none(content: bytes, home: Path) -> None:
    (cache_dir() / "samples").write_bytes(content)
    assert "no nlsh session ran" in look("resource.history()")[0].text  # type: ignore[attr-defined]


def test_a_pipe_or_a_link_in_its_place_is_as_none(home: Path) -> None:
    os.mkfifo(cache_dir() / "samples")
    assert "no nlsh session ran" in look("resource.history()")[0].text  # type: ignore[attr-defined]
    (cache_dir() / "samples").unlink()
    (cache_dir() / "samples").symlink_to("/etc/passwd")
    assert "no nlsh session ran" in look("resource.history()")[0].text  # type: ignore[attr-defined]
