"""Jobs as their user meets them: approved once, run by a real daemon in real workers, held to what was approved, and told of where they fail."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nlsh.guard.sandbox.relay import family
from nlsh.kernel import daemon_wire as wire
from nlsh.kernel import job_clock
from nlsh.kernel.daemon import command as daemon_command
from nlsh.kernel.job_clock import JobClock
from nlsh.kernel.jobs import Job, Jobs
from nlsh.plan import registry
from nlsh.plan.errors import BadPlan
from nlsh.resources import inventory
from nlsh.shell.options import Options
from nlsh.shell.turn import Session
from nlsh.world import conditions
from tests.journeys.conftest import Run, Start, Terminal, answers, plain, until

TIDY = 'with every("1h"):\n  a = file.find(under="Downloads", named="*.tmp")\n  file.trash(a)\n'


@pytest.fixture(autouse=True)
def without_models(environment: dict[str, str]) -> None:
    """Jobs need no models: their plans are written down."""
    environment["NLSH_PLANNER"] = "/none"


@pytest.fixture
def downloads(home: Path) -> Path:
    folder = home / "Downloads"
    folder.mkdir()
    (folder / "a.tmp").write_text("a")
    return folder


def made(nlsh: Run, plan: str, *more: str) -> int:
    done = nlsh("plan", "-", "--yes", "--json", *more, stdin=plan)
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)["job"])


def run_once(number: int) -> tuple[int, str]:
    """Have a job run now; return how that ended."""
    jobs = Jobs()
    before = len(jobs.runs(number))
    jobs.due_now(number, time.time())
    wire.ask({"ask": "wake"}, seconds=10)
    until(lambda: len(runs := jobs.runs(number)) > before and runs[-1].finished is not None)
    last = jobs.runs(number)[-1]
    jobs.close()
    return int(last.exit_status or 0), last.status


def test_it_is_shown_and_approved_once_and_every_run_is_journalled(nlsh: Run, start: Start, downloads: Path) -> None:
    start()
    unapproved = nlsh("plan", "-", stdin=TIDY)
    assert unapproved.returncode == 3 and "there is nobody to ask" in unapproved.stderr and not Jobs().exist
    shown = nlsh("plan", "-", "--yes", stdin=TIDY)
    assert "every 1h; first" in shown.stderr and f"remove all below {downloads.parent}/.local/share/Trash, {downloads}" in shown.stderr
    assert (downloads / "a.tmp").exists(), "it is not run before its time"
    assert run_once(1) == (0, "done")
    assert not (downloads / "a.tmp").exists()
    assert run_once(1) == (0, "nothing")
    assert "(nlsh undo 1)" in nlsh("jobs", "show", "1").stdout
    assert nlsh("undo", "--yes").returncode == 0 and (downloads / "a.tmp").read_text() == "a"
    assert "nlsh undo" not in nlsh("jobs", "show", "1").stdout
    listed = json.loads(nlsh("jobs", "--json").stdout)
    assert (listed["status"], listed["runs"], listed["last"]) == ("waiting", 2, "nothing")
    assert any(e.get("rule") == "job 1" for e in map(json.loads, nlsh("audit", "show", "50", "--json").stdout.splitlines()))


def test_a_daemon_that_is_off_is_not_started_for_a_job(nlsh: Run, runtime: Path, downloads: Path) -> None:
    assert nlsh("plan", "-", "--yes", stdin=TIDY, NLSH_DAEMON="off").returncode == 0
    for verb in ("run", "pause", "resume"):
        nlsh("jobs", verb, "1", NLSH_DAEMON="off")
        assert not answers()
    # Where it is not off, the same words start it.
    assert nlsh("jobs", "run", "1").returncode == 0 and answers()
    assert nlsh("daemon", "stop").returncode == 0


def test_no_run_goes_beyond_what_was_approved(nlsh: Run, start: Start, downloads: Path, home: Path) -> None:
    start()
    number = made(nlsh, TIDY)
    # Policy is asked at every run, before the grant.
    policy = home / ".config/nlsh/policy.toml"
    policy.parent.mkdir(parents=True)
    policy.write_text('[[rule]]\nname = "no"\nanswer = "deny"\neffect = ["fs.delete"]\ntarget = ["~/Downloads"]\nreason = "not any more"\n')
    assert run_once(number) == (3, "denied") and (downloads / "a.tmp").exists()
    policy.unlink()
    assert run_once(number) == (0, "done") and not (downloads / "a.tmp").exists()
    # The folder becomes a way to another one: the words of the plan are the same, what they mean is not.
    private = home / "private"
    shutil.move(downloads, private)
    (private / "b.tmp").write_text("b")
    downloads.symlink_to(private)
    assert run_once(number) == (3, "denied")
    assert (private / "b.tmp").read_text() == "b"
    assert "beyond what was approved for job 1" in nlsh("jobs", "log", str(number)).stdout


def test_what_fails_says_so_at_the_next_prompt_and_in_the_status_of_wait(nlsh: Run, start: Start, terminal: Terminal, home: Path) -> None:
    start()
    (home / "project").mkdir()
    done = nlsh("plan", "-", "--yes", stdin='with background(): shell.run("touch made; echo to-the-log; exit 7")', cwd=home / "project")
    assert done.returncode == 0, done.stderr
    waited = nlsh("jobs", "wait", "1")
    assert waited.returncode == 7 and "Job 1: failed" in waited.stderr
    assert (home / "project" / "made").exists()
    assert "to-the-log" in nlsh("jobs", "log", "1").stdout
    number = made(nlsh, 'with at("in 1 hour"): file.trash("project/made")')
    (home / "project" / "made").unlink()
    assert run_once(number)[1] == "failed"
    child = terminal("--plain")
    child.expect("Job 2 failed: There is no")
    child.expect(r"L\d (?:\(\d+\) )?\$ ")
    child.send("echo again\r")
    child.expect(r"L\d (?:\(\d+\) )?\$ ")
    assert "failed" not in plain(child.before)


def test_a_run_outlives_the_daemon_and_is_not_run_again(nlsh: Run, start: Start, home: Path) -> None:
    process = start()
    (home / "project").mkdir()
    plan = 'with background(): shell.run("echo x >> ran; while [ ! -e go ]; do sleep 0.05; done; echo y >> ran")'
    assert nlsh("plan", "-", "--yes", stdin=plan, cwd=home / "project").returncode == 0
    ran = home / "project" / "ran"
    until(ran.exists)
    process.send_signal(signal.SIGKILL)
    process.wait()
    start()
    (home / "project" / "go").touch()
    assert nlsh("jobs", "wait", "1").returncode == 0
    assert ran.read_text() == "x\ny\n" and len(Jobs().runs(1)) == 1


def test_cancel_stops_the_run_and_pause_holds_the_next(nlsh: Run, start: Start, home: Path) -> None:
    start()
    (home / "project").mkdir()
    assert nlsh("plan", "-", "--yes", stdin='with background(): shell.run("touch on; sleep 600")', cwd=home / "project").returncode == 0
    until((home / "project" / "on").exists)
    assert nlsh("jobs", "pause", "1").returncode == 0 and Jobs().job(1).status == "paused"
    assert nlsh("jobs", "pause", "1").returncode == 1
    assert "being stopped" in nlsh("-c", "cancel job 1").stdout
    assert nlsh("jobs", "wait", "1").returncode != 0 and Jobs().job(1).status == "cancelled"
    assert nlsh("jobs", "shw", "1").returncode == 2


def test_a_sentence_that_has_a_job_run_is_asked_about_and_written_down(nlsh: Run, start: Start, downloads: Path) -> None:
    start()
    number = made(nlsh, TIDY)
    assert nlsh("-c", f"pause job {number}").returncode == 0
    unasked = nlsh("-c", f"resume job {number}")
    assert unasked.returncode == 3 and "nobody to ask" in unasked.stderr and "file.trash(a)" in unasked.stderr
    assert Jobs().job(number).status == "paused"
    assert nlsh("--yes", "-c", f"run job {number}").returncode == 1 and Jobs().job(number).status == "paused"
    assert nlsh("--yes", "-c", f"resume job {number}").returncode == 0 and Jobs().job(number).status == "waiting"
    assert nlsh("-c", f"run job {number}").returncode == 3 and (downloads / "a.tmp").exists()
    assert nlsh("--yes", "-c", f"run job {number}").returncode == 0
    until(lambda: not (downloads / "a.tmp").exists())
    written = [e for e in map(json.loads, nlsh("audit", "show", "50", "--json").stdout.splitlines()) if str(e.get("rule")).startswith("nlsh jobs ")]
    assert [(e["rule"].split()[2], e["decision"], e["who"]) for e in written] == [
        ("pause", "allow", "user"), ("resume", "deny", "user"), ("run", "allow", "flag"), ("resume", "allow", "flag"), ("run", "deny", "user"),
        ("run", "allow", "flag"),
    ]  # fmt: skip


def test_a_file_that_appears_is_what_it_is_about(nlsh: Run, start: Start, home: Path) -> None:
    start()
    for name in ("Inbox", "Sorted"):
        (home / name).mkdir()
    (home / "Inbox" / "old.pdf").write_text("was there before")
    number = made(nlsh, 'with when(file.appears("Inbox", name="*.pdf")): file.move(_, to="Sorted")')
    (home / "Inbox" / "new.txt").write_text("another kind")
    (home / "Inbox" / "new.pdf").write_text("new")
    until((home / "Sorted" / "new.pdf").exists)
    assert {p.name for p in (home / "Inbox").iterdir()} == {"old.pdf", "new.txt"}
    until(lambda: Jobs().runs(number)[-1].finished is not None)
    assert nlsh("jobs", "cancel", str(number)).returncode == 0


def test_what_cannot_be_a_job(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh/id_ed25519").write_text("key")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    with Session.start(Options(yes=True)) as session:
        for plan, status, words in (
            ('with every("1h"): history.undo()', 3, "cannot be a job"),
            ('with every("1h"): file.trash("~/.ssh/id_ed25519")', 3, "secret"),
            ('with when(process.exits(name="no-such-program")): file.list()', 1, "does not run"),
            ('with background(): file.trash("gone.txt")', 1, "There is no"),
            ('with every("1h"): file.trash(_)', 1, "the last result is this session's"),
            ('with every("1h"): process.kill(pid="1")', 1, "first process"),
        ):
            assert session.run(registry.parse(plan), plan) == status
            assert words in capsys.readouterr().err
        # The kernel itself runs no plan at once that is to run later.
        with pytest.raises(BadPlan):
            session.kernel.preview(registry.parse('with every("1h"): file.list()'))
    assert not Jobs().exist


def test_in_words(nlsh: Run, environment: dict[str, str], shipped_models: None) -> None:
    del environment["NLSH_PLANNER"]
    for sentence, plan in (
        ("every day at 18:00 show how full my disks are", 'with every("day", at="18:00"): resource.disk()\n'),
        ("每天下午六点运行 df", 'with every("天", at="下午六点"): shell.run("df")\n'),
    ):
        shown = nlsh("--dry-run", "-c", sentence)
        assert (shown.returncode, shown.stdout) == (0, plan)


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1].decode()
    except OSError:
        return "X"


def test_what_is_low_stands_still_for_what_is_due_and_goes_on(nlsh: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_clock, "LEAST_AT_ONCE", 1)
    monkeypatch.setattr(job_clock, "TURN_S", 0.5)
    monkeypatch.setattr(job_clock.os, "sched_getaffinity", lambda pid: {0})
    (home / "project").mkdir()
    beats = home / "project" / "beats"
    waits = "while [ ! -e go ]; do echo x >> beats; sleep 0.01; done; echo end >> beats"
    assert nlsh("plan", "-", "--yes", stdin=f'with background(priority="low"): shell.run("{waits}")', cwd=home / "project").returncode == 0
    clock, jobs = JobClock(daemon_command), Jobs()

    def ticked(true: Callable[[], object]) -> None:
        until(lambda: (clock.tick(), true())[1])

    ticked(beats.exists)
    waits = "while [ ! -e free ]; do sleep 0.01; done; echo y >> ran"
    for _ in range(2):
        assert nlsh("plan", "-", "--yes", stdin=f'with background(): shell.run("{waits}")', cwd=home / "project").returncode == 0
    ticked(lambda: jobs.runs(2) or jobs.runs(3))
    assert len([r for n in (2, 3) for r in jobs.runs(n)]) == 1, "there is one place"
    pid = int(jobs.runs(1)[0].owner.partition(":")[0])
    ticked(lambda: "T" in [state(p) for p in family(pid)])
    assert state(pid) != "T", "its workers stand still, not what writes its journal"
    (home / "project" / "free").touch()
    ticked(lambda: all(runs and runs[0].finished for runs in (jobs.runs(2), jobs.runs(3))))
    before = len(beats.read_text())
    ticked(lambda: len(beats.read_text()) > before)
    (home / "project" / "go").touch()
    ticked(lambda: jobs.runs(1)[0].finished)
    assert [r.status for n in (1, 2, 3) for r in jobs.runs(n)] == ["done"] * 3 and beats.read_text().count("end") == 1
    assert (home / "project" / "ran").read_text() == "y\ny\n"
    ticked(lambda: not clock._started)
    jobs.close()


def test_a_run_is_held_to_its_budget_with_all_that_it_starts(nlsh: Run, start: Start, home: Path) -> None:
    start()
    (home / "project").mkdir()
    # A process of its own has its limit; several together are looked at.
    taker = "python3 -c 'import time; x = bytearray({} << 20); time.sleep(600)'"
    script = home / "project" / "together.sh"
    script.write_text(f"{taker.format(400)} || echo none-alone\n" + f"{taker.format(90)} &\n" * 3 + "wait; echo all-together\n")
    plan = 'with background(cores="1", memory="200MB"): shell.run("nproc; sh together.sh")'
    done = nlsh("plan", "-", "--yes", stdin=plan, cwd=home / "project")
    assert done.returncode == 0 and "Each run is held to" in done.stderr and "200 MB" in done.stderr
    waited = nlsh("jobs", "wait", "1")
    log = nlsh("jobs", "log", "1").stdout
    assert waited.returncode == 1 and "none-alone" in log and "all-together" not in log, log
    assert "\n1\n" in log and "held to " in log
    if "by rlimit" in done.stderr:  # else it is the kernel that ends one of them
        assert "of memory, more than the 200 MB it may" in waited.stderr
    # What it may not have is not had by the next: nothing of it is left.
    assert nlsh("plan", "-", "--yes", stdin='with background(): shell.run("nproc; ulimit -d")', cwd=home / "project").returncode == 0
    assert nlsh("jobs", "wait", "2").returncode == 0
    assert f"\n{len(os.sched_getaffinity(0))}\nunlimited\n" in nlsh("jobs", "log", "2").stdout
    refused = nlsh("plan", "-", "--yes", stdin='with background(cores="4000"): file.list()')
    assert refused.returncode == 1 and "Nothing was changed." in refused.stderr and len(Jobs().all()) == 2


def test_memory_that_a_budget_names_is_kept_free_for_as_long_as_a_run_lasts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after it has given its place up: what comes then does not fit."""
    jobs, started = Jobs(), []
    most = inventory.read().memory
    plan = f'with background(memory="{most * 6 // 10}B"): file.list()'
    for _ in range(2):
        jobs.add(request="r", plan=plan, args={}, cwd="/", env={}, grants={}, due=time.time(), state={})
    jobs.add(request="r", plan="with background(): file.list()", args={}, cwd="/", env={}, grants={}, due=time.time(), state={})

    def begin(self: JobClock, job: Job, run: int) -> None:
        assert jobs.begin(run)
        started.append((job.id, run))

    monkeypatch.setattr(JobClock, "_start", begin)
    monkeypatch.setattr(job_clock, "LEAST_AT_ONCE", 2)
    clock = JobClock(daemon_command)
    clock.tick()
    assert [job for job, _ in started] == [1, 3]
    jobs.end(started[1][1], "done", "")
    monkeypatch.setattr(job_clock, "LONG_S", 0.0)
    for _ in range(3):
        clock.tick()
    assert [job for job, _ in started] == [1, 3], "its memory is not free"
    jobs.end(started[0][1], "done", "")
    clock.tick()
    assert [job for job, _ in started] == [1, 3, 2]
    jobs.close()


