"""Workers through the zygote: messages, refusals of typed steps, signals, cancelling, death."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from nlsh.guard.grant import Grant
from nlsh.guard.sandbox import group as group_module
from nlsh.guard.sandbox import landlock, seccomp
from nlsh.guard.sandbox.group import Group
from nlsh.guard.sandbox.pausing import Pause
from nlsh.guard.sandbox.relay import Relay, family
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotFound
from nlsh.plan.records import Fact, Record
from nlsh.plan.steps import Step
from nlsh.steps import handles
from nlsh.steps.command import ReadCommand, RunCommand
from tests.at_work import children
from tests.sandbox.conftest import NOBODY, eventually, give_to_nobody, in_child, last_of, run_steps


@dataclass(frozen=True)
class Probing(Step):
    """A step of the tests: does what `do` names, needing what `kinds` say."""

    do: str
    what: str = ""
    kinds: tuple[tuple[str, str], ...] = (("sys.read", "*"),)
    reads_only: ClassVar[bool] = True

    def effects(self) -> tuple[Effect, ...]:
        return tuple(Effect(*k) for k in self.kinds)

    def check(self) -> None:
        if self.do == "stale":
            raise NotFound("It is gone.")

    def apply(self) -> Iterator[Record] | None:
        return getattr(self, f"_{self.do}")()

    def _write(self) -> None:
        Path(self.what).write_text("new")

    def _read(self) -> Iterator[Record]:
        yield Fact("content", Path(self.what).read_text())

    def _move(self) -> None:
        os.rename(self.what, self.what + ".moved")

    def _environment(self) -> Iterator[Record]:
        for key in sorted(os.environ):
            yield Fact(key, os.environ[key])

    def _kill(self) -> None:
        os.kill(int(self.what), signal.SIGUSR1)

    def _handed(self) -> Iterator[Record]:
        for pid in map(int, self.what.split()):
            held = handles.pidfd(pid)
            yield Fact(str(pid), str(held is not None))
            if held is not None:
                signal.pidfd_send_signal(held, signal.SIGUSR1)

    def _open(self) -> None:
        signal.pidfd_send_signal(os.pidfd_open(int(self.what)), signal.SIGUSR1)

    def _swap(self) -> None:
        granted, other = map(int, self.what.split())
        held = handles.pidfd(granted)
        assert held is not None
        descriptor = os.open(f"/proc/{other}", os.O_RDONLY)
        os.dup2(descriptor, held)
        signal.pidfd_send_signal(held, signal.SIGUSR1)

    def _nice(self) -> None:
        os.setpriority(os.PRIO_PROCESS, int(self.what), 7)

    def _cores(self) -> None:
        os.sched_setaffinity(int(self.what), {0})

    def _run(self) -> None:
        os.execv("/bin/true", ["true"])

    def _die(self) -> Iterator[Record]:
        yield Fact("before", "it died")
        os.kill(os.getpid(), signal.SIGKILL)

    def _exit(self) -> None:
        os._exit(0)

    def _forbidden(self) -> None:
        raise ZeroDivisionError("a defect")

    def _tell(self) -> Iterator[Record]:
        handles.progress(1, 3)
        yield Fact("told", "once")

    def _forever(self) -> Iterator[Record]:
        number = 0
        while True:
            number += 1
            yield Fact("number", str(number))

    def _many(self) -> Iterator[Record]:
        for number in range(5000):
            yield Fact("number", str(number))

    def _nothing(self) -> None:
        return


def step(do: str, what: object = "", *kinds: tuple[str, object]) -> Probing:
    """A step of the tests."""
    return Probing(do, str(what), tuple((k, str(t)) for k, t in kinds) or (("sys.read", "*"),))


def ended(pid: int) -> bool:
    """Whether a process of ours has been ended by a signal, or is none of ours and gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


# --- messages


def test_done_in_order(zygote: Zygote, home: Path) -> None:
    messages = run_steps(zygote, step("write", home / "a", ("fs.write", home / "a")), step("write", home / "b", ("fs.write", home / "b")))
    assert [(m["type"], m["step"]) for m in messages] == [("start", 0), ("done", 0), ("start", 1), ("done", 1)]
    assert (home / "b").read_text() == "new"


