"""Looking into processes, waiting for them, their priority at the disk, and starting programs that go on: real processes of this test's own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nlsh.guard.grant import Grant
from nlsh.guard.policy import load
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.journal.audit import Audit
from nlsh.journal.store import Journal
from nlsh.kernel.kernel import Kernel
from nlsh.kernel.outcome import Outcome
from nlsh.plan import registry
from nlsh.plan.errors import Denied, NlshError, NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.records import Note, Record, record_from_data
from nlsh.plan.records.process import Started
from nlsh.plan.steps import Step, step_from_data
from nlsh.steps.start import EndStarted, RestartProgram, StartProgram
from nlsh.world import World, io_priority, process_facts, processes

NAME = f"nlshm{os.getpid()}"
IDLE = "import sys\nprint('ready', flush=True)\nsys.stdin.read()\n"


def steps_of(text: str) -> list[Step]:
    """Return the steps of a plan of one call, as a worker gets them: through JSON."""
    (call,) = registry.parse(text).calls
    action = registry.get(call.action)
    args = action.Args.bind(call.action, call.args)
    steps = list(action.steps(args, json.loads(json.dumps(action.look(args, World())))))
    assert {e.kind for s in steps for e in s.effects()} <= set(action.effects)
    return [step_from_data(json.loads(json.dumps(s.as_data()))) for s in steps]


def look(text: str) -> list[Record]:
    (step,) = steps_of(text)
    found = step.apply()
    assert found is not None
    return [r for r in (record_from_data(json.loads(json.dumps(r.as_data()))) for r in found) if not isinstance(r, Note)]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python script of this test's own under a name nobody else has; all are ended afterwards."""
    started: list[subprocess.Popen[str]] = []
    (tmp_path / NAME).symlink_to(os.path.realpath(sys.executable))

    def one(script: str = IDLE, *args: str, **more: object) -> subprocess.Popen[str]:
        command = [str(tmp_path / NAME), "-I", "-S", "-c", script, *args]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)  # type: ignore[call-overload]
        started.append(process)
        assert process.stdout is not None and process.stdout.readline()
        return process

    yield one
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def theirs() -> Iterator[subprocess.Popen[bytes]]:
    """A process of another user, who has no others."""
    with subprocess.Popen(["/bin/sleep", "600"], user=65533, cwd="/") as process:
        yield process
        process.kill()


@pytest.fixture
def zygote(home: Path) -> Iterator[Zygote]:
    server = Zygote.start()
    yield server
    server.close()


@pytest.fixture
def kernel(home: Path, zygote: Zygote) -> Iterator[Kernel]:
    """A kernel that stands in a project folder below the home."""
    (home / "work").mkdir()
    os.chdir(home / "work")
    journal = Journal()
    yield Kernel(load(), zygote, journal, Audit(), World(), approve=lambda preview, decision: True)
    # What a test has left running.
    for run in journal.recent(50):
        for step in journal.steps(run.id):
            if isinstance(step.step, (StartProgram, RestartProgram)):
                for left in process_facts.started_with(step.step.token, step.step.log):
                    os.kill(left.pid, signal.SIGKILL)
    journal.close()


def run(kernel: Kernel, text: str) -> Outcome:
    return kernel.run(kernel.preview(registry.parse(text), text))


def started(outcome: Outcome) -> Started:
    assert outcome.status == "done", outcome.errors
    (found,) = (r for r in outcome.records if isinstance(r, Started))
    return found


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    found = processes.read(pid)
    return found is not None and found.state not in "ZX"


# --- looking ---


def test_the_tree_shows_children_below_their_parent(child: Callable[..., subprocess.Popen[str]]) -> None:
    code = "import subprocess,sys\np=subprocess.Popen([sys.executable,'-c','import sys;sys.stdin.read()'],stdin=subprocess.PIPE)\nprint(p.pid,flush=True)\n"
    parent = child(code + "sys.stdin.read()")
    top, below = look(f'process.tree(name="{NAME}")')
    assert (top.pid, top.depth, top.tree) == (parent.pid, 0, NAME)  # type: ignore[attr-defined]
    assert (below.parent, below.depth) == (parent.pid, 1) and below.tree.startswith("└─ ")  # type: ignore[attr-defined]
    whole = {r.pid: r for r in look("process.tree()")}  # type: ignore[attr-defined]
    assert whole[below.pid].depth == whole[parent.pid].depth + 1  # type: ignore[attr-defined]


