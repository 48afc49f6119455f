"""Power off while what a command changed on a copy is kept: whatever instant it comes at, nothing is lost, and it can be finished or taken back."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from nlsh.guard.sandbox import overlay
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.kernel.recover import finish_plan, reverse_plan, unfinished
from nlsh.settings import tried_dir
from tests.sandbox.trials import Bench, needs_views, tree

ROOT = Path(__file__).resolve().parents[2]
FILES = 600
COMMAND = "sed -i s/old/new/ *.txt && rm -rf gone && mkdir made && touch made/f && chmod 600 0.txt && mv mine.bin moved.bin"
RUN = f"""
from nlsh.guard.sandbox.zygote import Zygote
zygote = Zygote.start()
import os
from pathlib import Path
from tests.sandbox.trials import Bench
bench = Bench(Path(os.getcwd()), zygote)
bench.try_({COMMAND!r})
Path("../tried").touch()
bench.keep(told=lambda step: os.kill(os.getpid(), 9) if step >= int(os.environ["AT"]) else None)
"""
TRY = RUN.partition("bench.keep")[0] + "import signal; signal.pause()"
chosen = random.Random()
SEED = int(os.environ.get("NLSH_CRASH_SEED", chosen.randrange(10**6)))
chosen.seed(SEED)
POINTS = [1, FILES - 1, *(chosen.randrange(2, FILES - 1) for _ in range(2))]


def build(home: Path) -> Path:
    folder = home / "work"
    folder.mkdir()
    for i in range(FILES):
        (folder / f"{i}.txt").write_text(f"old {i}\n")
        os.utime(folder / f"{i}.txt", ns=(i, 1_500_000_000_000_000_000 + i))
    (folder / "gone" / "in").mkdir(parents=True)
    (folder / "gone" / "in" / "f").write_text("f")
    (folder / "mine.bin").write_bytes(b"\0" * 1000)
    os.utime(folder, ns=(1, 1_400_000_000_000_000_001))
    return folder


def start(folder: Path, script: str, at: int = 0) -> tuple[subprocess.Popen[bytes], str]:
    mark = uuid.uuid4().hex
    around = {**os.environ, "PYTHONPATH": str(ROOT), "NLSH_TEST_MARK": mark, "AT": str(at)}
    return subprocess.Popen([sys.executable, "-c", script], env=around, cwd=folder), mark


def kill(process: subprocess.Popen[bytes], mark: str, *, by_itself: bool = False) -> None:
    """Kill it, and wait until nothing of it runs any more: zygote, supervisor and worker die with their parents."""
    if not by_itself:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    while any(mark.encode() in environment(pid) for pid in filter(str.isdigit, os.listdir("/proc"))):
        os.sched_yield()


def environment(pid: str) -> bytes:
    try:
        return Path("/proc", pid, "environ").read_bytes()
    except OSError:
        return b""


def changed(folder: Path) -> int:
    return sum(b"new" in (folder / f"{i}.txt").read_bytes() for i in range(FILES) if (folder / f"{i}.txt").exists())


@pytest.mark.parametrize("way", ["finish", "reverse"])
@pytest.mark.parametrize("at", POINTS, ids=[f"{p}-seed{SEED}" for p in POINTS])
def test_keeping_that_was_killed_can_be_finished_or_reversed(home: Path, zygote: Zygote, at: int, way: str) -> None:
    needs_views()
    folder = build(home)
    before = tree(folder)
    process, mark = start(folder, RUN, at)
    kill(process, mark, by_itself=True)
    names = {f"{i}.txt" for i in range(FILES)}
    assert names <= set(os.listdir(folder))  # each is there at any moment, the old one or the new
    bench = Bench(folder, zygote)
    overlay.sweep(tried_dir(), is_needed=lambda number: bench.kernel.journal.run(number) is not None)
    (reported,) = unfinished(bench.kernel.journal)
    assert reported.done
    if not reported.settled:
        outcome = bench.kernel.run(bench.kernel.preview(finish_plan(1) if way == "finish" else reverse_plan(1)))
        assert outcome.status == "done", outcome.errors
    assert unfinished(bench.kernel.journal) == []
    if way == "reverse" and not reported.settled:
        assert tree(folder) == before
        return
    assert changed(folder) == FILES
    assert sorted(set(os.listdir(folder)) - names) == ["made", "moved.bin"]
    while tree(folder) != before:
        assert bench.undo().status == "done"


def test_a_trial_that_was_killed_leaves_the_folder_as_it_was_and_is_swept(home: Path) -> None:
    needs_views()
    folder = build(home)
    before = tree(folder)
    process, mark = start(folder, TRY)
    while not (home / "tried").exists() and process.poll() is None:
        os.sched_yield()
    assert process.poll() is None
    kill(process, mark)
    assert tree(folder) == before
    assert len(os.listdir(tried_dir())) == 1
    overlay.sweep(tried_dir(), is_needed=lambda number: True)
    assert os.listdir(tried_dir()) == []