def test_records_are_batched_and_all_there(zygote: Zygote) -> None:
    messages = run_steps(zygote, step("many"))
    batches = [m["records"] for m in messages if m["type"] == "records"]
    assert [r["value"] for b in batches for r in b] == [str(n) for n in range(5000)]
    assert len(batches) < 500
    assert last_of(messages)["type"] == "done"


def test_names_that_are_not_text_travel(zygote: Zygote, home: Path) -> None:
    odd = os.fsdecode(os.fsencode(home) + b"/\xff\n\x1b[31m")
    assert last_of(run_steps(zygote, step("write", odd, ("fs.write", odd))))["type"] == "done"
    assert os.path.exists(odd)


def test_progress(zygote: Zygote) -> None:
    assert {"type": "progress", "step": 0, "done": 1, "total": 3} in run_steps(zygote, step("tell"))


def test_after_a_failure_nothing_more_is_run(zygote: Zygote, home: Path) -> None:
    messages = run_steps(zygote, step("stale"), step("write", home / "a", ("fs.write", home / "a")))
    assert last_of(messages, 0)["error"]["code"] == "world.not-found"
    assert last_of(messages, 1)["error"]["code"] == "step.skipped"
    assert not (home / "a").exists()


def test_a_defect_is_reported_as_one(zygote: Zygote) -> None:
    assert last_of(run_steps(zygote, step("forbidden")))["error"]["code"] == "internal.error"


def test_an_unknown_step_fails(zygote: Zygote) -> None:
    job = {"steps": [{"step": "NoSuchStep"}], "grant": Grant.of([]).as_data(), "cwd": "/", "env": {}}
    assert last_of(list(zygote.run(job)))["type"] == "failed"


def test_one_zygote_runs_several_jobs_at_once(zygote: Zygote) -> None:
    one, two = (zygote.run({"steps": [step("many").as_data()], "grant": Grant.of([]).as_data(), "cwd": "/", "env": {}}) for _ in range(2))
    assert next(one)["type"] == next(two)["type"] == "start"
    assert last_of(list(one))["type"] == last_of(list(two))["type"] == "done"


# --- what a typed step cannot do


def test_writing_outside_is_denied(zygote: Zygote, home: Path, tmp_path: Path) -> None:
    (home / "in").mkdir()
    for outside in (tmp_path / "x", home / "x", home / "in" / ".." / "x"):
        last = last_of(run_steps(zygote, step("write", outside, ("fs.write", home / "in" / "x"))))
        assert (last["type"], last["error"]["code"]) == ("denied", "guard.denied"), last
        assert not outside.exists()
    assert last_of(run_steps(zygote, step("write", home / "in" / "x", ("fs.write", home / "in" / "x"))))["type"] == "done"


@pytest.mark.parametrize("do", ["write", "move", "run", "kill", "nice", "open"])
def test_a_reading_step_changes_nothing(zygote: Zygote, home: Path, victim: int, do: str) -> None:
    (home / "file").write_text("old")
    what = home / "file" if do in ("write", "move") else victim
    last = last_of(run_steps(zygote, step(do, what, ("fs.read", home))))
    assert (last["type"], last["error"]["code"]) == ("denied", "guard.denied"), last
    assert (home / "file").read_text() == "old"
    assert not ended(victim)


def test_reading_outside_is_denied(zygote: Zygote, home: Path) -> None:
    for name in ("in", "out"):
        (home / name).mkdir()
        (home / name / "file").write_text(name)
    assert last_of(run_steps(zygote, step("read", home / "out" / "file", ("fs.read", home / "in"))))["type"] == "denied"
    assert last_of(run_steps(zygote, step("read", home / "in" / "file", ("fs.read", home / "in"))))["type"] == "done"