def test_info_says_what_a_process_is_and_uses(child: Callable[..., subprocess.Popen[str]], home: Path) -> None:
    process = child("import socket,sys\ns=socket.create_server(('127.0.0.1',0))\nprint(s.getsockname()[1],flush=True)\nsys.stdin.read()", cwd=home)
    (found,) = look(f'process.info(pid="{process.pid}")')
    assert found.name == NAME and found.folder == str(home) and found.program == os.path.realpath(sys.executable)  # type: ignore[attr-defined]
    assert found.parent == os.getpid() and found.threads == 1 and found.memory_bytes > 0 and found.files >= 4  # type: ignore[attr-defined]
    assert found.ports.endswith("/tcp") and 0 <= found.running_seconds < 120 and found.cores  # type: ignore[attr-defined]


def test_open_files_with_names_that_are_no_text(child: Callable[..., subprocess.Popen[str]], home: Path) -> None:
    strange = os.fsencode(home) + b"/new\nline \xff"
    with open(strange, "wb") as file:
        file.write(b"12345")
    process = child("import os,sys\nf=open(os.fsencode(sys.argv[1]),'rb+')\nprint('ready',flush=True)\nsys.stdin.read()", os.fsdecode(strange), cwd=home)
    held = {f.path: f for f in look(f'process.files(pid="{process.pid}")')}  # type: ignore[attr-defined]
    assert held[os.fsdecode(strange)].access == "read and write" and held[os.fsdecode(strange)].size_bytes == 5  # type: ignore[attr-defined]
    assert held[str(home)].kind == "working folder"  # type: ignore[attr-defined]
    assert any(f.kind == "pipe" and f.descriptor == 0 for f in held.values())  # type: ignore[attr-defined]


def test_values_that_look_like_secrets_are_kept_back(child: Callable[..., subprocess.Popen[str]]) -> None:
    secret = "f00-not-to-be-seen"
    hidden = ("API_TOKEN", "AWS_SECRET_ACCESS_KEY", "db_password", "MY_KEY", "PGPASSWORD", "SESSION_COOKIE")
    env = {**dict.fromkeys(hidden, secret), "DATABASE_URL": f"postgres://me:{secret}@host/db", "PLAIN": "a=b", "SSH_AUTH_SOCK": "/run/agent"}
    process = child(IDLE, env=env)
    found = {v.name: v for v in look(f'process.environment(pid="{process.pid}")')}  # type: ignore[attr-defined]
    assert all(found[n].value == "…" and found[n].masked for n in hidden)  # type: ignore[attr-defined]
    assert found["PLAIN"].value == "a=b" and found["SSH_AUTH_SOCK"].value == "/run/agent"  # type: ignore[attr-defined]
    assert found["DATABASE_URL"].value == "postgres://me:…@host/db"  # type: ignore[attr-defined]
    assert secret not in json.dumps([v.as_data() for v in found.values()])


def test_limits_and_count(child: Callable[..., subprocess.Popen[str]]) -> None:
    process = child("import resource,sys\nresource.setrlimit(resource.RLIMIT_NOFILE,(64,128))\nprint('ready',flush=True)\nsys.stdin.read()")
    found = {r.name: (r.soft, r.hard, r.unit) for r in look(f'process.limits(name="{NAME}")')}  # type: ignore[attr-defined]
    assert found["open files"] == (64, 128, "files") and found["cpu time"][:2] == (None, None)
    child()
    assert [t.count for t in look(f'process.count(name="{NAME}")')] == [2]  # type: ignore[attr-defined]
    (mine,) = look('process.count(user="me")')
    assert mine.count >= 2 and process.poll() is None  # type: ignore[attr-defined]
    assert [t.count for t in look('process.count(name="nlsh-absent")')] == [0]  # type: ignore[attr-defined]
    # Where none has the name, those that contain it are counted, as process.find finds them; what they are is said.
    (tally,) = look(f'process.count(name="{NAME[:-1]}")')
    assert tally.count == 2 == len(look(f'process.find(name="{NAME[:-1]}")'))  # type: ignore[attr-defined]
    assert f"with {NAME[:-1]} in their name ({NAME})" in tally.of  # type: ignore[attr-defined]


