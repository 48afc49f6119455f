"""The journal's rows: whole runs or nothing, owner-only, several processes at once, a clear error where it cannot be used."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nlsh.journal.store import KEEP_RUNS, Journal, NewStep, is_alive, owner_of_this_process
from nlsh.kernel.jobs import Jobs
from nlsh.plan.errors import JournalError
from nlsh.steps.files import MakeFolder, MovePath
from nlsh.world.files import identify

ROOT = Path(__file__).resolve().parents[3]


def moves(home: Path, count: int) -> list[NewStep]:
    (home / "to").mkdir(exist_ok=True)
    found = []
    for i in range(count):
        (home / f"f{i}").write_text(str(i))
        found.append(NewStep(0, i, MovePath(str(home / f"f{i}"), str(home / "to" / f"f{i}"), identify(str(home / f"f{i}")))))
    return found


def begin(journal: Journal, steps: list[NewStep], **more: object) -> int:
    return journal.begin(request="move", plan="file.move()", digest="d", cwd="/", steps=steps, **more)  # type: ignore[arg-type]


def test_a_run_comes_back_with_its_steps_and_inverses(home: Path) -> None:
    journal = Journal()
    steps = moves(home, 3)
    run = begin(journal, steps)
    journal.close()
    journal = Journal()
    kept = journal.steps(run)
    assert [s.step for s in kept] == [n.step for n in steps]
    assert [s.inverse for s in kept] == [n.step.inverse() for n in steps]
    assert {s.state for s in kept} == {"planned"}
    found = journal.run(run)
    assert found is not None
    assert (found.status, found.total, found.request, found.cwd) == ("running", 3, "move", "/")
    assert is_alive(found.owner)


def test_names_that_are_not_unicode_come_back(home: Path) -> None:
    name = os.path.join(str(home), os.fsdecode(b"bad\xff\n\xe2\x80\xaename"))
    Path(name).write_text("x")
    journal = Journal()
    step = MovePath(name, name + "2", identify(name))
    run = journal.begin(request=f"move {name}", plan="p", digest="d", cwd=name, steps=[NewStep(0, 0, step)])
    assert journal.steps(run)[0].step == step
    assert journal.run(run).cwd == name  # type: ignore[union-attr]


def test_a_run_is_written_whole_or_not_at_all(home: Path) -> None:
    journal = Journal()

    def steps() -> object:
        yield from moves(home, 2)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        begin(journal, steps())  # type: ignore[arg-type]
    assert journal.recent(10) == []
    assert begin(journal, moves(home, 1)) == 1


def test_touched_folders_are_kept_with_their_times(home: Path) -> None:
    journal = Journal()
    steps = moves(home, 1)
    os.utime(home / "to", ns=(5, 1_234_567_891_234_567_891))
    run = begin(journal, steps)
    (home / "to" / "later").write_text("")
    journal.finish(run, "done")
    times = {path: (before, after) for path, before, after in journal.folders(run)}
    assert times[str(home / "to")] == (1_234_567_891_234_567_891, (home / "to").stat().st_mtime_ns)


def test_it_is_for_its_owner_only(home: Path) -> None:
    os.umask(0)
    try:
        journal = Journal()
        begin(journal, moves(home, 1))
        for file in journal.path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        assert stat.S_IMODE(journal.path.parent.stat().st_mode) & 0o077 == 0
    finally:
        os.umask(0o022)


def test_several_processes_write_at_once(home: Path) -> None:
    script = (
        "from nlsh.journal.store import Journal, NewStep\nfrom nlsh.steps.files import MakeFolder\nj = Journal()\n"
        "for i in range(10):\n"
        "    r = j.begin(request='r', plan='p', digest='d', cwd='/', steps=[NewStep(0, k, MakeFolder(f'/x/{k}')) for k in range(20)])\n"
        "    j.mark(r, [(k, 'done') for k in range(20)])\n    j.finish(r, 'done')\n"
    )
    others = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) for _ in range(4)]
    assert [p.wait() for p in others] == [0] * 4
    journal = Journal()
    runs = journal.recent(100)
    assert len(runs) == 40
    assert all(r.status == "done" and journal.states(r.id) == {"done": 20} for r in runs)
    assert not any(is_alive(r.owner) for r in runs)


@pytest.mark.parametrize("store", [Journal, Jobs])
def test_a_second_connection_of_a_process_does_not_give_up_the_locks_of_the_first(home: Path, store: type[Journal] | type[Jobs]) -> None:
    """Another nlsh would take the database for unused, and remove the log that this one goes on writing to."""

    def locks() -> int:
        return sum(f":{os.stat(first.path).st_ino} " in line for line in Path("/proc/locks").read_text().splitlines())

    def look(one: Journal | Jobs) -> object:
        return one.recent(1) if isinstance(one, Journal) else one.all()

    first = store()
    if isinstance(first, Journal):
        begin(first, moves(home, 1))
    else:
        first.untold()
    assert (held := locks())
    second = store()
    look(second)
    assert locks() >= held
    second.close()
    assert locks() == held
    script = f"from {store.__module__} import {store.__name__} as Store; s = Store(); s.{'recent(1)' if store is Journal else 'untold()'}; s.close()"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
    assert first.path.with_name(first.path.name + "-wal").exists()
    look(first)
    first.close()


def test_two_processes_of_which_one_has_looked_twice_lose_no_run_and_share_no_number(home: Path) -> None:
    script = (
        "from nlsh.journal.store import Journal\nj = Journal()\n"
        "print(j.begin(request='other', plan='p', digest='d', cwd='/', steps=[]), flush=True)\nj.close()\n"
    )
    journal, numbers = Journal(), []
    for _ in range(3):
        numbers.append(begin(journal, []))
        beside = Journal()
        beside.recent(1)
        beside.close()
        numbers.append(int(subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True).stdout))
    assert numbers == sorted(set(numbers)) and sorted(r.id for r in journal.recent(10)) == numbers
    journal.close()
    (whole,) = sqlite3.connect(journal.path).execute("PRAGMA integrity_check").fetchone()
    assert whole == "ok"


@pytest.mark.parametrize("rubbish", [b"not a database, but long enough to be looked at " * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_corrupt_journal_says_what_to_do(home: Path, rubbish: bytes) -> None:
    journal = Journal()
    journal.path.write_bytes(rubbish)
    with pytest.raises(JournalError, match=r"cannot be used.*Nothing was changed.*mv "):
        journal.recent(1)


def test_a_journal_of_a_newer_nlsh_is_left_alone(home: Path) -> None:
    journal = Journal()
    begin(journal, moves(home, 1))
    journal.close()
    db = sqlite3.connect(journal.path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(JournalError, match="newer nlsh"):
        Journal().recent(1)


def test_a_step_that_is_not_known_any_more_is_an_error_of_the_journal(home: Path) -> None:
    journal = Journal()
    run = begin(journal, moves(home, 1))
    journal.close()
    db = sqlite3.connect(journal.path)
    db.execute("""UPDATE steps SET data='{"step": "Forgotten"}'""")
    db.commit()
    db.close()
    with pytest.raises(JournalError, match="another version"):
        Journal().steps(run)


def test_old_runs_go_and_running_ones_stay(home: Path) -> None:
    journal = Journal()
    step = [NewStep(0, 0, MakeFolder(str(home / "x")))]
    stays = begin(journal, step)
    old = begin(journal, step)
    journal.finish(old, "done")
    journal.close()
    db = sqlite3.connect(journal.path)
    db.execute("UPDATE runs SET at=?", (time.time() - 91 * 86400,))
    db.commit()
    db.close()
    journal = Journal()
    new = begin(journal, step)
    journal.finish(new, "done")
    assert [r.id for r in journal.recent(10)] == [new, stays]
    assert journal.steps(old) == []


def test_at_most_so_many_runs_are_kept(home: Path) -> None:
    journal = Journal()
    first = begin(journal, [])
    journal.finish(first, "done")
    db = sqlite3.connect(journal.path)
    db.executemany(
        "INSERT INTO runs (at, request, plan, digest, cwd, status, owner, turn, no_undo, total) VALUES (?,'','','','\"/\"','done','1:1:1','do','',0)",
        [(time.time(),)] * KEEP_RUNS,
    )
    db.commit()
    db.close()
    journal.finish(begin(journal, []), "done")
    runs = journal.recent(KEEP_RUNS * 2)
    assert len(runs) == KEEP_RUNS
    assert first not in {r.id for r in runs}


def test_a_run_that_another_process_is_taking_back_cannot_be_taken_back_twice(home: Path) -> None:
    journal, other = Journal(), Journal()
    run = begin(journal, moves(home, 1))
    journal.mark(run, [(0, "done")])
    journal.finish(run, "done")
    begin(journal, [], turn="undo", about=run)
    with pytest.raises(JournalError, match=r"meanwhile.*Nothing was changed"):
        begin(other, [], turn="undo", about=run)


def test_an_owner_is_this_process_and_no_other() -> None:
    mine = owner_of_this_process()
    assert is_alive(mine)
    pid, started, boot = mine.split(":")
    assert not is_alive(f"{pid}:{int(started) + 1}:{boot}")
    assert not is_alive(f"{pid}:{started}:another-boot")
    ended = subprocess.Popen(["true"])
    ended_owner = f"{ended.pid}:{started}:{boot}"
    ended.wait()
    assert not is_alive(ended_owner)
