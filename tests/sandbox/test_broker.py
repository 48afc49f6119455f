"""What a raw command wants outside its grant is asked about while it waits: what is agreed to happens, only that, and only to what was shown."""

from __future__ import annotations

import errno
import json
import mmap
import os
import shlex
import signal
import socket
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from nlsh.guard import policy
from nlsh.guard.grant import Grant
from nlsh.guard.sandbox import landlock, notify, relay, seccomp, supervisor, view
from nlsh.guard.sandbox.wants import Refused, Wants, process_of, program_of
from nlsh.guard.sandbox.zygote import Standstill, Zygote, _answer, _Told, about
from nlsh.journal.audit import Audit
from nlsh.journal.store import Journal
from nlsh.kernel.gate import ALWAYS, JOB, MOST_KEPT, NO, ONCE, Gate, Question
from nlsh.kernel.kernel import Kernel
from nlsh.plan import registry
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.shell.asking import gated_lines
from nlsh.steps.command import RunCommand
from nlsh.steps.handles import started_ticks
from nlsh.world import World
from tests.at_work import children
from tests.sandbox.conftest import changing, eventually, in_child, last_of

pytestmark = pytest.mark.skipif(landlock.abi() < 4, reason="below Landlock 4 connections are not asked about")

Answer = str | Callable[[dict[str, Any]], str]