@pytest.mark.parametrize("what", ["info", "files", "environment", "limits"])
def test_one_that_ends_between_preview_and_run_is_said(what: str, child: Callable[..., subprocess.Popen[str]]) -> None:
    process = child()
    (step,) = steps_of(f'process.{what}(pid="{process.pid}")')
    process.kill()
    process.wait()
    with pytest.raises(NotFound, match="has ended"):
        list(step.apply() or ())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_what_only_its_owner_may_see_is_refused_in_words(child: Callable[..., subprocess.Popen[str]]) -> None:
    process = child()
    for what in ("files", "environment"):
        (step,) = steps_of(f'process.{what}(pid="{process.pid}")')
        came = _as_nobody(lambda step=step: list(step.apply()))
        assert came == "world.not-possible"
    assert _as_nobody(lambda: look(f'process.info(pid="{process.pid}")')) == ""


def _as_nobody(function: Callable[[], object]) -> str:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = "test.broken"
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            function()
            code = ""
        except NlshError as error:
            code = error.code
        finally:
            os.write(writer, code.encode())
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with open(reader) as file:
        return file.read()


# --- ending by user, and the oldest ---


def test_all_processes_of_a_user_leave_nlsh_and_the_first_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="no user"):
        steps_of('process.kill(user="nlsh-no-such-user")')
    # The tests run in processes of the same user: these are what nlsh runs in.
    with pytest.raises(Refused):
        steps_of('process.kill(user="me")')
    monkeypatch.setattr(processes, "user_id", lambda written: 4_000_000)
    with pytest.raises(NotFound, match="runs nothing"):
        steps_of('process.kill(user="somebody")')


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_kill_by_user_ends_that_users_and_no_others(child: Callable[..., subprocess.Popen[str]], theirs: subprocess.Popen[bytes]) -> None:
    mine = child()
    steps = steps_of('process.kill(user="65533")')
    assert [s.pid for s in steps] == [theirs.pid] and any(e.kind == "priv.root" for e in steps[0].effects())  # type: ignore[attr-defined]
    for step in steps:
        step.check()
        step.apply()
    assert theirs.wait(10) == -signal.SIGTERM and mine.poll() is None


def test_the_oldest_process_is_never_ended(kernel: Kernel) -> None:
    with pytest.raises(Refused, match=r"first process|kernel|nlsh"):
        kernel.preview(registry.parse('a = process.list(sort="oldest", limit="1"); process.kill(a)'))


# --- the disk ---


def test_priority_at_the_disk_is_set_for_every_thread_and_given_back(child: Callable[..., subprocess.Popen[str]], kernel: Kernel) -> None:
    code = "import sys,threading\nthreading.Thread(target=sys.stdin.read).start()\nprint('ready',flush=True)\n"
    process = child(code)
    threads = processes.threads(process.pid)
    before = [io_priority.get(t) for t in threads]
    for level in ("idle", "low", "high"):
        assert run(kernel, f'process.io_priority(pid="{process.pid}", level="{level}")').status == "done"
        assert {io_priority.words(io_priority.get(t)) for t in threads} == {level}
        assert kernel.preview(registry.parse(f'process.io_priority(pid="{process.pid}", level="{level}")')).calls[0].steps == ()
        assert run(kernel, "history.undo()").status == "done"
        assert [io_priority.get(t) for t in threads] == before


def test_priority_that_somebody_else_has_changed_since_makes_it_stale(child: Callable[..., subprocess.Popen[str]]) -> None:
    process = child()
    (step,) = steps_of(f'process.io_priority(pid="{process.pid}", level="low")')
    (other,) = steps_of(f'process.io_priority(pid="{process.pid}", level="idle")')
    other.apply()
    with pytest.raises(StaleStep, match="idle"):
        step.check()
    assert other.state() == "done"