def test_secrets_below_what_is_read_stay_secret(zygote: Zygote, home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id").write_text("KEY")
    (home / ".config" / "gcloud").mkdir(parents=True)
    (home / ".config" / "gcloud" / "token").write_text("KEY")
    (home / ".config" / "app").write_text("plain")
    (home / "link").symlink_to(home / ".ssh" / "id")
    for secret in (".ssh/id", ".config/gcloud/token", "link"):
        last = last_of(run_steps(zygote, step("read", home / secret, ("fs.read", home))))
        assert (last["type"], last["error"]["code"]) == ("denied", "guard.denied"), secret
    assert last_of(run_steps(zygote, step("read", home / ".config" / "app", ("fs.read", home))))["type"] == "done"


def test_ordinary_permissions_are_no_denial(home: Path) -> None:
    (home / "closed").write_text("x")
    (home / "closed").chmod(0)
    if os.geteuid() == 0:
        give_to_nobody(home)

    def run() -> dict:
        zygote = Zygote.start()
        try:
            return last_of(run_steps(zygote, step("read", home / "closed", ("fs.read", home))))
        finally:
            zygote.close()

    last = in_child(run, user=NOBODY if os.geteuid() == 0 else None).value
    assert (last["type"], last["error"]["code"]) == ("failed", "world.not-possible")


def test_a_folder_in_the_way_is_no_denial(zygote: Zygote, home: Path) -> None:
    (home / "folder").mkdir()
    last = last_of(run_steps(zygote, step("write", home / "folder", ("fs.write", home / "folder"))))
    assert (last["type"], last["error"]["code"]) == ("failed", "world.not-possible")


# --- processes


def test_only_granted_processes_are_signalled(zygote: Zygote, victim: int) -> None:
    bystander = os.fork()
    if bystander == 0:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        while True:
            signal.pause()
    try:
        granted = (("proc.signal", str(victim)), ("fs.read", "/proc"))
        for do, what in (("kill", bystander), ("open", bystander), ("swap", f"{victim} {bystander}"), ("kill", victim)):
            last = last_of(run_steps(zygote, step(do, what, *granted)))
            assert (last["type"], last["error"]["code"]) == ("denied", "guard.denied"), (do, last)
        assert not ended(bystander)
        assert not ended(victim)
        messages = run_steps(zygote, step("handed", f"{bystander} {victim}", *granted))
        assert [r["value"] for m in messages if m["type"] == "records" for r in m["records"]] == ["False", "True"]
        assert eventually(lambda: ended(victim))
        assert not ended(bystander)
    finally:
        os.kill(bystander, signal.SIGKILL)
        os.waitpid(bystander, 0)


def test_a_number_that_another_process_has_now_is_not_handed(zygote: Zygote, victim: int) -> None:
    """The grant was made for a process that started at another time."""
    grant = Grant.of([Effect("proc.signal", str(victim))]).as_data()
    grant["processes"] = [[victim, grant["processes"][0][1] + 1, "signal"]]
    job = {"steps": [step("handed", victim).as_data()], "grant": grant, "cwd": "/", "env": {}}
    messages = list(zygote.run(job))
    assert [r["value"] for m in messages if m["type"] == "records" for r in m["records"]] == ["False"]
    assert not ended(victim)


@pytest.mark.parametrize("do", ["nice", "cores"])
def test_only_granted_processes_are_tuned(zygote: Zygote, victim: int, do: str) -> None:
    before = os.getpriority(os.PRIO_PROCESS, victim), os.sched_getaffinity(victim)
    last = last_of(run_steps(zygote, step(do, victim, ("proc.tune", os.getpid()))))
    assert (last["type"], last["error"]["code"]) == ("denied", "guard.denied")
    assert (os.getpriority(os.PRIO_PROCESS, victim), os.sched_getaffinity(victim)) == before
    assert last_of(run_steps(zygote, step(do, victim, ("proc.tune", victim))))["type"] == "done"
    assert (os.getpriority(os.PRIO_PROCESS, victim), os.sched_getaffinity(victim)) == ((7, before[1]) if do == "nice" else (before[0], {0}))
    # What tunes does not signal.
    assert last_of(run_steps(zygote, step("handed", victim, ("proc.tune", victim))))["type"] == "denied"
    assert not ended(victim)


# --- raw commands


def output(zygote: Zygote, command: Step, home: Path) -> tuple[dict, str]:
    """Run a command with its output in a file; return its last message and the output."""
    out = os.open(home / "output", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        messages = run_steps(zygote, command, stdio=(0, out, out))
        return last_of(messages), os.pread(out, 65536, 0).decode()
    finally:
        os.close(out)


def test_a_reading_command(zygote: Zygote, home: Path) -> None:
    (home / "file").write_text("hello\n")
    last, text = output(zygote, ReadCommand("cat file | tr a-z A-Z 2>/dev/null; touch other; echo more >> file; rm -f file", str(home)), home)
    assert text.startswith("HELLO\n")
    assert text.count("denied") + text.count("ermitted") + text.count("Read-only") == 3
    assert (home / "file").read_text() == "hello\n"
    assert not (home / "other").exists()
    assert last["error"]["code"] == "command.exit"
    assert last["status"] == 1


def test_a_changing_command(zygote: Zygote, home: Path) -> None:
    folder = home / "project"
    folder.mkdir()
    last, text = output(zygote, RunCommand("mkdir -p a/b && echo x > a/b/c && mv a/b/c d && cp -p d e && rm -r a && chmod 600 e && ls", str(folder)), home)
    assert (last["type"], last["status"], text) == ("done", 0, "d\ne\n")
    last, text = output(zygote, RunCommand("echo x > ../outside", str(folder)), home)
    assert last["status"] != 0
    assert not (home / "outside").exists()


@pytest.mark.parametrize(("command", "status"), [("exit 3", 3), ("kill -9 $$", 137), ("no-such-command-here", 127), ("true", 0)])
def test_exit_statuses(zygote: Zygote, home: Path, command: str, status: int) -> None:
    messages = run_steps(zygote, ReadCommand(command, str(home)))
    last = last_of(messages)
    assert last["status"] == status
    assert (last["type"], last.get("error", {}).get("code")) == (("failed", "command.exit") if status else ("done", None))
    assert {"record": "Exit", "status": status} in [r for m in messages if m["type"] == "records" for r in m["records"]]


def test_a_command_has_default_signals_and_our_terminal(zygote: Zygote, home: Path) -> None:
    _, text = output(zygote, ReadCommand("grep -E 'SigIgn|SigBlk' /proc/self/status; ps -o pgid= -o sid= -p $$", str(home)), home)
    assert "SigBlk:\t0000000000000000" in text
    # glibc keeps 32 and 33 for itself, and hands on what it found.
    assert re.search(r"SigIgn:\t(\w+)", text)[1] in ("0000000000000000", "0000000180000000")
    assert text.split()[-2:] == [str(os.getpgid(0)), str(os.getsid(0))]


def test_nothing_outlives_its_step(zygote: Zygote, home: Path) -> None:
    last, text = output(zygote, ReadCommand("sleep 1000 & echo $!; (setsid sleep 1000 & echo $!; wait) >&2 & echo $!", str(home)), home)
    assert last["type"] == "done"
    pids = [int(p) for p in text.split()]
    assert len(pids) >= 2
    assert all(ended(p) for p in pids)


def test_a_command_gets_the_environment_but_no_shell_start(zygote: Zygote, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_OWN", "x")
    monkeypatch.setenv("BASH_ENV", str(home / "evil"))
    _, text = output(zygote, ReadCommand("echo $MY_OWN-$BASH_ENV-", str(home)), home)
    assert text == "x--\n"
    records = [r["name"] for m in run_steps(zygote, step("environment")) if m["type"] == "records" for r in m["records"]]
    assert "HOME" in records
    assert "MY_OWN" not in records


def test_no_descriptor_leaks_into_a_command(zygote: Zygote, home: Path) -> None:
    with open(home / "open", "w") as kept:
        os.set_inheritable(kept.fileno(), True)
        fresh = Zygote.start()
        _, text = output(fresh, ReadCommand("ls /proc/self/fd", str(home)), home)
        fresh.close()
    assert text.split() == ["0", "1", "2", "3"]  # the last is ls's own


# --- endings


def job_of(*steps: Step) -> dict:
    """A job of these steps."""
    grant = Grant.of([e for s in steps for e in s.effects()])
    return {"steps": [s.as_data() for s in steps], "grant": grant.as_data(), "cwd": os.getcwd(), "env": dict(os.environ)}


def test_a_worker_that_dies_still_answers_for_every_step(zygote: Zygote) -> None:
    messages = run_steps(zygote, step("nothing"), step("exit"), step("nothing"))
    assert [last_of(messages, n)["type"] for n in range(3)] == ["done", "failed", "failed"]
    assert last_of(messages, 1)["error"]["code"] == "worker.lost"
    assert last_of(messages, 2)["error"]["code"] == "step.skipped"


def test_a_worker_killed_in_mid_job_still_answers_for_every_step(zygote: Zygote) -> None:
    running = zygote.run(job_of(step("forever"), step("nothing")))
    messages = [next(running), next(running)]
    worker = next(pid for s in children(zygote.pid) for pid in children(s))
    os.kill(worker, signal.SIGKILL)
    messages += list(running)
    assert last_of(messages, 0)["error"]["code"] == "worker.lost"
    assert "SIGKILL" in last_of(messages, 0)["error"]["message"]
    assert last_of(messages, 1)["error"]["code"] == "step.skipped"


def test_a_zygote_that_dies_still_answers_for_every_step(home: Path) -> None:
    zygote = Zygote.start()
    os.kill(zygote.pid, signal.SIGKILL)
    os.waitpid(zygote.pid, 0)
    messages = run_steps(zygote, step("nothing"), step("nothing"))
    assert [last_of(messages, n)["error"]["code"] for n in range(2)] == ["worker.lost", "step.skipped"]
    zygote.close()


def test_cancelling_stops_between_steps(zygote: Zygote, home: Path) -> None:
    running = zygote.run(job_of(step("forever"), step("write", home / "x", ("fs.write", home / "x"))))
    messages = [next(running), next(running)]
    zygote.cancel()
    messages += list(running)
    assert [last_of(messages, n)["error"]["code"] for n in range(2)] == ["step.cancelled", "step.cancelled"]
    assert not (home / "x").exists()


def test_cancelling_interrupts_a_command(zygote: Zygote, home: Path) -> None:
    out = os.open(home / "out", os.O_RDWR | os.O_CREAT)
    running = zygote.run(job_of(ReadCommand("trap 'exit 42' INT; echo ready; while :; do sleep 0.1; done", str(home))), (0, out, out))
    messages = [next(running)]
    assert eventually(lambda: os.pread(out, 10, 0) == b"ready\n")
    zygote.cancel()
    messages += list(running)
    os.close(out)
    # It was interrupted, not killed: it could still tidy up and say how it ended.
    assert (last_of(messages)["error"]["code"], last_of(messages)["status"]) == ("command.exit", 42)


def test_a_command_that_is_interrupted_before_it_is_there_is_ended_all_the_same(zygote: Zygote, home: Path) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for _ in range(3):
        running = zygote.run(job_of(ReadCommand("exec sleep 600", str(home))), (null, null, null))
        messages = [next(running)]
        zygote.cancel()  # the step has begun: its command has hardly
        messages += list(running)
        assert last_of(messages)["error"]["code"] in ("command.exit", "step.cancelled")
    os.close(null)


def test_closing_kills_the_worker(zygote: Zygote) -> None:
    running = zygote.run(job_of(step("forever")))
    next(running)
    worker = next(pid for s in children(zygote.pid) for pid in children(s))
    running.close()
    assert ended(worker)


def test_the_client_s_death_ends_everything(home: Path) -> None:
    reader, writer = os.pipe()
    client = os.fork()
    if client == 0:
        zygote = Zygote.start()
        running = zygote.run(job_of(ReadCommand("echo $$; sleep 1000; echo", str(home))), (0, writer, writer))
        next(running)
        signal.pause()
        os._exit(0)
    os.close(writer)
    shell = int(os.read(reader, 100))
    everybody = family(client)
    assert shell in everybody
    os.kill(client, signal.SIGKILL)
    os.waitpid(client, 0)
    assert os.read(reader, 1) == b""  # everyone who could write has gone
    os.close(reader)
    assert eventually(lambda: all(map(ended, everybody)))


# --- refusing to run unenforced


@pytest.mark.parametrize(("abi", "there", "change", "wanted"), [
    (0, True, True, "guard.not-enforced"),
    (0, False, True, "guard.not-enforced"),
    (None, False, True, "guard.not-enforced"),
    (None, False, False, "guard.not-enforced"),
    (0, True, False, None),
    (1, True, True, None),
    (3, True, True, None),
    (5, True, True, None),
    (None, True, True, None),
])  # fmt: skip
def test_not_run_unenforced(home: Path, monkeypatch: pytest.MonkeyPatch, abi: int | None, there: bool, change: bool, wanted: str | None) -> None:
    monkeypatch.setattr(landlock, "ceiling", abi)
    monkeypatch.setattr(seccomp, "available", there)
    zygote = Zygote.start()
    try:
        (home / "old").write_text("old")
        one = step("write", home / "x", ("fs.write", home / "x")) if change else step("read", home / "old", ("fs.read", home))
        last = last_of(run_steps(zygote, one))
    finally:
        zygote.close()
    assert last["type"] == ("denied" if wanted else "done"), last
    assert last.get("error", {}).get("code") == wanted
    assert (home / "x").exists() == (change and not wanted)


def test_a_port_cannot_be_held_on_an_old_kernel(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "ceiling", 3)
    zygote = Zygote.start()
    assert last_of(run_steps(zygote, step("nothing", "", ("net.connect", "localhost:80"))))["error"]["code"] == "guard.not-enforced"
    zygote.close()


GOES_ON = """
import ctypes, os, sys, threading, time
def work():
    while True:
        with open(sys.argv[1], "a") as file: file.write(".")
        time.sleep(0.005)
threading.Thread(target=work).start()
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)
"""


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="exit has another number here")
@pytest.mark.parametrize("by", ["pause", "relay"])
def test_a_program_whose_first_thread_has_ended_stands_still_too(home: Path, by: str) -> None:
    def count() -> int:
        return (home / "n").stat().st_size if (home / "n").exists() else 0

    with subprocess.Popen([sys.executable, "-I", "-c", GOES_ON, str(home / "n")]) as program:
        try:
            eventually(lambda: count() and Path(f"/proc/{program.pid}/stat").read_text().rpartition(") ")[2][0] == "Z")
            held = Pause(os.getpid()) if by == "pause" else Relay.__new__(Relay)
            if isinstance(held, Pause):
                held.begin()
            else:
                held._stopped, held._shown = [], None
                held._hold(os.getpid())
            threads = os.listdir(f"/proc/{program.pid}/task")
            assert eventually(lambda: all(Path(f"/proc/{program.pid}/task/{t}/stat").read_text().rpartition(") ")[2][0] in "TZ" for t in threads))
            held.end() if isinstance(held, Pause) else held._release()
            before = count()
            assert eventually(lambda: count() > before)
        finally:
            program.kill()


def test_what_is_stopped_and_let_go_on_without_end_is_not_listened_to_without_end() -> None:
    group = Group(front=False)
    told = iter(lambda: group.heard({"type": "continued"}), True)
    assert 0 < sum(1 for _ in zip(told, range(100_000), strict=False)) < 100_000
    group.close()


def test_what_has_lost_its_parent_stands_still_too(zygote: Zygote, home: Path) -> None:
    def sleeps() -> list[str]:
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and (entry / "cmdline").read_bytes() == f"sleep\0{unique}\0".encode():
                    found.append((entry / "stat").read_text().rpartition(") ")[2][0])
        return found

    (home / "work").mkdir()
    unique = f"6{os.getpid()}"
    command = RunCommand(f"(sleep {unique} &); ps >/dev/null; sleep 60", str(home / "work"))  # it sees all processes, so it has no init of its own
    null = os.open(os.devnull, os.O_RDWR)
    group = Group((null, null, null), front=False)
    messages = zygote.run(job_of(command), stdio=group.stdio, group=group)
    try:
        assert eventually(lambda: next(messages) is not None and sleeps() == ["S"])
        group.hold()
        assert sleeps() == ["T"]
        group.release()
        assert eventually(lambda: sleeps() == ["S"])
    finally:
        messages.close()
        group.close()
        os.close(null)
    assert eventually(lambda: not sleeps())


def test_a_supervisor_that_waits_for_room_is_heard_and_one_that_does_not_answer_ends_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    group, (ours, theirs), (reader, writer) = Group(front=False), socket.socketpair(), os.pipe()
    group.attach(ours, reader)
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"." * 4096)
    os.set_blocking(writer, True)

    def supervisor() -> None:
        os.write(writer, b"a question\n")
        theirs.send(theirs.recv(1))

    thread = threading.Thread(target=supervisor, daemon=True)
    thread.start()
    group.hold()
    thread.join(10)
    assert not thread.is_alive()
    told = b""
    while not told.endswith(b"a question\n"):
        told += group.read()
    monkeypatch.setattr(group_module, "_DONE_WITHIN_S", 0.05)
    group.release()
    assert theirs.recv(2) == b"r" and theirs.recv(1) == b""
    group.close()
    for end in (ours, theirs):
        end.close()
    os.close(reader)
    os.close(writer)