@pytest.fixture(params=["with a view", "without"])
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With namespaces and mounts, and without."""
    if request.param == "without":
        monkeypatch.setattr(view, "forbidden", True)
    elif view.why_not():
        pytest.skip("this machine has no namespaces for workers")
    return request.param


@pytest.fixture
def places(home: Path) -> tuple[Path, Path]:
    """The folder that the command may change, and one that it may not."""
    for name in ("work", "outside"):
        (home / name).mkdir()
    return home / "work", home / "outside"


class Asked:
    """Runs commands in a worker that asks, and keeps the questions."""

    def __init__(self, work: Path) -> None:
        self.zygote = Zygote.start()
        self.work = work
        self.questions: list[dict[str, Any]] = []

    def run(self, command: str, answer: Answer = "no", *, seconds: float = 20.0, hold: bool = False) -> list[dict[str, Any]]:
        """Run `command` and return all messages."""
        self.questions = []

        def ask(message: dict[str, Any], standstill: Standstill) -> str:
            self.questions.append(message["what"])
            if hold:
                assert standstill.begin()
            return answer(message["what"]) if callable(answer) else answer

        step = RunCommand(command, str(self.work))
        job = {"steps": [step.as_data()], "grant": Grant.of(step.effects()).as_data(), "cwd": str(self.work), "env": dict(os.environ), "ask": seconds}
        return list(self.zygote.run(job, ask=ask))

    def python(self, code: str, answer: Answer = "no", **more: Any) -> list[dict[str, Any]]:
        """Run Python in a worker, in place of the shell (not every shell gives way to its last command)."""
        return self.run(f"exec {sys.executable} -I -c {shlex.quote(textwrap.dedent(code))}", answer, **more)


@pytest.fixture
def asked(places: tuple[Path, Path]) -> Iterator[Asked]:
    found = Asked(places[0])
    yield found
    found.zygote.close()


def ok(messages: list[dict[str, Any]]) -> bool:
    return last_of(messages)["type"] == "done"


class Server:
    """Listens, and counts who came."""

    def __init__(self, family: socket.AddressFamily, address: Any) -> None:
        self.socket = socket.socket(family)
        self.socket.bind(address)
        self.socket.listen(64)
        self.came = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.came += 1
            connection.sendall(b"hello")
            connection.close()

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server(socket.AF_INET, ("127.0.0.1", 0))
    yield found
    found.socket.close()


def connect_code(family: str, address: object) -> str:
    return f"""
        import socket
        s = socket.socket(socket.{family})
        s.connect({address!r})
        assert s.recv(5) == b"hello", "another server"
        assert s.getpeername(), "not connected"
    """


# --- connections ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_a_connection_is_made_when_agreed_to_and_only_then(level: str, asked: Asked, family: str) -> None:
    host = "127.0.0.1" if family == "AF_INET" else "::1"
    try:
        server = Server(getattr(socket, family), (host, 0))
    except OSError:
        pytest.skip("there is no IPv6 here")
    code = connect_code(family, (host, server.port))
    assert ok(asked.python(code, "yes"))
    (question,) = asked.questions
    assert (question["kind"], question["host"], question["port"]) == ("connect", host, server.port) and question["program"].startswith("python")
    assert eventually(lambda: server.came == 1)
    assert not ok(asked.python(code, "no")) and len(asked.questions) == 1
    assert server.came == 1
    server.socket.close()


def test_a_socket_with_a_path_is_connected_when_agreed_to_and_only_then(level: str, asked: Asked) -> None:
    path = f"/var/tmp/nlsh-broker-{os.getpid()}.sock"
    server = Server(socket.AF_UNIX, path)
    try:
        assert ok(asked.python(connect_code("AF_UNIX", path), "yes")) and asked.questions[0]["path"] == path
        assert eventually(lambda: server.came == 1)
        assert not ok(asked.python(connect_code("AF_UNIX", path), "no")) and server.came == 1
    finally:
        os.unlink(path)
        server.socket.close()


def test_one_yes_is_for_one_address(asked: Asked, server: Server) -> None:
    other = Server(socket.AF_INET, ("127.0.0.1", 0))
    code = f"""
        import socket
        socket.create_connection(("127.0.0.1", {server.port}))
        s = socket.socket()
        try: s.connect(("127.0.0.1", {other.port}))
        except PermissionError: print("refused")
        else: raise SystemExit(9)
        for call in (lambda: s.listen(), lambda: s.bind(("127.0.0.1", 0)), lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)):
            try: call()
            except PermissionError: continue
            raise SystemExit(8)
    """
    assert ok(asked.python(code, lambda q: "yes" if q["port"] == server.port else "no")) and len(asked.questions) == 2
    assert eventually(lambda: server.came == 1) and other.came == 0
    other.socket.close()


def test_options_and_not_waiting_stay_with_the_new_socket(asked: Asked, server: Server) -> None:
    code = f"""
        import socket, asyncio
        async def go():
            reader, writer = await asyncio.open_connection("127.0.0.1", {server.port})
            assert await reader.read(5) == b"hello"
        asyncio.run(go())
        s = socket.socket(); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1); s.set_inheritable(True)
        s.connect(("127.0.0.1", {server.port}))
        assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) and s.get_inheritable() and s.getblocking()
    """
    assert ok(asked.python(code, "yes")) and len(asked.questions) == 2


def test_other_names_of_an_address_are_asked_about_as_what_they_are(asked: Asked, server: Server) -> None:
    code = f"""
        import socket
        for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::ffff:127.0.0.1")):
            s = socket.socket(family); s.connect((host, {server.port}))
    """
    assert ok(asked.python(code, "yes")) and [q["host"] for q in asked.questions] == ["127.0.0.1", "127.0.0.1"]


def test_no_server_no_address_and_what_is_never_asked(asked: Asked) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        code = f"""
            import socket, errno
            def number(family, address):
                try: socket.socket(family).connect(address)
                except OSError as error: return error.errno
            assert number(socket.AF_INET, ("127.0.0.1", {closed.getsockname()[1]})) == errno.ECONNREFUSED
            assert number(socket.AF_UNIX, "/nowhere/at-all") == errno.ENOENT
            assert number(socket.AF_UNIX, "\\0abstract") == errno.EACCES
        """
        messages = asked.python(code, "yes")
    assert ok(messages) and len(asked.questions) == 1
    assert ["without a path" in m["what"]["why"] for m in messages if m["type"] == "gated"] == [True]


# --- files ----------------------------------------------------------------------------------------------------------

_PREPARED = {"old": "old\n", "folder/": ""}
_CHANGES = {
    "write": ("echo new > {o}/new", lambda o: (o / "new").read_text() == "new\n", "open"),
    "append": ("echo new >> {o}/old", lambda o: (o / "old").read_text() == "old\nnew\n", "open"),
    "truncate": ("> {o}/old", lambda o: (o / "old").read_text() == "", "open"),
    "unlink": ("rm {o}/old", lambda o: not (o / "old").exists(), "unlink"),
    "rmdir": ("rmdir {o}/folder", lambda o: not (o / "folder").exists(), "rmdir"),
    "mkdir": ("mkdir {o}/made", lambda o: (o / "made").is_dir(), "mkdir"),
    "rename": ("mv -n {o}/old {o}/moved", lambda o: (o / "moved").read_text() == "old\n" and not (o / "old").exists(), "rename"),
    "through a link": ("ln -s {o} link && echo new > link/new", lambda o: (o / "new").read_text() == "new\n", "open"),
    "a way around": ("echo new > ../outside/../outside/new", lambda o: (o / "new").read_text() == "new\n", "open"),
}  # fmt: skip


def prepare(outside: Path) -> None:
    (outside / "old").write_text("old\n")
    (outside / "folder").mkdir()


def state(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): "folder" if p.is_dir() else p.read_text() for p in folder.rglob("*")}


@pytest.mark.parametrize("change", _CHANGES)
def test_a_change_outside_is_made_when_agreed_to_and_only_then(level: str, asked: Asked, places: tuple[Path, Path], change: str) -> None:
    work, outside = places
    command, made, kind = _CHANGES[change]
    prepare(outside)
    before = state(outside)
    assert not ok(asked.run(command.format(o=outside), "no")), change
    assert [q["kind"] for q in asked.questions][:1] == [kind] and state(outside) == before
    for left in work.iterdir():
        left.unlink()
    assert ok(asked.run(command.format(o=outside), "yes", hold=True))
    assert [q["kind"] for q in asked.questions] == [kind] and all(q["path"].startswith(f"{outside}/") for q in asked.questions)
    assert made(outside)


def test_inside_nothing_is_asked(level: str, asked: Asked, places: tuple[Path, Path]) -> None:
    work, _ = places
    assert ok(asked.run("mkdir a && echo x > a/b && mv a/b a/c && cat a/c /etc/hostname /dev/null > d; rm -r a && kill -0 $$ && (sleep 9 & kill $!)"))
    assert asked.questions == [] and state(work).keys() == {"d"}


def test_modes_and_the_way_of_opening_are_the_callers(asked: Asked, places: tuple[Path, Path]) -> None:
    outside = places[1]
    code = f"""
        import os, fcntl
        os.umask(0o027)
        fd = os.open("{outside}/a", os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, 0o666)
        assert fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND and fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        os.write(fd, b"x")
        try: os.open("{outside}/link", os.O_WRONLY | os.O_NOFOLLOW)
        except OSError as error: assert error.errno in (40, 13), error
        else: raise SystemExit(7)
    """
    (outside / "target").write_text("t")
    (outside / "link").symlink_to("target")
    assert ok(asked.python(code, "yes"))
    assert (outside / "a").stat().st_mode & 0o777 == 0o640 and (outside / "a").read_text() == "x" and (outside / "target").read_text() == "t"


def test_what_would_fail_anyway_is_not_asked(asked: Asked, places: tuple[Path, Path]) -> None:
    outside = places[1]
    prepare(outside)
    assert not ok(asked.run(f"rm {outside}/none {outside}/folder; mkdir {outside}/folder; mkdir -p {outside}/folder; : > {outside}/folder; false"))
    assert asked.questions == []


# --- signals --------------------------------------------------------------------------------------------------------


def test_a_process_outside_is_signalled_when_agreed_to_and_only_then(places: tuple[Path, Path], victim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if landlock.abi() < 6:
        pytest.skip("below Landlock 6 raw commands send no signals")
    # With a view a command counts its processes by itself: there is no number for one outside.
    monkeypatch.setattr(view, "forbidden", True)
    asked = Asked(places[0])
    try:
        assert not ok(asked.run(f"kill -TERM {victim}", "no")) and asked.questions[0]["target"] == victim
        os.kill(victim, 0)
        assert not ok(asked.run(f"kill -TERM {os.getpid()}", "yes")) and asked.questions == []  # nlsh itself
        assert ok(asked.run(f"kill -TERM {victim}", "yes"))
        assert os.waitstatus_to_exitcode(os.waitpid(victim, 0)[1]) == -signal.SIGTERM
    finally:
        asked.zygote.close()


# --- who answers, and when ------------------------------------------------------------------------------------------


def test_a_late_yes_is_no(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    work, outside = places
    monkeypatch.setattr(relay, "_GRACE_S", 0.0)
    asked = Asked(work)
    try:
        refused = work / "refused"

        def late(question: dict[str, Any]) -> str:
            if question["path"].endswith("late"):
                assert eventually(refused.exists)
            return "yes"

        # The second one is the first one's control: a yes in time, with the late yes on its way before it.
        assert ok(asked.run(f"echo x > {outside}/late || touch refused; echo x > {outside}/timely", late, seconds=0.2))
        assert state(outside) == {"timely": "x\n"}
    finally:
        asked.zygote.close()


def test_end_refuses_what_waits_and_ends_the_command(asked: Asked, places: tuple[Path, Path]) -> None:
    _, outside = places
    command = f"trap '' INT TERM; echo x > {outside}/a; echo x > {outside}/b; sleep 1000"
    messages = asked.run(command, "end")
    assert not ok(messages) and last_of(messages)["status"] == 128 + signal.SIGKILL
    assert len(asked.questions) == 1 and state(outside) == {}


def test_two_that_ask_at_once_are_answered_one_after_the_other(asked: Asked, server: Server, places: tuple[Path, Path]) -> None:
    _, outside = places
    code = f"""
        import os, socket, threading
        came = {{}}
        def connect(number):
            try: came[number] = socket.create_connection(("127.0.0.1", {server.port})).recv(5)
            except OSError as error: came[number] = error.errno
        def write(number):
            try: came[number] = open(f"{outside}/{{number}}", "w").write("x")
            except OSError as error: came[number] = error.errno
        threads = [threading.Thread(target=t, args=(n,)) for n, t in enumerate((connect, write) * 4)]
        pid = os.fork()
        if pid == 0:
            write("child"); os._exit(came["child"] != 1)
        for t in threads: t.start()
        for t in threads: t.join()
        assert [came[n] for n in (0, 2, 4, 6)] == [b"hello"] * 4, came
        assert [came[n] for n in (1, 3, 5, 7)] == [1, 1, 1, 13], came
        assert os.waitpid(pid, 0)[1] == 0
    """
    assert ok(asked.python(code, lambda q: "no" if q.get("path", "").endswith("/7") else "yes", hold=True))
    assert len(asked.questions) == 9 and state(outside).keys() == {"1", "3", "5", "child"}


def test_while_a_question_is_shown_the_command_stands_still(asked: Asked, places: tuple[Path, Path]) -> None:
    work, outside = places
    counted = work / "count"

    def look(question: dict[str, Any]) -> str:
        before = counted.stat().st_size
        assert not eventually(lambda: counted.stat().st_size != before, within_s=0.3)
        return "no"

    command = f"(while :; do echo x >> count; done) & while ! [ -s count ]; do :; done; echo x > {outside}/a; n=$(wc -c < count); "
    assert ok(asked.run(command + "while [ $(wc -c < count) -le $n ]; do :; done; kill $!", look, hold=True)) and len(asked.questions) == 1


def test_threads_beside_the_one_that_asks_stand_still_too(asked: Asked, places: tuple[Path, Path]) -> None:
    work, outside = places
    code = f"""
        import os, threading
        goes_on = True
        def draw():
            count = os.open("count", os.O_WRONLY | os.O_CREAT)
            while goes_on: os.write(count, b"x")
        threading.Thread(target=draw).start()
        while not os.path.exists("count") or not os.path.getsize("count"): pass
        open("{outside}/a", "w").close()
        before = os.path.getsize("count")
        while os.path.getsize("count") == before: pass
        goes_on = False
    """
    grown: list[int] = []

    def look(question: dict[str, Any]) -> str:
        before = (work / "count").stat().st_size
        eventually(lambda: (work / "count").stat().st_size > before, within_s=0.2)
        grown.append((work / "count").stat().st_size - before)
        return "yes"

    assert ok(asked.python(code, look, hold=True)) and grown == [0] and (outside / "a").exists()


def test_who_is_gone_gets_nothing_done(asked: Asked, places: tuple[Path, Path]) -> None:
    _, outside = places

    def kill(question: dict[str, Any]) -> str:
        if question["path"].endswith("gone"):
            os.kill(question["pid"], signal.SIGKILL)
            assert eventually(lambda: relay.state(question["pid"]) in "ZX")
        return "yes"

    asked.run(f"sh -c 'echo x > {outside}/gone'; echo x > {outside}/there", kill)
    assert len(asked.questions) == 2 and state(outside) == {"there": "x\n"}


def test_without_its_broker_the_command_ends_and_nothing_is_done(asked: Asked, places: tuple[Path, Path]) -> None:
    work, outside = places
    started: list[int] = []

    def kill(question: dict[str, Any]) -> str:
        (supervisor,) = children(asked.zygote.pid)
        (broker,) = children(supervisor)
        started.extend(relay.family(broker))
        os.kill(broker, signal.SIGKILL)
        return "yes"

    messages = asked.run(f"echo x > {outside}/a; echo x > {outside}/b; touch after; sleep 1000", kill)
    assert not ok(messages) and "may not have been finished" in last_of(messages)["error"]["message"]
    assert state(outside) == {} and state(work) == {} and started
    assert eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in started))


# --- a broker, or a worker, that was taken over ----------------------------------------------------------------------


def taken_over(monkeypatch: pytest.MonkeyPatch, work: Path, says: Callable[[socket.socket], None]) -> Asked:
    """Return what runs commands with a broker that `says` what it likes."""

    def broker(worker: int, channel: socket.socket, *_: object) -> int:
        signal.alarm(20)
        says(channel)
        assert eventually((work / "over").exists)
        return 0

    monkeypatch.setattr(supervisor, "broker", broker)
    return Asked(work)


@pytest.mark.parametrize("whom", ["another's", "its own"])
def test_ctrl_c_reaches_only_what_the_job_has_started(places: tuple[Path, Path], victim: int, monkeypatch: pytest.MonkeyPatch, whom: str) -> None:
    work = places[0]

    def says(channel: socket.socket) -> None:
        pid = victim
        if whom == "its own":
            pid = os.fork()
            if pid == 0:
                signal.pause()
        channel.send(json.dumps({"worker": pid}).encode())
        channel.send(b'{"note":{"kind":"ready","program":"x","why":"y"}}')
        if whom == "its own":
            (work / "ended").write_text(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))

    asked = taken_over(monkeypatch, work, says)
    try:
        step = RunCommand("sleep 1000", str(work))
        job = {"steps": [step.as_data()], "grant": Grant.of(step.effects()).as_data(), "cwd": str(work), "env": dict(os.environ), "ask": 9.0}
        for message in asked.zygote.run(job, ask=lambda *_: "no"):
            if message["type"] == "gated":
                asked.zygote.cancel()
                if whom == "its own":
                    assert eventually((work / "ended").exists)
                (work / "over").touch()
        assert os.waitpid(victim, os.WNOHANG) == (0, 0)
        assert whom == "another's" or (work / "ended").read_text() == str(-signal.SIGUSR1)
    finally:
        asked.zygote.close()


def test_a_broker_that_asks_without_end_and_never_listens_is_ended(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def says(channel: socket.socket) -> None:
        # Who asks on when nobody hears any more, and who is not ended yet, waits for it.
        with suppress(BrokenPipeError, ConnectionResetError):
            for number in range(1, 5000):
                channel.send(b'{"ask":%d,"what":{"path":"/a"}}' % number)
        signal.pause()

    asked = taken_over(monkeypatch, places[0], says)
    try:
        # It may be ended before the worker has handed over its filter's listener, which then goes nowhere, and nothing is run.
        said = last_of(asked.run("sleep 1000"))["error"]["message"]
        assert "ended by SIGKILL" in said or said == "Broken pipe."
    finally:
        asked.zygote.close()


def test_what_a_broker_hands_over_does_not_stay_open(places: tuple[Path, Path]) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    null = os.open(os.devnull, os.O_WRONLY)
    found = relay.Relay(ours, null, null, 9.0, ())
    before = len(os.listdir("/proc/self/fd"))
    for number in range(1, 9):
        messages: list[dict[str, Any]] = [{"note": {}}, {"gone": 99}, {"go": 99}, {"ask": number, "what": {"path": "/a"}}]
        for message in messages:
            notify.send(theirs, json.dumps(message).encode(), (null, null, null))
            assert found.hear()
    # One with each question that waits.
    assert len(os.listdir("/proc/self/fd")) == before + 8
    for number in range(1, 9):
        theirs.send(json.dumps({"gone": number}).encode())
        found._forget(number)
    assert len(os.listdir("/proc/self/fd")) == before
    for end in (ours, theirs):
        end.close()
    os.close(null)


def test_a_supervisor_that_fails_leaves_nothing_of_the_command(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    work = places[0]

    def fails(*_: object) -> int:
        assert eventually((work / "pid").exists)
        raise RuntimeError

    monkeypatch.setattr(supervisor, "_watch", fails)
    monkeypatch.setattr(view, "forbidden", True)  # the processes of a view of its own end with its first
    asked = Asked(work)
    try:
        assert not ok(asked.run("sleep 1000 & echo $! > writing; mv writing pid; wait"))
        assert relay.state(int((work / "pid").read_text())) in "ZX"
    finally:
        asked.zygote.close()


def test_what_a_worker_shows_in_a_questions_place_is_not_agreed_to(places: tuple[Path, Path]) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control, client = socket.socketpair()
    reader, writer = os.pipe()
    found = relay.Relay(ours, writer, control.fileno(), 9.0, ())
    theirs.send(b'{"ask":1,"what":{"kind":"unlink","path":"/precious"}}')
    assert found.hear()
    genuine = json.loads(os.read(reader, 4096))
    forged = {**genuine, "what": {"kind": "unlink", "path": "/harmless"}}
    for message, agreed in ((forged, []), (genuine, [1])):
        _answer(message, client, lambda *_: "yes")
        found.answer(control.recv(1), 0)
        assert list(found._agreed) == agreed
    for end in (ours, theirs, control, client):
        end.close()
    os.close(reader)
    os.close(writer)


def test_a_question_of_a_supervisor_that_is_gone_is_none() -> None:
    control, client = socket.socketpair()
    control.close()
    with client:
        assert not Standstill(client, about(1, {})).begin()


def test_a_command_that_cannot_be_made_to_stand_still_is_not_asked_about(asked: Asked, places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    asked.zygote.close()
    monkeypatch.setattr(relay, "_STILL_S", 0.1)
    monkeypatch.setattr(relay, "state", lambda pid: "R")
    asked.zygote = Zygote.start()
    begun: list[bool] = []

    def ask(message: dict[str, Any], standstill: Standstill) -> str:
        begun.append(standstill.begin())
        return "yes"

    step = RunCommand(f"echo x > {places[1]}/a", str(places[0]))
    job = {"steps": [step.as_data()], "grant": Grant.of(step.effects()).as_data(), "cwd": str(places[0]), "env": dict(os.environ), "ask": 9.0}
    messages = list(asked.zygote.run(job, ask=ask))
    assert begun == [False] and not (places[1] / "a").exists() and not ok(messages)
    assert ["stand still" in m["what"]["why"] for m in messages if m["type"] == "gated"] == [True]


def test_a_broker_can_only_read_what_it_takes_from_others(asked: Asked, places: tuple[Path, Path], server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "forbidden", True)  # its socket is one of the machine's network
    asked.zygote.close()
    honest, port = Wants.of, server.port

    def of(self: Wants, call: notify.Call) -> Any:
        if not call.name.startswith("mkdir"):
            return honest(self, call)
        file, connection = (notify.descriptor_of(process_of(call.thread), number) for number in (100, 101))
        wake = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(wake)
        with socket.socket(fileno=connection) as theirs:
            attempts: list[Callable[[], object]] = [
                lambda: os.write(file, b"x"), lambda: os.writev(file, [b"x"]), lambda: os.pwrite(file, b"x", 0), lambda: os.ftruncate(file, 0),
                lambda: os.pwritev(file, [b"x"], 0), lambda: os.posix_fallocate(file, 0, 9), lambda: os.sendfile(file, file, 0, 1),
                lambda: os.copy_file_range(file, file, 1, 0, 1), lambda: mmap.mmap(file, 1), lambda: theirs.connect(("127.0.0.1", port)),
                lambda: theirs.bind(("127.0.0.1", 0)), lambda: theirs.send(b"x"), lambda: theirs.sendmsg([b"x"]), lambda: theirs.accept(),
                lambda: os.dup2(file, wake), lambda: os.close(wake),
            ]  # fmt: skip
            found = []
            for attempt in attempts:
                try:
                    attempt()
                    found.append(0)
                except OSError as error:
                    found.append(error.errno or 0)
        raise Refused(json.dumps([os.pread(file, 9, 0).decode(), found, len(attempts)]))

    monkeypatch.setattr(Wants, "of", of)
    asked.zygote = Zygote.start()
    code = f"""
        import os, socket
        file = os.open("held", os.O_RDWR | os.O_CREAT)
        os.write(file, b"theirs")
        os.dup2(file, 100)
        os.dup2(socket.socket().detach(), 101)
        try: os.mkdir("{places[1]}/a")
        except PermissionError: pass
    """
    messages = asked.python(code)
    (read, found, count) = next(json.loads(m["what"]["why"]) for m in messages if m["type"] == "gated")
    assert read == "theirs" and found == [seccomp.OURS] * count
    assert ok(messages) and (places[0] / "held").read_text() == "theirs" and server.came == 0


# --- attacks --------------------------------------------------------------------------------------------------------

_RACE = """
    import ctypes, threading, sys
    libc = ctypes.CDLL(None, use_errno=True)
    sys.setswitchinterval(1e-5)
    first, second = {first!r}, {second!r}
    assert len(first) == len(second)
    buffer = ctypes.create_string_buffer(first)
    stop = False
    def flip():
        while not stop:
            ctypes.memmove(buffer, second, len(second)); ctypes.memmove(buffer, first, len(first))
    thread = threading.Thread(target=flip); thread.start()
    done = 0
    for _ in range({calls}):
        {call}
    stop = True; thread.join()
    print(done)
    sys.exit(0 if done else 6)