# --- waiting ---


def test_wait_ends_with_the_process(child: Callable[..., subprocess.Popen[str]], kernel: Kernel) -> None:
    first, second = child(), child()
    preview = kernel.preview(registry.parse(f'process.wait(pid=["{first.pid}", "{second.pid}"])'))
    first.kill()

    def later() -> None:
        first.wait()
        second.kill()

    ender = threading.Thread(target=later)
    ender.start()
    outcome = kernel.run(preview)
    ender.join()
    assert outcome.status == "done" and {r.pid for r in outcome.records} == {first.pid, second.pid}  # type: ignore[attr-defined]


def test_wait_gives_up_after_the_time(child: Callable[..., subprocess.Popen[str]], kernel: Kernel) -> None:
    process = child()
    outcome = run(kernel, f'process.wait(pid="{process.pid}", time="0.2s")')
    assert outcome.status == "failed" and outcome.errors[0].code == "process.still-running" and process.poll() is None


def test_wait_is_stopped_by_the_user_without_harm(child: Callable[..., subprocess.Popen[str]], kernel: Kernel, zygote: Zygote) -> None:
    process = child()
    kernel.on_event = lambda event: event["type"] == "start" and threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)).start()
    outcome = run(kernel, f'process.wait(pid="{process.pid}")')
    assert outcome.status == "cancelled" and not outcome.errors and process.poll() is None


def test_waiting_does_not_use_the_processor(child: Callable[..., subprocess.Popen[str]]) -> None:
    process = child()
    (step,) = steps_of(f'process.wait(pid="{process.pid}", time="0.5s")')
    before = time.process_time()
    with pytest.raises(NlshError):
        list(step.apply() or ())
    assert time.process_time() - before < 0.1


def test_a_worker_that_waits_may_not_signal(child: Callable[..., subprocess.Popen[str]]) -> None:
    process = child()
    (step,) = steps_of(f'process.wait(pid="{process.pid}")')
    grant = Grant.of(step.effects())
    assert [(p, what) for p, _, what in grant.processes] == [(process.pid, "read")]
    assert not grant.changes_files and grant.looks_into_processes


# --- starting ---

SERVER = "#!/bin/sh\necho out; echo err >&2\necho made > made.txt\ntouch ../outside.txt\necho ready\nsleep 600 &\nsleep 600\n"


@pytest.fixture
def server(home: Path) -> Path:
    """A program in the project folder that writes beside itself and above, and stays."""
    (home / "work").mkdir(exist_ok=True)
    file = home / "work" / f"{NAME}.sh"
    file.write_text(SERVER)
    file.chmod(0o755)
    return file


def family(pid: int, sleepers: int) -> list[int]:
    """Wait until that many programs sleep below `pid`; return the ids of all there (a shell may stand between, and has more while it forks)."""
    found: list[int] = []

    def settled() -> bool:
        below = process_facts.below([pid], processes.every())
        found[:] = [p.pid for p in below]
        return [p.name for p in below].count("sleep") == sleepers

    until(settled)
    return found


def test_a_started_program_goes_on_without_its_worker_and_undo_ends_all_of_it(kernel: Kernel, server: Path) -> None:
    found = started(run(kernel, f'process.start("./{server.name}")'))
    log = Path(found.log)
    until(lambda: "ready" in log.read_text())
    assert found.running and is_running(found.pid) and os.getsid(found.pid) == found.pid != os.getsid(0)
    assert "out" in log.read_text() and "err" in log.read_text() and log.stat().st_mode & 0o777 == 0o600
    # Confined as a raw command: in its folder, and nowhere else.
    assert (server.parent / "made.txt").exists() and not (server.parent.parent / "outside.txt").exists()
    status = process_facts.status(found.pid)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    below = family(found.pid, 2)
    undo = run(kernel, "history.undo()")
    assert undo.status == "done", undo.errors
    until(lambda: not any(is_running(p) for p in below))


def test_it_goes_on_when_the_zygote_ends(kernel: Kernel, zygote: Zygote, server: Path) -> None:
    found = started(run(kernel, f'process.start("./{server.name}")'))
    zygote.close()
    until(lambda: "ready" in Path(found.log).read_text())
    assert is_running(found.pid)