def test_what_one_is_to_be_told_of_is_said_at_the_next_prompt_where_there_is_no_desktop(nlsh: Run, start: Start, terminal: Terminal, home: Path) -> None:
    start()
    none = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={home}/no-bus"}
    made = nlsh("--yes", "-c", "remind me in 1 second to stretch", **none)
    assert made.returncode == 0 and "the next prompt says it" in made.stderr, made.stderr
    until(lambda: (runs := Jobs().runs(1)) and runs[-1].status == "said")
    # What does more than say something needs what it needs.
    assert "session message bus" in nlsh("plan", "-", "--yes", stdin='with at("in 1 hour"): system.notify("a"); file.list()', **none).stderr
    child = terminal("--plain")
    child.expect(r"\d\d:\d\d: stretch \(job 1\)")


def test_what_is_over_already_is_no_job(nlsh: Run) -> None:
    done = nlsh("plan", "-", "--yes", stdin='with at("2001-01-01 10:00"): file.list(".")')
    assert done.returncode == 2 and "is over already" in done.stderr and "Nothing was changed" in done.stderr and not Jobs().exist


def test_files_of_a_disk_that_was_away_for_a_while_have_not_appeared(home: Path) -> None:
    inbox, args = home / "Inbox", {"under": str(home / "Inbox")}
    inbox.mkdir()
    (inbox / "old.pdf").write_text("old")
    state = conditions.begin("file.appears", args)
    inbox.rename(home / "away")
    state = conditions.look("file.appears", args, state).state
    (home / "away").rename(inbox)
    (inbox / "new.pdf").write_text("new")
    first = conditions.look("file.appears", args, state)
    assert conditions.look("file.appears", args, first.state).paths == (str(inbox / "new.pdf"),)
