"""nlshd as its user meets it: a real process, a real socket, real models; and what it does not do for anybody."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nlsh.kernel import daemon_wire as wire
from nlsh.settings import load_settings
from tests.journeys.conftest import Run, Start, Terminal, answers, until

SENTENCE = "how full are my disks"
LIMIT_S = 30.0


@pytest.fixture(autouse=True)
def models_only_where_planned_with(request: pytest.FixtureRequest, environment: dict[str, str]) -> None:
    """Loading them takes longer than most of these tests."""
    if "shipped_models" not in request.fixturenames:
        environment["NLSH_PLANNER"] = "/none"


def test_a_sentence_goes_through_it_and_means_the_same(nlsh: Run, start: Start, runtime: Path, shipped_models: None) -> None:
    alone = nlsh("--dry-run", "-c", SENTENCE, NLSH_DAEMON="off")
    start()
    through = nlsh("--dry-run", "-c", SENTENCE)
    assert (through.returncode, through.stdout, through.stderr) == (alone.returncode, alone.stdout, alone.stderr) and alone.stdout
    assert json.loads(nlsh("daemon", "--json").stdout)["planned"] == 1
    made = runtime / "nlsh"
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert [stat.S_IMODE(p.stat().st_mode) for p in made.iterdir()] == [0o600]


def test_it_is_replaced_in_place_and_nobody_is_turned_away(nlsh: Run, start: Start) -> None:
    process = start()
    before = wire.ask({"ask": "status"}, seconds=5)
    waiting = wire.connect(5)  # it connects before, and asks after
    assert nlsh("daemon", "restart").returncode == 0
    after = wire.ask({"ask": "status"}, seconds=5)
    assert after["pid"] == before["pid"] == process.pid and after["started"] > before["started"]
    waiting.close()
    assert process.poll() is None


def test_start_leaves_one_that_outlives_its_starter_and_stop_leaves_nothing(nlsh: Run, start: Start, terminal: Terminal, runtime: Path) -> None:
    # Without a terminal, none is started; with one, for the next sentence.
    nlsh("-c", SENTENCE)
    assert not answers()
    child = terminal("-c", SENTENCE)
    child.expect("the next sentence is planned by a daemon")
    until(answers)
    pid = wire.ask({"ask": "status"}, seconds=5)["pid"]
    # Another one ends at once: there is one for a state folder.
    assert start("--quiet", wait=False).wait(LIMIT_S) == 0
    assert wire.ask({"ask": "status"}, seconds=5)["pid"] == pid
    assert nlsh("daemon", "stop").returncode == 0
    assert list((runtime / "nlsh").iterdir()) == [] and nlsh("daemon", "status").returncode == 1
    # One that nobody needs ends by itself.
    assert start("--idle", "0.2", wait=False).wait(LIMIT_S) == 0
    with pytest.raises(wire.NoDaemon) as error:
        wire.connect(1)
    assert error.value.code == "daemon.absent"


def test_it_runs_nothing_of_the_folder_that_it_is_started_in(nlsh: Run, home: Path, runtime: Path, environment: dict[str, str]) -> None:
    folder, ran = home / "folder", home / "ran"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"import os\nopen({str(ran)!r}, 'a').write(f'{{os.getpid()}} ')\n")
    around = {"PYTHONPATH": f".:{environment['PYTHONPATH']}", "LD_LIBRARY_PATH": str(folder)}
    try:
        for word in ("start", "restart"):
            assert nlsh("daemon", word, cwd=folder, **around).returncode == 0
            process = Path(f"/proc/{wire.ask({'ask': 'status'}, seconds=5)['pid']}")
            assert ran.read_text() and process.name not in ran.read_text().split(), "it runs in the client, which was started so, and not in the daemon"
            given = {entry.partition(b"=")[0] for entry in (process / "environ").read_bytes().split(b"\0")}
            assert {b"HOME", b"XDG_STATE_HOME", b"NLSH_PLANNER"} <= given and not given & {b"PYTHONPATH", b"LD_LIBRARY_PATH"}
            assert os.readlink(process / "cwd") == "/"
    finally:
        nlsh("daemon", "stop")


def test_without_it_everything_works_and_what_is_wrong_is_said(nlsh: Run, start: Start, shipped_models: None) -> None:
    absent = nlsh("--dry-run", "-c", SENTENCE)
    assert absent.returncode == 0 and absent.stdout and "daemon" not in absent.stderr
    process = start()
    other = nlsh("--dry-run", "-c", SENTENCE, NLSH_SURE="0.5")
    assert other.stdout == absent.stdout and "of another version, or plans with other models" in other.stderr and "planned without it" in other.stderr
    assert "daemon" not in nlsh("--dry-run", "-c", SENTENCE).stderr
    process.kill()
    process.wait()
    stale = nlsh("--dry-run", "-c", SENTENCE)
    assert stale.stdout == absent.stdout and "is gone" in stale.stderr


def test_one_that_stands_still_holds_nobody_up(home: Path, start: Start, monkeypatch: pytest.MonkeyPatch, shipped_models: None) -> None:
    from nlsh.planner.answer import Context
    from nlsh.planner.planner import Planner
    from nlsh.settings import load_settings
    from nlsh.shell import warm

    process = start()
    settings = load_settings()
    context = Context(str(home), str(home))
    planner = warm.DaemonPlanner(settings, lambda: Planner(settings))
    until(lambda: wire.ask({"ask": "status"}, seconds=5)["warm"])
    assert planner.plan(SENTENCE, context).kind == "plan" and not planner.notice
    process.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(warm, "LIMIT_S", 0.2)
    assert planner.plan(SENTENCE, context).kind == "plan"
    assert "has not answered" in planner.notice


def test_a_shell_plans_through_it_and_by_itself_when_it_is_killed(terminal: Terminal, nlsh: Run, runtime: Path, shipped_models: None) -> None:
    """One set of models for all shells: what a shell would load is in the daemon, which it starts, and what is typed there is planned before Enter."""

    def loaded(pid: int | None) -> bool:
        return "llama" in Path(f"/proc/{pid}/maps").read_text()

    child = terminal()
    try:
        until(lambda: answers() and wire.ask({"ask": "status"}, seconds=5)["planned"] == 1)
        child.send("how full are my disks")
        until(lambda: wire.ask({"ask": "status"}, seconds=5)["planned"] > 1)
        child.send("\r")
        child.expect_exact("a daemon that keeps the models warm for all shells")
        child.expect("filesystem|device|mount")
        assert not loaded(child.pid)
        # One that has ended, as an idle one does, is there again once something is typed.
        assert nlsh("daemon", "stop").returncode == 0
        child.send("how much memory is free")
        until(lambda: answers() and wire.ask({"ask": "status"}, seconds=5)["warm"])
        child.send("\r")
        child.expect_exact("available")
        pid = wire.ask({"ask": "status"}, seconds=5)["pid"]
        assert loaded(pid) and not loaded(child.pid)
        os.kill(pid, signal.SIGKILL)
        child.send("how much swap is used\r")
        child.expect_exact("The daemon that ran here is gone")
        until(lambda: loaded(child.pid))
    finally:
        nlsh("daemon", "stop")


def test_of_several_clients_who_pressed_enter_goes_first(start: Start, home: Path, shipped_models: None) -> None:
    """Sixteen sentences of a script wait; one of a person, in another session, does not wait behind them."""
    start()
    context = {"cwd": str(home), "home": str(home), "last_action": None, "last_records": [], "recent": []}
    message = {"ask": "plan", "setup": wire.setup_of(load_settings()), "request": SENTENCE, "context": context}
    wire.ask(message, seconds=LIMIT_S)
    asks = [wire.connect(LIMIT_S) for _ in range(12)]
    for connection in asks:
        connection.sendall(json.dumps({**message, "priority": "low"}).encode() + b"\n")
    reply = wire.ask({**message, "priority": "high"}, seconds=LIMIT_S)
    waiting = [c for c in asks if not select.select([c], [], [], 0)[0]]
    assert reply["kind"] == "plan" and len(waiting) > 3, len(waiting)
    # Who has gone is not planned for; the others all get the same.
    for connection in waiting[:3]:
        connection.close()
    left = [c for c in asks if c not in waiting[:3]]
    assert all(json.loads(c.makefile().readline()) == reply for c in left)
    for connection in left:
        connection.close()


def test_models_that_are_let_go_are_gone(home: Path, shipped_models: None) -> None:
    from nlsh.planner.planner import Planner
    from nlsh.shell.warm import Warm

    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count(".gguf")

    before = mapped()
    kept = Warm(lambda: Planner(load_settings()))
    for _ in range(2):
        kept.load()
        assert mapped() > before
        kept.forget()
        assert mapped() == before


def test_it_takes_no_orders_and_is_not_held_up(nlsh: Run, start: Start, runtime: Path) -> None:
    """It is asked what a sentence means. There is nothing to say to it that runs, approves or teaches anything."""
    start()
    for message in ({"ask": "run", "plan": 'file.trash("x")'}, {"ask": "learn", "request": "x"}, {"ask": "stop"}, {"ask": ["plan"]}, {}):
        with pytest.raises(wire.NoDaemon) as error:
            wire.ask(message, seconds=5)
        assert error.value.code == "daemon.unknown"
    for line in (b"[]\n", b"\xff\n", b"[" * 100_000 + b"\n"):
        with wire.connect(5) as connection:
            connection.sendall(line)
            assert connection.recv(1) == b""
    slow = [wire.connect(5) for _ in range(5)]
    for connection in slow:
        connection.send(b"{")
    assert answers() and select.select(slow, [], [], 0)[0] == []
    for connection in slow:
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
    # No plan touches the place of its socket; beside it is not forbidden.
    (runtime / "mine").write_text("x")
    assert nlsh("plan", "-", "--yes", stdin=f'file.trash("{runtime}/nlsh")').returncode == 3
    assert nlsh("plan", "-", "--yes", stdin=f'file.delete("{runtime}/mine")').returncode == 0
    # A folder that is not ours alone is not used.
    assert answers()
    (runtime / "nlsh").chmod(0o755)
    with pytest.raises(wire.NoDaemon) as error:
        wire.connect(1)
    assert error.value.code == "daemon.foreign"


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root to be somebody else")
def test_somebody_else_gets_no_answer_even_where_he_gets_in(start: Start, runtime: Path) -> None:
    start()
    place = runtime / "nlsh" / wire.socket_name()
    (runtime / "nlsh").chmod(0o755)
    place.chmod(0o666)
    code = (
        "import os, socket, sys; os.setuid(int(sys.argv[2])); s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        's.settimeout(20)\ntry: s.sendall(b\'{"ask": "status"}\\n\')\nexcept OSError: pass\n'
        "try: got = s.recv(9)\nexcept ConnectionError: got = b''\nsys.exit(0 if got else 7)"
    )
    for user, status in ((0, 0), (65534, 7)):
        assert subprocess.run([sys.executable, "-c", code, str(place), str(user)], check=False, timeout=LIMIT_S, cwd="/").returncode == status


def test_the_unit_is_one_that_systemd_reads(nlsh: Run, home: Path) -> None:
    assert nlsh("daemon", "install").returncode == 0
    unit = home / ".config/systemd/user/nlshd.service"
    assert 'daemon" "run"' in unit.read_text()
    if verify := shutil.which("systemd-analyze"):
        own = {**os.environ, "XDG_RUNTIME_DIR": str(home)}
        done = subprocess.run([verify, "verify", "--user", str(unit)], capture_output=True, text=True, check=False, timeout=LIMIT_S, env=own)
        assert str(unit) not in done.stderr and "nlshd" not in done.stderr, done.stderr
    assert nlsh("daemon", "uninstall").returncode == 0 and not unit.exists()


def test_there_is_one_for_all_logins_and_one_that_lost_its_socket_is_replaced(nlsh: Run, start: Start, runtime: Path) -> None:
    """A second login, or cron, has another runtime folder; a logout removes the folder with the socket in it."""
    process = start()
    elsewhere = json.loads(nlsh("daemon", "--json", XDG_RUNTIME_DIR="").stdout)
    assert elsewhere["pid"] == process.pid and "runs already" in nlsh("daemon", "start", XDG_RUNTIME_DIR="").stdout
    shutil.rmtree(runtime / "nlsh")
    lost = nlsh("daemon", "status")
    assert lost.returncode == 1 and f"process {process.pid}) cannot be reached" in lost.stdout and "nlsh daemon restart" in lost.stdout
    try:
        assert nlsh("daemon", "start").returncode == 0
        assert process.wait(LIMIT_S) == 0 and answers()
        shutil.rmtree(runtime / "nlsh")
        assert nlsh("daemon", "stop").stdout.startswith("The daemon has stopped.") and "does not run" in nlsh("daemon", "status").stdout
    finally:
        nlsh("daemon", "stop")