def test_undo_of_one_that_has_ended_by_itself_says_so(kernel: Kernel, server: Path) -> None:
    found = started(run(kernel, f'process.start("./{server.name}")'))
    for process in process_facts.below([found.pid], processes.every()):
        os.kill(process.pid, signal.SIGKILL)
    until(lambda: not is_running(found.pid))
    with pytest.raises(Refused, match="ended by itself"):
        kernel.preview(registry.parse("history.undo()"))


def test_one_that_fails_at_once_is_no_success(kernel: Kernel) -> None:
    outcome = run(kernel, 'process.start("nlsh-no-such-program --flag")')
    assert outcome.status == "failed" and "not found" in outcome.errors[0].message and ".log" in outcome.errors[0].hint
    with pytest.raises(NotFound):
        kernel.preview(registry.parse("history.undo()"))


def test_one_that_fails_leaves_nothing_running(kernel: Kernel, home: Path) -> None:
    (home / "work/fail.sh").write_text("echo $$ > pid; sleep 600 & echo $! > child; exit 3\n")
    outcome = run(kernel, 'process.start("sh fail.sh")')
    assert outcome.status == "failed" and outcome.command_status == 3
    assert not is_running(int((home / "work/child").read_text()))


def test_a_raw_command_still_leaves_nothing_running(kernel: Kernel, home: Path) -> None:
    # The control: only a step that says so may leave what it starts.
    # It may have numbers of its own for its processes, so what is left is known by its words.
    outcome = run(kernel, f'shell.run("sleep 600.{os.getpid()} > /dev/null 2>&1 & echo $! > left")')
    assert outcome.status == "done", outcome.errors
    assert (home / "work/left").read_text().strip().isdigit()
    assert not [p for p in processes.every() if f"600.{os.getpid()}" in p.command]


def test_the_log_is_new_and_its_folder_is_not_given(kernel: Kernel, home: Path) -> None:
    (home / "logs").mkdir()
    (home / "logs/kept.txt").write_text("kept")
    text = 'process.start("echo one > ../logs/kept.txt; rm -f ../logs/*; sleep 600", log="../logs/it.log")'
    found = started(run(kernel, text))
    log = home / "logs/it.log"
    assert found.log == str(log)
    # "Permission denied" by Landlock, "Read-only file system" by a view.
    until(lambda: re.search("denied|read-only", log.read_text().lower()))
    assert (home / "logs/kept.txt").read_text() == "kept" and log.exists()
    with pytest.raises(Refused, match="there already"):
        kernel.preview(registry.parse(text))
    with pytest.raises(NotFound, match="no folder"):
        kernel.preview(registry.parse('process.start("sleep 600", log="nowhere/it.log")'))


def test_a_log_that_comes_to_be_there_after_the_preview_is_not_overwritten(kernel: Kernel, home: Path) -> None:
    preview = kernel.preview(registry.parse('process.start("sleep 600", log="it.log")'))
    (home / "work/it.log").write_text("kept")
    outcome = kernel.run(preview)
    assert outcome.status == "failed" and "it.log" in outcome.errors[0].message
    assert (home / "work/it.log").read_text() == "kept"


def test_no_log_among_secrets_or_nlshs_own_files(kernel: Kernel, home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / "work/.nlsh").mkdir()
    for place in ("~/.ssh/authorized_keys", "~/.local/state/nlsh/x.log", ".nlsh/policy.toml"):
        outcome = run(kernel, f'process.start("sleep 600", log="{place}")')
        assert outcome.status == "denied", place
    assert not (home / ".ssh/authorized_keys").exists() and not (home / "work/.nlsh/policy.toml").exists()
    with pytest.raises(Denied):
        Grant.of(StartProgram("true", "true", "/", str(home / ".ssh/x"), "t", False).effects())


def test_the_whole_home_is_not_given_to_a_program(kernel: Kernel, home: Path) -> None:
    os.chdir(home)
    kernel.world = World()
    with pytest.raises(Refused, match="whole home"):
        kernel.preview(registry.parse('process.start("touch x")'))
    found = started(run(kernel, 'process.start("sleep 600")'))
    assert is_running(found.pid)


