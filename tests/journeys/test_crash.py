"""Power off in the middle: whatever instant nlsh is killed at, the next start knows how far it got, and no file is lost either way."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlsh.guard import policy
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.journal.audit import Audit
from nlsh.journal.store import Journal
from nlsh.kernel.kernel import Kernel
from nlsh.kernel.recover import Unfinished, finish_plan, leave, reverse_plan, unfinished
from nlsh.plan import registry
from nlsh.plan.errors import NotFound
from nlsh.world import World
from tests.journeys import crash_trials

ROOT = Path(__file__).resolve().parents[2]
FILES = 1000
RUN = """
from nlsh.guard import policy
from nlsh.guard.sandbox.zygote import Zygote
zygote = Zygote.start()
from nlsh.journal.audit import Audit
from nlsh.journal.store import Journal
from nlsh.kernel.kernel import Kernel
from nlsh.plan import registry
from nlsh.world import World
kernel = Kernel(policy.load(), zygote, Journal(), Audit(), World(), approve=lambda preview, decision: True)
kernel.run(kernel.preview(registry.parse('file.move("from/*", to="to")'), "move everything"))
"""


@pytest.fixture
def kernel(home: Path) -> Iterator[Kernel]:
    zygote = Zygote.start()
    yield Kernel(policy.load(), zygote, Journal(), Audit(), World(), approve=lambda preview, decision: True)
    zygote.close()


def build(home: Path) -> dict[str, tuple[str, int]]:
    (home / "from").mkdir()
    (home / "to").mkdir()
    found = {}
    for i in range(FILES):
        file = home / "from" / f"file {i}.dat"
        file.write_text(f"content {i}")
        os.utime(file, ns=(i, 1_500_000_000_000_000_000 + i))
        found[file.name] = (f"content {i}", file.stat().st_mtime_ns)
    os.utime(home / "from", ns=(1, 1_400_000_000_000_000_001))
    os.utime(home / "to", ns=(1, 1_400_000_000_000_000_002))
    return found


def content(folder: Path) -> dict[str, tuple[str, int]]:
    return {p.name: (p.read_text(), p.stat().st_mtime_ns) for p in folder.iterdir()}


def crash(home: Path, at: int) -> None:
    """Move everything in another process, and kill it once `at` files have arrived; return when nothing of it runs any more."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen([sys.executable, "-c", RUN], env={**os.environ, "PYTHONPATH": str(ROOT), "NLSH_TEST_MARK": mark}, cwd=home)
    while len(os.listdir(home / "to")) < at and process.poll() is None:
        os.sched_yield()
    _kill(process, mark)


def _kill(process: subprocess.Popen[bytes], mark: str) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    while _of(mark):
        os.sched_yield()


def _of(mark: str) -> list[str]:
    """Return the processes that were started with this mark: zygote, supervisor and worker, which die with their parents."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            environment = Path("/proc", pid, "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in environment:
            found.append(pid)
    return found


chosen = random.Random()
SEED = int(os.environ.get("NLSH_CRASH_SEED", chosen.randrange(10**6)))
chosen.seed(SEED)
POINTS = [1, FILES - 1, *(chosen.randrange(2, FILES - 1) for _ in range(3))]


@pytest.mark.parametrize("way", ["finish", "reverse"])
@pytest.mark.parametrize("at", POINTS, ids=[f"{p}-seed{SEED}" for p in POINTS])
def test_a_move_killed_in_the_middle_can_be_finished_or_reversed(home: Path, kernel: Kernel, at: int, way: str) -> None:
    before = build(home)
    crash(home, at)
    arrived = len(os.listdir(home / "to"))
    assert {**content(home / "from"), **content(home / "to")} == before

    reported = unfinished(kernel.journal)
    assert reported == [Unfinished(1, "move everything", arrived, FILES, settled=arrived == FILES)]
    assert f"{arrived:,} of {FILES:,} steps were done" in reported[0].message
    if not reported[0].settled:
        assert unfinished(kernel.journal) == reported  # until it is decided on
        plan = finish_plan(1) if way == "finish" else reverse_plan(1)
        preview = kernel.preview(plan, way)
        assert preview.changes
        outcome = kernel.run(preview)
        assert outcome.status == "done", outcome.message
        assert unfinished(kernel.journal) == []
        if way == "finish":
            assert content(home / "to") == before
            assert content(home / "from") == {}
        else:
            assert content(home / "from") == before
            assert content(home / "to") == {}
            assert (home / "from").stat().st_mtime_ns == 1_400_000_000_000_000_001
            assert (home / "to").stat().st_mtime_ns == 1_400_000_000_000_000_002
    assert kernel.audit.verify().holds
    # And all of it can be taken back in the ordinary way.
    while True:
        try:
            undo = kernel.preview(registry.parse("history.undo()"))
        except NotFound:
            break
        assert kernel.run(undo).status == "done"
    assert content(home / "from") == before
    assert content(home / "to") == {}


def test_plans_of_all_kinds_killed_at_any_moment_lose_nothing() -> None:
    """A sample of what `python -m tests.journeys.crash_trials` does by the thousand: one of each kind of plan, at least."""
    found = crash_trials.run(4 * len(crash_trials.WAYS), SEED, sizes=(1, 4, 20), limit_s=20)
    assert found.wrong == {}, f"seed {SEED}"
    assert found.trials >= len(crash_trials.WAYS)


def test_a_run_that_was_cut_short_can_be_left_as_it_is(home: Path, kernel: Kernel) -> None:
    before = build(home)
    crash(home, FILES // 2)
    assert len(unfinished(kernel.journal)) == 1
    leave(kernel.journal, 1)
    assert unfinished(kernel.journal) == []
    assert {**content(home / "from"), **content(home / "to")} == before
    assert kernel.run(kernel.preview(registry.parse("history.undo()"))).status == "done"
    assert content(home / "from") == before


def test_a_run_killed_again_while_it_is_reversed_loses_nothing(home: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    before = build(home)
    crash(home, FILES // 2)
    monkeypatch.setattr(
        sys.modules[__name__], "RUN", RUN.replace("""file.move("from/*", to="to")""", """history.undo(run="1")""").replace('"move', '"undo, not')
    )
    mark = uuid.uuid4().hex
    process = subprocess.Popen([sys.executable, "-c", RUN], env={**os.environ, "PYTHONPATH": str(ROOT), "NLSH_TEST_MARK": mark}, cwd=home)
    while len(os.listdir(home / "to")) > FILES // 4 and process.poll() is None:
        os.sched_yield()
    _kill(process, mark)
    assert {**content(home / "from"), **content(home / "to")} == before
    reported = [u for u in unfinished(kernel.journal) if not u.settled]
    assert [u.run_id for u in reported] == [2]
    assert kernel.run(kernel.preview(finish_plan(2))).status == "done"
    assert content(home / "from") == before
    assert content(home / "to") == {}
    assert unfinished(kernel.journal) == []


def test_a_run_of_a_living_process_is_not_taken_for_a_crash(home: Path, kernel: Kernel) -> None:
    (home / "a").write_text("a")
    found = []
    kernel.on_event = lambda event: found.append(unfinished(Journal())) if event["type"] == "run" else None
    assert kernel.run(kernel.preview(registry.parse('file.rename("a", to="b")'))).status == "done"
    assert found == [[]]