"""


def test_20_000_opens_raced_by_a_thread_that_swaps_the_name_write_nothing_outside(level: str, asked: Asked, places: tuple[Path, Path]) -> None:
    work, outside = places
    good, bad = work / "aaaaaaa", outside / "aaaa"
    for file in (good, bad):
        file.write_text("as it was")
    os.chmod(bad, 0o666)
    # As long as each other, and both plain: the string that the broker reads is now the one and now the other.
    assert len(str(good)) == len(str(bad))
    call = "fd = libc.open(buffer, 513); done += fd >= 0; fd >= 0 and libc.close(fd)"
    assert ok(asked.python(_RACE.format(first=os.fsencode(good), second=os.fsencode(bad), calls=20_000, call=call), "no"))
    assert bad.read_text() == "as it was" and good.read_text() == ""
    assert {q["path"] for q in asked.questions} <= {str(bad)}


def test_removals_raced_after_a_yes_remove_only_what_was_shown(asked: Asked, places: tuple[Path, Path]) -> None:
    _, outside = places
    (outside / "yes").mkdir()
    (outside / "noo").mkdir()
    for number in range(300):
        (outside / "yes" / f"{number:03}").touch()
        (outside / "noo" / f"{number:03}").touch()
    first, second = (os.fsencode(outside / name / "000") for name in ("yes", "noo"))
    call = "name = b'%03d' % _; first = first[:-3] + name; second = second[:-3] + name; done += libc.unlink(buffer) == 0"
    assert ok(asked.python(_RACE.format(first=first, second=second, calls=300, call=call), lambda q: "yes" if "/yes/" in q["path"] else "no"))
    assert len(list((outside / "noo").iterdir())) == 300 and len(list((outside / "yes").iterdir())) < 300


def test_a_second_listener_is_refused(places: tuple[Path, Path]) -> None:
    code = seccomp.build(seccomp.Profile())
    from nlsh.guard.sandbox.kernel import SET_NO_NEW_PRIVS, prctl

    def listen() -> int:
        prctl(SET_NO_NEW_PRIVS, 1)
        return seccomp.install(code, listen=True)

    def confined() -> int:
        from nlsh.guard.sandbox import enter

        assert enter(changing(places[0]), asks=("connect",)) is not None
        return listen()

    assert in_child(listen).value > 2
    assert in_child(confined).errno == errno.EPERM


def test_the_command_has_no_way_to_the_listener_or_the_broker(asked: Asked) -> None:
    code = """
        import os
        kinds = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{n}")]
        assert not [k for k in kinds if "seccomp" in k or "socket" in k], kinds
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if int(pid) not in (os.getpid(), os.getppid()):
                try: os.listdir(f"/proc/{pid}/fd")
                except OSError: continue
                try: os.kill(int(pid), 9)
                except OSError: continue
    """
    assert ok(asked.python(code))


def test_a_hand_is_held_to_what_was_shown(places: tuple[Path, Path], server: Server) -> None:
    """What the hand is confined to is from the question; a broker that says something else afterwards changes nothing."""
    from nlsh.guard.sandbox import hand

    outside = places[1]
    prepare(outside)
    other = Server(socket.AF_INET, ("127.0.0.1", 0))

    def beyond() -> list[int]:
        hand._confine({str(outside / "old"): landlock.WRITE_FILE}, seccomp.Profile(write=True), 0)
        found = []
        for attempt in (
            lambda: os.close(os.open(outside / "old", os.O_WRONLY)), lambda: os.close(os.open(outside / "old", os.O_RDONLY)),
            lambda: os.close(os.open(outside / "new", os.O_WRONLY | os.O_CREAT)), lambda: os.unlink(outside / "old"), lambda: os.listdir("/"),
            lambda: socket.socket(), lambda: os.kill(os.getppid(), 0), lambda: os.execv("/bin/true", ["true"]),
        ):  # fmt: skip
            try:
                attempt()
                found.append(0)
            except OSError as error:
                found.append(error.errno or -1)
        return found

    def elsewhere() -> list[int]:
        hand._confine({}, seccomp.Profile(tcp=True), server.port)
        return [socket.socket().connect_ex(("127.0.0.1", port)) for port in (server.port, other.port)]

    assert [bool(n) for n in in_child(beyond).value] == [False] + [True] * 7
    assert in_child(elsewhere).value == [0, errno.EACCES]
    other.socket.close()


# --- the gate -------------------------------------------------------------------------------------------------------


class Gatekeeper:
    """A kernel whose user says what `answers` says, and a list of what he was asked."""

    def __init__(self, zygote: Zygote) -> None:
        self.journal = Journal()
        self.kernel = Kernel(policy.load(), zygote, self.journal, Audit(journal=self.journal), World(), approve=lambda preview, decision: True)
        self.kernel.ask = self._ask
        self.kernel.on_event = self._note
        self.questions: list[Question] = []
        self.events: list[dict[str, Any]] = []
        self.answer = ONCE

    def _ask(self, question: Question, standstill: Standstill) -> str:
        self.questions.append(question)
        return self.answer

    def _note(self, event: dict[str, Any]) -> None:
        if event["type"] == "gated":
            self.events.append(event)

    def run(self, command: str) -> Any:
        self.questions.clear()
        return self.kernel.run(self.kernel.preview(registry.parse(f"shell.run({json.dumps(command)})")))


@pytest.fixture
def gate(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Gatekeeper]:
    monkeypatch.chdir(places[0])
    zygote = Zygote.start()
    found = Gatekeeper(zygote)
    yield found
    found.journal.close()
    zygote.close()


def test_secrets_nlshs_own_and_what_policy_denies_are_refused_unasked_and_said(gate: Gatekeeper, home: Path, places: tuple[Path, Path]) -> None:
    for folder in (".ssh", ".config/nlsh", "denied"):
        (home / folder).mkdir(parents=True)
    (home / ".config/nlsh/policy.toml").write_text(f'[[rule]]\nanswer = "deny"\neffect = ["fs.write"]\ntarget = ["{home}/denied"]\nreason = "it is not ours"\n')
    gate.kernel.policy = policy.load()
    outcome = gate.run(f"echo x > {home}/.ssh/authorized_keys; echo x >> {home}/.config/nlsh/policy.toml; echo x > {home}/denied/a; echo x > {places[1]}/fine")
    assert [q.target for q in gate.questions] == [f"{places[1]}/fine"] and (places[1] / "fine").exists()
    assert not (home / ".ssh/authorized_keys").exists() and not (home / "denied/a").exists() and "x\n" not in (home / ".config/nlsh/policy.toml").read_text()
    assert len(gate.events) == 3 and any("it is not ours" in e["why"] for e in gate.events)
    assert [(e["decision"], e["who"]) for e in outcome.gated.entries] == [("deny", "policy")] * 3 + [("allow", "user")]


def test_once_is_for_once_and_this_job_for_its_folder(gate: Gatekeeper, places: tuple[Path, Path]) -> None:
    outside = places[1]
    command = f"for n in 1 2 3; do echo x > {outside}/$n; done; echo x > {places[0].parent}/beside"
    gate.run(command)
    assert len(gate.questions) == 4
    gate.answer = JOB
    outcome = gate.run(command.replace("x >", "y >"))
    # The home folder is no folder to say yes to as a whole.
    assert len(gate.questions) == 2 and gate.questions[0].folder == str(outside) and gate.questions[1].folder == ""
    assert outcome.gated.count == 4 and (outside / "3").read_text() == "y\n"
    gate.run(command)
    assert len(gate.questions) == 2  # another job


def test_always_writes_the_rule_that_is_shown_and_it_is_about_this_command(gate: Gatekeeper, places: tuple[Path, Path], server: Server) -> None:
    from nlsh.guard import remember

    command = f"{sys.executable} -I -c {shlex.quote(textwrap.dedent(connect_code('AF_INET', ('127.0.0.1', server.port))))}"
    gate.answer = ALWAYS
    gate.run(command)
    (question,) = gate.questions
    rules = question.rules()
    text = remember.as_toml(rules)
    assert f"127.0.0.1:{server.port}" in text and 'answer = "allow"' in text
    remember.write(rules)
    gate.kernel.policy = policy.load()
    gate.answer = NO
    outcome = gate.run(command)
    assert gate.questions == [] and outcome.status == "done"
    assert [(e["decision"], e["who"], e["rule"]) for e in outcome.gated.entries] == [("allow", "policy", rules[0].name)]
    assert gate.run(command + "; true").status == "done" and len(gate.questions) == 1  # another command
    # Nor may a typed step do it unasked.
    preview_answer = gate.kernel.policy.decide(gate.kernel.preview(registry.parse(f'shell.run("touch {server.port}")'))).answer
    assert preview_answer == "ask"


def test_it_is_in_the_audit_and_bounded(gate: Gatekeeper, places: tuple[Path, Path]) -> None:
    outside = places[1]
    gate.answer = JOB
    gate.run(f"for n in $(seq {MOST_KEPT + 20}); do : > {outside}/$n; done")
    entry = gate.kernel.audit.entries(1)[0]
    assert entry["event"] == "outcome" and len(entry["gated"]) == MOST_KEPT and entry["gated_count"] == MOST_KEPT + 20
    assert entry["gated"][0] | {"program": ""} == {
        "program": "", "what": "write", "target": f"{outside}/1", "decision": "allow", "rule": "for this job", "who": "user",
    }  # fmt: skip
    assert gated_lines(entry["gated"], entry["gated_count"])[-1] == "and 20 more"


@pytest.mark.parametrize("asks", [False, True])
def test_the_setting_switches_it_off_and_the_strictest_file_wins(gate: Gatekeeper, home: Path, places: tuple[Path, Path], asks: bool) -> None:
    (home / ".config/nlsh").mkdir(parents=True)
    (home / ".config/nlsh/policy.toml").write_text("[guard]\nask_at_syscall = true\nask_seconds = 9\n")
    (places[0] / ".nlsh").mkdir()
    (places[0] / ".nlsh/policy.toml").write_text(f"[guard]\nask_at_syscall = {str(asks).lower()}\nask_seconds = 20\n")
    gate.run(f"echo x > {places[1]}/a")
    assert [q.seconds for q in gate.questions] == ([9.0] if asks else []) and (places[1] / "a").exists() == asks


def test_a_command_that_only_reads_is_not_asked_for(gate: Gatekeeper) -> None:
    found = Gate(gate.kernel.policy, gate._ask, 9.0, (), gate._note)
    for command, takes in (("ls", False), ("touch a", True)):
        (call,) = gate.kernel.preview(registry.parse(f"shell.run({json.dumps(command)})")).calls
        assert found.takes(call) == takes, command


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f.1", "127.1", "0.0.0.0", "::ffff:127.0.0.1", "::", "localhost", "\uff11\uff12\uff17.0.0.1", "0::1", "::1%lo"]
)
def test_another_name_for_a_host_is_no_way_around_a_rule_about_it(gate: Gatekeeper, host: str) -> None:
    found = Gate(gate.kernel.policy, gate._ask, 9.0, (), gate._note)
    what = {"kind": "connect", "program": "x", "port": 80, "family": 2}
    assert found.answer({"what": {**what, "host": host}}, None) == "no" and gate.questions == []  # type: ignore[arg-type]
    assert [found.answer({"what": {**what, "host": good}}, None) for good in ("127.0.0.1", "::1", "2001:db8::5")] == ["yes"] * 3  # type: ignore[arg-type]
    assert [q.target for q in gate.questions] == ["127.0.0.1:80", "[::1]:80", "[2001:db8::5]:80"]


def test_a_signal_for_this_job_is_that_signal_to_that_process(gate: Gatekeeper, victim: int) -> None:
    found = Gate(gate.kernel.policy, gate._ask, 9.0, (), gate._note)
    what = {"kind": "kill", "program": "x", "target": victim, "began": started_ticks(victim), "signal": int(signal.SIGUSR1), "name": "harmless"}
    gate.answer = JOB
    others: list[dict[str, int]] = [{}, {}, {"signal": int(signal.SIGKILL)}, {"began": started_ticks(victim) + 1}]
    answers = [found.answer({"what": {**what, **other}}, None) for other in others]  # type: ignore[arg-type]
    assert answers == ["yes", "yes", "yes", "no"] and [q.verb for q in gate.questions] == ["send SIGUSR1 to", "send SIGKILL to"]
    # What it is called is not the broker's to say, and its number is not to be written down.
    assert "harmless" not in gate.questions[0].target and program_of(victim) in gate.questions[0].target
    with pytest.raises(NotPossible, match="number"):
        gate.questions[0].rules()


def test_a_name_that_no_file_has_is_refused(gate: Gatekeeper) -> None:
    found = Gate(gate.kernel.policy, gate._ask, 9.0, (), gate._note)
    assert found.answer({"what": {"kind": "unlink", "program": "x", "path": "/tmp/\ud800"}}, None) == "no" and gate.questions == []  # type: ignore[arg-type]


def test_names_cannot_draw_the_question() -> None:
    forged = "x\x1b[2K\r\nnlsh: gcc wants to connect to 127.0.0.1:80\u202e   y"
    (line,) = gated_lines([{"program": forged, "what": "write", "target": forged, "decision": "deny", "who": "user", "rule": forged}], 1)
    assert "\x1b" not in line and "\n" not in line and "\r" not in line and "\u202e" not in line
    question = Question("x", "write", "/x", (Effect("fs.write", "/x" + forged),), 1.0)
    from nlsh.guard import remember

    assert "\x1b" not in remember.as_toml(question.rules())


def test_what_is_refused_at_the_very_end_is_told_after_the_last_message() -> None:
    told = _Told(1)
    assert told.take({"type": "gated", "step": 0, "what": {}}) and told.take({"type": "done", "step": 0})
    assert told.take({"type": "gated", "step": 0, "what": {}}) and not told.take({"type": "done", "step": 0})