def test_an_ampersand_and_odd_commands(kernel: Kernel) -> None:
    (call,) = kernel.preview(registry.parse("process.start(\"sleep 600 'a b' & \")")).calls
    assert call.steps[0].command == "sleep 600 'a b'" and call.steps[0].name == "sleep"  # type: ignore[attr-defined]
    (call,) = kernel.preview(registry.parse('process.start("X=1 nohup ./-odd name")')).calls
    assert call.steps[0].name == "-odd" and call.steps[0].changes  # type: ignore[attr-defined]
    with pytest.raises(NlshError, match="command line"):
        kernel.preview(registry.parse('process.start(" & ")'))


def test_what_takes_a_start_back_does_nothing_to_others(home: Path, child: Callable[..., subprocess.Popen[str]]) -> None:
    process = child(IDLE, env={process_facts.TOKEN: "another"})
    back = EndStarted("x", "x", "mine", str(home / "no.log"))
    assert back.resolved() == (back,)
    with pytest.raises(StaleStep):
        back.check()
    # The control: with its own token it is found.
    (step,) = EndStarted("x", "x", "another", str(home / "no.log")).resolved()
    assert step.pid == process.pid  # type: ignore[attr-defined]


# --- restarting ---

ECHO = (
    "import os,sys,signal,time\n"
    "open('starts','a').write(repr((sys.argv[1:], os.getcwd(), os.environ.get('MARK')))+chr(10))\n"
    "print('ready',flush=True)\ntime.sleep(600)\n"
)


def test_restart_keeps_arguments_folder_and_environment(child: Callable[..., subprocess.Popen[str]], kernel: Kernel, home: Path) -> None:
    odd = ["-x", "a b", "new\nline", "'q'", ""]
    process = child(ECHO, *odd, cwd=home / "work", env={"MARK": "kept", "MY_TOKEN": "f00-not-to-be-seen"})
    outcome = run(kernel, f'process.restart(pid="{process.pid}")')
    found = started(outcome)
    assert process.wait(10) == -signal.SIGTERM and found.pid != process.pid
    until(lambda: "ready" in Path(found.log).read_text())
    lines = (home / "work/starts").read_text().splitlines()
    assert lines[0] == lines[1] == repr((odd, str(home / "work"), "kept"))
    assert is_running(found.pid) and process_facts.environment(found.pid)["MY_TOKEN"] == "f00-not-to-be-seen"
    # Nothing of the environment is written down.
    state = home / ".local/state/nlsh"
    assert not any(b"f00-not" in f.read_bytes() for f in state.rglob("*") if f.is_file())
    # It may signal nobody: the leave to end the old process is not the new one's.
    assert process_facts.status(found.pid)["Seccomp"] == "2" and " 512 " in Path(f"/proc/{found.pid}/limits").read_text()
    with pytest.raises(Refused, match="cannot be undone"):
        kernel.preview(registry.parse("history.undo()"))


def test_a_server_gets_its_network_back_and_others_none(child: Callable[..., subprocess.Popen[str]], kernel: Kernel, home: Path) -> None:
    code = "import socket,sys,time\ns=socket.create_server(('127.0.0.1',int(sys.argv[1])))\nprint('ready',flush=True)\ntime.sleep(600)\n"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = child(code, str(port), cwd=home / "work")
    preview = kernel.preview(registry.parse(f'process.restart(pid="{process.pid}")'))
    assert "net.listen" in {e.kind for e in preview.effects} and "net.connect" not in {e.kind for e in preview.effects}
    found = started(kernel.run(preview))
    until(lambda: "ready" in Path(found.log).read_text())
    with socket.create_connection(("127.0.0.1", port)):
        pass
    quiet = child(ECHO, cwd=home / "work")
    assert not {e.kind for e in kernel.preview(registry.parse(f'process.restart(pid="{quiet.pid}")')).effects} & {"net.listen", "net.connect"}


