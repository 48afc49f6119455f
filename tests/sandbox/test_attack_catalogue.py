"""Attacks on the wide catalogue: tools, buses, package managers, parsers, and what is shown. Each is paired with an allowed control."""

from __future__ import annotations

import http.server
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nlsh.guard import policy
from nlsh.guard.grant import Grant
from nlsh.guard.sandbox import capabilities, confine
from nlsh.kernel.bind import Result, fill
from nlsh.plan import records as all_records
from nlsh.plan import registry
from nlsh.plan.effects import Effect
from nlsh.plan.errors import BadArgument, BadPlan, Denied, NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.plan import Call, Plan, Preview, PreviewedCall
from nlsh.plan.records import File, Line, Member, Record
from nlsh.plan.records.logs import LogEntry
from nlsh.shell.show import Look, plain_line, show_records
from nlsh.steps import download as downloads
from nlsh.steps import handles, units
from nlsh.testing import Scene
from nlsh.world import tools
from tests.sandbox.conftest import NOBODY, Came, eventually, in_child, reading, typed


def _shell(script: str) -> str:
    """Run a shell as a tool is run, and return what it writes, its status at the end."""
    done = subprocess.run(["/bin/sh", "-c", script], env=tools.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return f"{done.stdout}{done.returncode}"


# --- what a tool may that an action names ---------------------------------------------------------------------------------


@pytest.fixture
def stuff(home: Path) -> Path:
    folder = home / "stuff"
    folder.mkdir()
    (folder / "open").write_text("open")
    (home / ".ssh").mkdir()
    (home / ".ssh/id_ed25519").write_text("secret")
    return folder


@pytest.mark.parametrize(
    "script",
    [
        "echo x > stuff/new", "echo x >> stuff/open", "rm stuff/open", "mv stuff/open stuff/other", "chmod 777 stuff/open", "touch stuff/open", "mkdir stuff/d",
        "ln stuff/open stuff/second", "ln -s /etc stuff/link", "cat .ssh/id_ed25519", "mkfifo stuff/pipe", "truncate -s 0 stuff/open",
    ],
)  # fmt: skip
def test_a_tool_that_reads_changes_nothing_and_reads_no_secret(home: Path, stuff: Path, script: str) -> None:
    grant = typed(("tool.read", "sh"), ("fs.read", home))
    inside = in_child(lambda: _shell(f"cd {home} && {script}"), grant=grant)
    assert inside.done and not inside.value.endswith("0") and "secret" not in inside.value, inside
    assert sorted(os.listdir(stuff)) == ["open"] and (stuff / "open").read_text() == "open"
    assert in_child(lambda: _shell(f"cat {stuff}/open"), grant=grant) == Came("open0")
    assert in_child(lambda: _shell(f"cd {home} && {script}")).value.endswith("0")


def test_a_tool_has_no_network_no_socket_and_no_signal(home: Path, tmp_path: Path) -> None:
    # A path may have 108 bytes at most.
    path = f"/tmp/nlsh-attack-tool-{os.getpid()}.sock"
    script = (
        "import socket,sys,os\nfor make in (lambda: socket.create_connection(('127.0.0.1', {port}), 5), lambda: socket.socket(1).connect({path!r}),\n"
        "             lambda: socket.socket(2, 2).sendto(b'x', ('127.0.0.1', {port})), lambda: socket.socket(16, 3, 12), lambda: os.kill({pid}, 0)):\n"
        "    try:\n        make()\n        print('did', end=' ')\n    except OSError:\n        print('no', end=' ')\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as local:
        local.bind(path)
        local.listen()
        code = script.format(port=listener.getsockname()[1], path=path, pid=os.getpid())
        run = lambda: subprocess.run([os.path.realpath(sys.executable), "-I", "-c", code], capture_output=True, text=True, check=False).stdout  # noqa: E731
        try:
            inside = in_child(run, grant=typed(("tool.read", "python"), ("fs.read", sys.base_prefix)))
            outside = in_child(run)
        finally:
            os.unlink(path)
    assert inside.value.split() == ["no"] * 5, inside
    assert outside.value.split().count("did") >= 4


def test_a_tool_gets_neither_the_bus_nor_the_terminal(home: Path) -> None:
    path = f"/tmp/nlsh-attack-bus-{os.getpid()}.sock"
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(path)
        service.listen()
        try:

            def speak_and_start() -> tuple[int, str]:
                sent = handles.bus(path).send(b"hello")
                mine = f"/proc/{os.getpid()}/fd"
                return sent, _shell(f"ls -l /proc/self/fd/ | grep -c socket; ls -l {mine} 2>/dev/null | grep -c socket; : < /dev/tty && echo tty")

            grant = typed(("bus.read", path), ("tool.read", "sh"), ("sys.read", "*"))
            came = in_child(speak_and_start, grant=grant)
            assert came.done and came.value[0] == 5, came
            assert came.value[1].split()[:2] == ["0", "0"] and "tty" not in came.value[1]
            # The worker can connect to no other.
            assert not in_child(lambda: socket.socket(socket.AF_UNIX).connect(path), grant=grant).done
            assert in_child(lambda: socket.socket(socket.AF_UNIX).connect(path)).done
        finally:
            os.unlink(path)


def test_the_terminal_is_for_the_users_own_command() -> None:
    def allowed(grant: Grant) -> set[str]:
        rules = confine._rules(grant, 6)
        os.close(rules.descriptor)
        return set(rules._rights)

    assert "/dev/tty" not in allowed(typed(("tool.read", "sh"))) and "/dev/null" in allowed(typed(("tool.read", "sh")))
    assert "/dev/tty" in allowed(reading())


def test_who_looks_into_processes_and_runs_a_tool_is_confined_all_the_same(home: Path, stuff: Path) -> None:
    grant = typed(("proc.read", "*"), ("tool.read", "cat"), ("fs.read", stuff))
    assert not grant.looks_into_processes
    assert in_child(lambda: _shell(f"cat {home}/.ssh/id_ed25519 2>/dev/null"), grant=grant).value == "1"
    assert in_child(lambda: _shell(f"cat {stuff}/open"), grant=grant).value == "open0"
    # Who only looks, with nlsh's own code, still may.
    assert typed(("proc.read", "*")).looks_into_processes


def test_a_files_name_gives_no_rights_of_root() -> None:
    name = "/srv/x (CAP_SYS_MODULE) CAP_SYS_ADMIN cap_sys_rawio"
    for reason in (name, f"to set flags of the file system on {name} (CAP_LINUX_IMMUTABLE)", f"{name} belongs to (CAP_SYS_BOOT"):
        kept = capabilities.wanted(Grant.of([Effect("priv.root", reason)]))
        assert kept <= {capabilities.NUMBERS["linux_immutable"]}, reason
    named = Grant.of([Effect("priv.root", "disks tell their health to root only (CAP_SYS_RAWIO CAP_SYS_ADMIN)"), Effect("tool.read", "smartctl")])
    assert capabilities.wanted(named) == {capabilities.NUMBERS["sys_rawio"], capabilities.NUMBERS["sys_admin"]}
    meta = [Effect("fs.meta", "/srv/x"), Effect("priv.root", "to change the owner of /srv/CAP_LINUX_IMMUTABLE (CAP_CHOWN)")]
    assert confine._may_be_flagged(Grant.of(meta)) == ()
    assert confine._may_be_flagged(Grant.of([meta[0], Effect("priv.root", "to set flags (CAP_LINUX_IMMUTABLE)")])) == ("/srv/x",)


def test_echo_requests_need_no_raw_socket(home: Path) -> None:
    def opened(*what: int) -> Came:
        return in_child(lambda: socket.socket(*what).close(), grant=typed(("net.connect", "icmp://127.0.0.1")))

    for what in (
        (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP), (socket.AF_INET, socket.SOCK_STREAM, 0), (socket.AF_INET, socket.SOCK_DGRAM, 0),
        (socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMP), (socket.AF_NETLINK, socket.SOCK_RAW, 0), (socket.AF_PACKET, socket.SOCK_RAW, 768),
    ):  # fmt: skip
        assert not opened(*what).done, what
    # The system may keep its users from these altogether.
    usual = in_child(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).close())
    assert opened(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).done == usual.done


@pytest.mark.parametrize(
    "name",
    [".vault-token", ".my.cnf", ".config/containers/auth.json", ".claude/.credentials.json", ".config/Signal", ".cargo/credentials", "../../etc/shadow-"],
)
def test_more_that_is_secret(home: Path, name: str) -> None:
    path = "/etc/shadow-" if name.endswith("shadow-") else str(home / name)
    with pytest.raises(Denied):
        typed(("fs.read", path))
    assert typed(("fs.read", home / ".cargo/config.toml"))


# --- which programs are run -----------------------------------------------------------------------------------------------


def _program(path: Path, mark: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho run >> {mark}\nexec {sys.executable} "$@"\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("where", [".", "", "bin", "open"])
def test_a_program_that_was_planted_in_the_path_is_not_found(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    shared = tmp_path / "open"
    for folder in (home, home / "bin", shared):
        _program(folder / "nlsh-tool", home / "mark")
    shared.chmod(0o777)
    monkeypatch.setenv("PATH", str(shared) if where == "open" else where)
    assert tools.present("nlsh-tool") is None
    assert not {where, str(shared)} & set(tools.environment()["PATH"].split(":"))
    # A folder of the user's own is his to fill.
    monkeypatch.setenv("PATH", f"{where}:{home}/bin")
    assert tools.present("nlsh-tool") == f"{home}/bin/nlsh-tool"


def test_a_tool_gets_nothing_of_the_environment_that_makes_it_run_something(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "GIT_SSH_COMMAND", "GIT_CONFIG_COUNT", "GIT_DIR", "GIT_EXTERNAL_DIFF", "PAGER", "EDITOR", "LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH",
        "PYTHONSTARTUP", "PIP_CONFIG_FILE", "PIP_INDEX_URL", "npm_config_script_shell", "NODE_OPTIONS", "APT_CONFIG", "FFREPORT", "SYSTEMD_PAGER", "BASH_ENV",
        "ENV", "PERL5OPT", "RPM_CONFIGDIR", "LESSOPEN", "DOCKER_HOST", "http_proxy", "SSH_AUTH_SOCK",
    ):  # fmt: skip
        monkeypatch.setenv(name, "evil")
    assert "evil" not in tools.environment().values()
    assert tools.environment()["LC_ALL"] == "C.UTF-8"


def test_a_tool_that_complains_at_length_does_not_hang() -> None:
    script = "import sys\nsys.stderr.write('x' * 1_000_000)\nprint('there')\n"
    came = in_child(lambda: list(tools.lines([sys.executable, "-I", "-c", script])))
    assert came == Came(["there"])
    failing = in_child(lambda: list(tools.lines([sys.executable, "-I", "-c", f"{script}\nsys.exit('why')"])))
    assert failing.code == "tool.failed"


@pytest.fixture
def environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python environment that came with a folder: its Python is somebody else's program."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    folder = home / ".venv"
    _program(folder / "bin/python", home / "mark")
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\n")
    site = folder / "lib/python3.11/site-packages"
    for name in ("nlsh_lib-1.0.dist-info", "old-2.0-py3.11.egg-info", "not_one"):
        (site / name).mkdir(parents=True)
    return folder


@pytest.mark.parametrize("verb", ["install", "update", "remove"])
def test_looking_at_what_pip_would_do_runs_nothing_of_the_folder(home: Path, environment: Path, verb: str) -> None:
    from nlsh.world.packages_of_user import Pip

    names = {"install": ("fresh",), "update": ("nlsh-lib",), "remove": ("OLD",)}[verb]
    order = Pip().order(verb, names)
    wanted = {"install": ("install", "fresh", ""), "update": ("upgrade", "nlsh-lib", "1.0"), "remove": ("remove", "OLD", "2.0")}
    assert [c[:3] for c in order.changes] == [wanted[verb]]
    assert not (home / "mark").exists()
    # It would have been run.
    subprocess.run([Pip().python() or "", "-c", ""], check=True)
    assert (home / "mark").exists()


def test_the_folder_does_not_say_what_pip_may_read(home: Path, environment: Path) -> None:
    from nlsh.world.packages_of_user import Pip

    for leads in (home / "x/python", home / "python", home / ".venv/python"):
        _program(leads, home / "mark")
        (environment / "bin/python").unlink(missing_ok=True)
        (environment / "bin/python").symlink_to(leads)
        assert not {str(home), str(home.parent)} & set(Pip().folders()), leads
    # A Python of the user's own that lies elsewhere may be read.
    (environment / "bin/python").unlink()
    (environment / "bin/python").symlink_to(_program(home / ".local/share/python/bin/python3", home / "mark"))
    assert f"{home}/.local/share/python" in Pip().folders()


def test_what_runs_as_root_is_the_systems_and_has_nothing_of_the_users(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{home}/bin:/usr/bin")
    planted = str(_program(home / "bin/dnf", home / "mark"))
    with pytest.raises(Refused):
        units.effects_of("system", (planted, "install", "x"))
    assert units.effects_of("system", ("/usr/bin/apt-get", "install", "x"))
    assert units.effects_of("session", (planted,))
    assert str(home) not in " ".join(units.environment_for("system"))
    assert f"HOME={home}" in units.environment_for("session")


def test_a_name_writes_no_line_into_a_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(units, "run_job", lambda bus, begin, unit, seconds: begin())
    bus: Any = SimpleNamespace(call=lambda *a, **_: told.append(a))
    units.start(bus, ("/usr/bin/xdg-open", "file:///x"), "open /x\n[Service]\nExecStopPost=/bin/evil\x1b[2J")
    properties = dict(told[0][7])
    assert properties["Description"][1].startswith("nlsh: open /x ") and properties["Description"][1].isprintable()
    assert properties["ExecStart"][1][0][1] == ["/usr/bin/xdg-open", "file:///x"]


@pytest.mark.parametrize("program", ["sh", "bash", "python3", "/bin/sh", "./evil", "env", "perl"])
def test_opening_a_file_does_not_run_it(home: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    from nlsh.actions.file.open import _command

    monkeypatch.setenv("PATH", f"{home}/bin:{os.environ['PATH']}")
    _program(home / "evil", home / "mark")
    _program(home / "bin/nlsh-viewer", home / "mark")
    with pytest.raises((Refused, NotPossible)):
        _command(str(home / "evil"), program)
    assert _command(str(home / "evil"), "nlsh-viewer") == (f"{home}/bin/nlsh-viewer", f"{home}/evil")


HOSTILE = ["-x", "--help", "--config=/tmp/x", "a\nb", "a b;id", "$(id)", "../x", "a\x1b[2J", "\u202ea", "-"]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_taken_for_an_option(name: str) -> None:
    from nlsh.plan.terms import Host, Url
    from nlsh.world.packages import backends
    from nlsh.world.services import unit_name

    for backend in backends().values():
        with pytest.raises(BadArgument):
            backend.checked((name,))
        assert backend.checked(("htop",)) == ("htop",)
    with pytest.raises(BadArgument):
        unit_name(name)
    assert unit_name("nginx") == "nginx.service"
    if "/" not in name:
        with pytest.raises(ValueError, match="host"):
            Host().parse(name)
    assert Host().parse("example.org") == "example.org"
    with pytest.raises(ValueError, match=r"address|host"):
        Url().parse(f"file://{name}")


# --- policy -----------------------------------------------------------------------------------------------------------------


def _decided(*effects: tuple[str, str], allow: tuple[str, ...] = ()) -> str:
    call = Call("file.test")
    previewed = PreviewedCall(call, (), tuple(Effect(*e) for e in effects))
    return policy.load().with_session(allow).decide(Preview(Plan((call,)), (previewed,))).answer


def _rule(path: Path, effect: str, answer: str, more: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'[[rule]]\neffect = ["{effect}"]\nanswer = "{answer}"\n{more}\n')


def test_only_the_user_lifts_what_is_forbidden_and_only_to_a_question(home: Path) -> None:
    users = home / ".config/nlsh/policy.toml"
    erase = ("dev.format", "/dev/sdb1")
    assert _decided(erase, allow=("dev.format",)) == "deny"
    for pattern in ("dev.*", "*", "dev.form*"):
        _rule(users, pattern, "allow")
        assert _decided(erase) == "deny", pattern
    _rule(users, "dev.format", "allow", 'target = ["/dev/sdc1"]')
    assert _decided(erase) == "deny" and _decided(("dev.format", "/dev/sdc1")) == "ask"
    _rule(users, "dev.format", "allow")
    assert _decided(erase) == "ask" and _decided(erase, allow=("dev.format",)) == "ask"
    users.unlink()
    _rule(home / ".nlsh/policy.toml", "dev.format", "ask")
    assert _decided(erase) == "deny"
    # Nothing but what says so is lifted.
    _rule(users, "fs.read", "allow")
    assert _decided(("fs.read", str(home / ".ssh/id_ed25519"))) == "deny"


def test_a_project_that_lifts_is_no_policy(home: Path) -> None:
    from nlsh.plan.errors import SettingsError

    _rule(home / ".nlsh/policy.toml", "fs.read", "deny", "lift = true")
    with pytest.raises(SettingsError):
        policy.load()
    _rule(home / ".nlsh/policy.toml", "fs.read", "deny")
    assert _decided(("fs.read", "/srv/x")) == "deny"


# --- parsers ----------------------------------------------------------------------------------------------------------------


def _lying_zip(path: Path, size: int) -> None:
    """Write a zip with a link that says it has 10 bytes, and unpacks to `size`."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()
    name, mode = b"link", (0o120777 << 16)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, 0, len(data), 10, len(name), 0) + name + data
    central = struct.pack("<4s6H3L5H2L", b"PK\1\2", 0x0314, 20, 0, 8, 0, 33, 0, len(data), 10, len(name), 0, 0, 0, 0, mode, 0) + name
    path.write_bytes(local + central + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local), 0))


def test_a_link_in_a_zip_is_not_unpacked_to_see_where_it_leads(home: Path) -> None:
    from nlsh.world.archives import members, opened

    _lying_zip(home / "lies.zip", 600 << 20)
    with zipfile.ZipFile(home / "fine.zip", "w") as file:
        info = zipfile.ZipInfo("link")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        file.writestr(info, "target")

    def listed(name: str) -> str:
        with open(home / name, "rb") as file, opened(file, name) as archive:
            now = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
            resource.setrlimit(resource.RLIMIT_AS, (now + (200 << 20), now + (200 << 20)))
            return next(members(archive)).target

    came = in_child(lambda: listed("lies.zip"))
    # Its sum is wrong, or it is cut off: either way it is said, and memory is not filled.
    assert came.code == "world.not-possible" or (came.done and len(came.value) <= 4097), came
    assert in_child(lambda: listed("fine.zip")) == Came("target")


class _Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("ETag", '"1"')
        self.end_headers()
        try:
            for _ in range(3 if self.path == "/short" else 100_000):
                self.wfile.write(bytes(1 << 16))
        except OSError:
            return

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    found.daemon_threads = True
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_address[1]}"
    found.shutdown()
    found.server_close()


def test_a_download_without_an_end_does_not_fill_the_disk(home: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    room = iter([1 << 40, 1 << 40])
    step = downloads.DownloadFile(f"{server}/endless", str(home), "big", 1_700_000_000_000_000_000)
    with monkeypatch.context() as patched, pytest.raises(NotPossible, match="nearly full"):
        patched.setattr(downloads, "room_in", lambda folder: next(room, 0))
        list(step.apply())
    left = home / "big.part"
    assert not (home / "big").exists() and (not left.exists() or left.stat().st_size == 0)
    list(downloads.DownloadFile(f"{server}/short", str(home), "small", 1_700_000_000_000_000_000).apply())
    assert (home / "small").stat().st_size == 3 << 16


def test_a_link_where_a_download_would_be_kept_is_not_followed(home: Path) -> None:
    (home / "mine").write_text("mine")
    (home / "a.part").symlink_to(home / "mine")
    os.setxattr(home / "mine", "user.nlsh.download", b'{"url": "http://x/a", "validator": "1"}')
    assert downloads.unfinished(str(home / "a.part"), "http://x/a") == "other"
    step = downloads.DownloadFile("http://127.0.0.1:9/a", str(home), "a", 1, resumes=True)
    folder = os.open(home, os.O_RDONLY)
    with pytest.raises(OSError, match="symbolic"):
        step._open(folder, "a.part")
    assert downloads.unfinished(str(home / "mine"), "http://x/a") == "ours"
    os.close(folder)


# --- what is kept back, and what is shown -----------------------------------------------------------------------------------


def test_the_environment_of_a_process_shows_no_keys() -> None:
    from nlsh.world import process_facts

    secret = {
        "DB_PASS": "hunter2", "SSHPASS": "hunter2", "GH": "ghp_hunter2hunter2", "MY_DSN": "hunter2", "CI_JOB": "glpat-hunter2", "URL": "http://me:hunter2@h/x",
        "OPENAI_API_KEY": "hunter2", "X": "-----BEGIN hunter2",
    }  # fmt: skip
    plain = {"HOME": "/root", "EDITOR": "vi", "PATH": "/usr/bin", "COMPASS": "north"}
    process = subprocess.Popen(["/bin/sleep", "60"], env={**secret, **plain})
    try:
        eventually(lambda: any(process_facts.variables(process.pid)))  # a program that has only just begun has none yet
        found = {v.name: v for v in process_facts.variables(process.pid)}
    finally:
        process.kill()
        process.wait()
    assert not [v for v in found.values() if "hunter2" in v.value] and all(found[n].masked for n in secret)
    assert found["URL"].value.startswith("http://me:") and found["URL"].value.endswith("@h/x")
    assert {n: found[n].value for n in ("HOME", "EDITOR", "PATH")} == {n: plain[n] for n in ("HOME", "EDITOR", "PATH")}


EVIL = "name\x1b[2J\x1b]52;c;x\x07\u202e\u2066\r\nnext\x9b"


def _filled(kind: type[Record]) -> Record:
    values: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        written = str(field.type)
        values[field.name] = (
            (EVIL, EVIL) if written.startswith("tuple[str") else EVIL if written.startswith("str") else False if written.startswith("bool")
            else () if written.startswith("tuple") else 1.0 if written.startswith("float") else 1
        )  # fmt: skip
    return kind(**values)


def _every_kind() -> list[type[Record]]:
    all_records._import_all()
    return sorted((k for n, k in all_records.RECORD_TYPES.items() if k.__module__.startswith("nlsh.")), key=lambda k: k.__name__)


@pytest.mark.parametrize("kind", _every_kind(), ids=lambda k: k.__name__)
def test_no_record_draws_on_the_terminal(kind: type[Record]) -> None:
    import io

    record = _filled(kind)
    for look in (Look(table=True), Look(json=True)):
        out = io.StringIO()
        show_records([record, record], look, out, cwd="/")
        shown = out.getvalue()
        assert not {"\x1b", "\x07", "\u202e", "\u2066", "\r", "\x9b"} & set(shown), shown
    line = plain_line(record)
    # One record is one line, but where it is a line of the user's own file.
    assert ("text" in kind.columns and kind is not LogEntry) or not {"\x1b", "\n", "\u202e"} & set(line), line


def test_ordinary_text_is_shown_as_it_is() -> None:
    assert plain_line(LogEntry(None, "sshd", "Accepted für 你好")).endswith("Accepted für 你好")
    assert plain_line(Line("a\x1b[1mb")) == "a\x1b[1mb"
    assert "\x1b" not in plain_line(LogEntry(None, "evil", "a\x1b[1mb\nroot: did it"))


# --- what one call finds, and the next one takes ---------------------------------------------------------------------------


def test_what_an_archive_says_it_holds_names_no_files_here(home: Path) -> None:
    (home / "precious.txt").write_text("precious")
    with zipfile.ZipFile(home / "stuff.zip", "w") as file:
        file.writestr("precious.txt", "x")
    action = registry.get("file.trash")
    call = registry.parse('a = archive.list("stuff.zip"); file.trash(a)').calls[1]
    member = Result("archive.list", (Member("precious.txt", 1, "file"),), str(home))
    with pytest.raises(BadPlan):
        fill(call, action, {"a": member})
    assert fill(call, action, {"a": Result("file.list", (File("precious.txt"),), str(home))})


def test_nothing_is_trashed_that_an_archive_named(tmp_path: Path) -> None:
    given = {"precious.txt": "precious", "stuff.zip": {"members": {"precious.txt": "x"}}}
    with Scene(tmp_path / "scene", given) as scene:
        played = scene.play('a = archive.list("stuff.zip"); b = result.take(a, first="1"); file.trash(b)')
        assert played.error is not None and (scene.home / "precious.txt").exists()
        assert scene.play('a = file.list(); b = result.take(a, first="1"); file.trash(b)').error is None
        assert not (scene.home / "precious.txt").exists()


def test_names_never_leave_their_folder(tmp_path: Path) -> None:
    given = {"in/a.txt": "a", "keep.txt": "k"}
    with Scene(tmp_path / "scene", given) as scene:
        for plan in (
            'file.rename_all("in", prefix="../")', 'file.rename_all("in", replace="a.txt", by="..")', 'file.rename_all("in", extension="x/../../y")',
            'file.rename_all("in", suffix="/../../x")',
        ):  # fmt: skip
            error = scene.play(plan).error
            assert isinstance(error, (BadArgument, Refused, NotPossible, NotFound)), (plan, error)
        assert sorted(p.name for p in scene.home.rglob("*.txt")) == ["a.txt", "keep.txt"]
        assert scene.play('file.rename_all("in", prefix="b-")').error is None
        assert (scene.home / "in/b-a.txt").exists()


def test_what_stands_in_a_secret_is_neither_shown_nor_kept(tmp_path: Path) -> None:
    import json

    from nlsh.shell.preview import preview_data, preview_lines

    given = {".netrc": "machine x password hunter2\n", "notes.txt": "password colour\n"}
    with Scene(tmp_path / "scene", given) as scene:
        assert scene.kernel is not None
        for name, kept, wanted in ((".netrc", "hunter2", False), ("notes.txt", "password", True)):
            old, new = ("colour", "color") if wanted else ("x", "y")
            preview = scene.kernel.preview(registry.parse(f'text.replace("{old}", by="{new}", under="{name}")'))
            decision = scene.kernel.policy.decide(preview)
            shown = "\n".join(preview_lines(preview, Look(), decision=decision)) + json.dumps(preview_data(preview, decision))
            assert (kept in shown) is wanted and (decision.answer == "deny") is not wanted, (name, shown)
            assert not any(kept in json.dumps(s.as_data()) for c in preview.calls for s in c.steps)
        assert scene.play('text.replace("x", by="y", under=".netrc")').outcome is not None
        assert (scene.home / ".netrc").read_text() == given[".netrc"]


def test_merges_in_yaml_do_not_multiply(home: Path) -> None:
    from nlsh.world.data import Malformed, parse

    def levels(count: int) -> bytes:
        return ("- &a0 {k: v}\n" + "".join(f"- &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, count))).encode()

    with pytest.raises(Malformed, match="multiply"):
        parse(levels(60), "yaml")
    assert parse(levels(5), "yaml")[-1] == {"k": "v"}
    assert parse(b"a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n", "yaml")["b"] == {"x": 1, "y": 3}


def test_npm_takes_no_project_of_somebody_elses(home: Path, tmp_path: Path) -> None:
    from nlsh.world.packages_of_user import Npm

    manifest = tmp_path / "package.json"
    manifest.write_text("{}")
    assert Npm().project() == str(tmp_path)
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(manifest, NOBODY, NOBODY)
    assert Npm().project() != str(tmp_path)


def test_a_log_is_made_in_no_secret_place(home: Path) -> None:
    for path in (home / ".ssh/authorized_keys", home / ".config/nlsh/policy.toml", home / ".local/state/nlsh/x.log"):
        with pytest.raises(Denied):
            typed(("fs.log", path))
        assert _decided(("fs.log", str(path))) == "deny"
    assert typed(("fs.log", home / "out.log")) and _decided(("fs.log", str(home / "out.log"))) == "ask"
    assert _decided(("fs.log", str(home / "code/.nlsh/policy.toml"))) == "deny"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_a_process_of_another_user_is_not_restarted_with_what_it_was_given(tmp_path: Path) -> None:
    theirs = subprocess.Popen(["/bin/sleep", "60"], env={"LD_PRELOAD": "/tmp/evil.so"}, user=NOBODY, group=NOBODY)
    mine = subprocess.Popen(["/bin/sleep", "60"])
    try:
        with Scene(tmp_path / "scene") as scene:
            error = scene.play(f"process.restart(pid={theirs.pid})").error
            assert isinstance(error, NotPossible) and theirs.poll() is None, error
            played = scene.play(f"process.restart(pid={mine.pid})")
            assert played.error is None, played.error
            for record in played.records:
                if pid := getattr(record, "pid", 0):
                    os.kill(pid, 9)
    finally:
        for process in (theirs, mine):
            process.kill()
            process.wait()


def test_a_socket_is_forbidden_by_whichever_way_it_is_named(home: Path) -> None:
    (home / "run").mkdir()
    (home / "var-run").symlink_to(home / "run")
    users = home / ".config/nlsh/policy.toml"
    real = str(home / "run/engine.sock")
    assert _decided(("bus.read", real)) == "allow" and _decided(("bus.call", real)) == "ask"
    for target in (str(home / "var-run/engine.sock"), "~/var-run", real):
        _rule(users, "bus.*", "deny", f'target = ["{target}"]')
        assert _decided(("bus.read", real)) == "deny" and _decided(("bus.call", real)) == "deny", target
        assert _decided(("bus.read", "system")) == "allow"
    _rule(users, "bus.*", "deny", 'target = ["system"]')
    assert _decided(("bus.read", "system")) == "deny" and _decided(("bus.read", "session")) == "allow"


def test_a_log_is_not_made_through_a_link_that_came_since(home: Path) -> None:
    (home / "secret").mkdir()
    (home / "logs").mkdir()
    handles.open_logs([str(home / "logs/first")])
    os.close(handles.log(str(home / "logs/first")))
    (home / "logs/first").unlink()
    (home / "logs").rmdir()
    (home / "logs").symlink_to(home / "secret")
    with pytest.raises(StaleStep):
        handles.open_logs([str(home / "logs/second")])
    assert os.listdir(home / "secret") == []
    assert in_child(lambda: None, grant=typed(("fs.log", home / "out.log"), ("exec", "true"))).done and (home / "out.log").exists()