def test_restart_refuses_what_would_not_be_the_same_program(child: Callable[..., subprocess.Popen[str]], kernel: Kernel, home: Path, tmp_path: Path) -> None:
    code = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\nprint('ready',flush=True)\nsys.stdin.read()"
    local = child(code, str(tmp_path / "s"))
    with pytest.raises(NotPossible, match="local socket"):
        kernel.preview(registry.parse(f'process.restart(pid="{local.pid}")'))
    (home / "gone").mkdir()
    lost = child(IDLE, cwd=home / "gone")
    (home / "gone").rmdir()
    with pytest.raises(NotPossible, match="gone"):
        kernel.preview(registry.parse(f'process.restart(pid="{lost.pid}")'))
    disguised = subprocess.Popen(["nlsh-not-a-program", "600"], executable="/bin/sleep")
    try:
        with pytest.raises(NotPossible, match="does not name its program"):
            kernel.preview(registry.parse(f'process.restart(pid="{disguised.pid}")'))
    finally:
        disguised.kill()
        disguised.wait()
    assert local.poll() is None and lost.poll() is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_restart_leaves_other_users_alone(theirs: subprocess.Popen[bytes], kernel: Kernel) -> None:
    with pytest.raises(NotPossible, match="only your own"):
        kernel.preview(registry.parse(f'process.restart(pid="{theirs.pid}")'))
    assert theirs.poll() is None


def test_one_that_does_not_end_is_not_started_twice(
    child: Callable[..., subprocess.Popen[str]], kernel: Kernel, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = child("import signal,time\nsignal.signal(signal.SIGTERM,signal.SIG_IGN)\n" + ECHO, cwd=home / "work")
    outcome = run(kernel, f'process.restart(pid="{deaf.pid}")')
    assert outcome.status == "failed" and outcome.errors[0].code == "process.still-running" and "not started again" in outcome.errors[0].hint
    assert len((home / "work/starts").read_text().splitlines()) == 1 and deaf.poll() is None


def test_what_hangs_is_started_again_by_force(child: Callable[..., subprocess.Popen[str]], kernel: Kernel, home: Path) -> None:
    deaf = child("import os,signal,time\nsignal.signal(signal.SIGTERM,signal.SIG_IGN)\nos.fork() or (os.close(1), time.sleep(600))\n" + ECHO, cwd=home / "work")
    (helper,) = (p for p in process_facts.below([deaf.pid], processes.every()) if p.pid != deaf.pid)
    preview = kernel.preview(registry.parse(f'process.restart(pid="{deaf.pid}", force=true)'))
    assert "and 1 of its helpers at once, with no time to save, and start it again" in preview.calls[0].steps[0].describe()
    assert {e.target for e in preview.effects if e.kind == "proc.signal"} == {str(deaf.pid), str(helper.pid)}
    found = started(kernel.run(preview))
    assert deaf.wait(10) == -signal.SIGKILL and not processes.same(helper.pid, helper.started)
    until(lambda: "ready" in Path(found.log).read_text())
    assert is_running(found.pid)


def test_restart_of_one_that_has_ended_since_is_stale(child: Callable[..., subprocess.Popen[str]], kernel: Kernel, home: Path) -> None:
    process = child(ECHO, cwd=home / "work")
    preview = kernel.preview(registry.parse(f'process.restart(pid="{process.pid}")'))
    process.kill()
    process.wait()
    outcome = kernel.run(preview)
    assert outcome.status == "failed" and outcome.errors[0].code == "step.stale"
    assert len((home / "work/starts").read_text().splitlines()) == 1


def test_of_a_family_the_one_at_the_top_is_started_again(child: Callable[..., subprocess.Popen[str]], kernel: Kernel, home: Path) -> None:
    code = "import os,sys,time\npid=os.fork()\npid and print('ready',flush=True)\ntime.sleep(600)\n"
    parent = child(code, cwd=home / "work")
    (call,) = kernel.preview(registry.parse(f'process.restart(name="{NAME}")')).calls
    assert [s.pid for s in call.steps] == [parent.pid]  # type: ignore[attr-defined]
    for process in process_facts.below([parent.pid], processes.every()):
        os.kill(process.pid, signal.SIGKILL)
