"""Looking at processes, resources, devices, the network and the system: real ones of this test's own where it can be."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotFound
from nlsh.plan.records import Note, Process, Record, record_from_data
from nlsh.world import World, machine, processes
from tests.unit.actions.conftest import mounted

NAME = f"nlshl{os.getpid()}"


def look(text: str) -> list[Record]:
    """Return what a plan of one reading call finds, through JSON as from a worker, notes left out."""
    return [r for r in with_notes(text) if not isinstance(r, Note)]


def with_notes(text: str) -> list[Record]:
    (call,) = registry.parse(text).calls
    action = registry.get(call.action)
    args = action.Args.bind(call.action, call.args)
    (step,) = action.steps(args, json.loads(json.dumps(action.look(args, World()))))
    assert step.reads_only and {e.kind for e in step.effects()} <= set(action.effects)
    found = step.apply()
    assert found is not None
    return [record_from_data(json.loads(json.dumps(r.as_data()))) for r in found]


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    (tmp_path / NAME).symlink_to("/bin/sleep")
    with subprocess.Popen([str(tmp_path / NAME), "600"]) as child:
        yield child
        child.kill()


def test_find_by_name_id_and_part_of_a_name(idle: subprocess.Popen[bytes]) -> None:
    for text in (f'name="{NAME}"', f'pid="{idle.pid}"', f'name="{NAME[:-1]}"', f'name="{NAME.upper()}"', f'"{NAME}"'):
        (found,) = look(f"process.find({text})")
        assert (found.pid, found.name) == (idle.pid, NAME)  # type: ignore[attr-defined]
    (found,) = look(f'process.find(pid="{idle.pid}")')
    assert found.command.endswith(f"{NAME} 600") and found.memory_bytes > 0  # type: ignore[attr-defined]
    assert found.user == processes.user_name(os.getuid()) and found.status == "sleeping"  # type: ignore[attr-defined]


def test_what_is_not_there_is_said(idle: subprocess.Popen[bytes], home: Path) -> None:
    (home / "nobody.txt").write_text("x")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for text in (f'name="{NAME}-absent"', f'port="{port}"', f'pid="{2**22 - 1}"', 'using="nobody.txt"', f'name="{NAME}", using="nobody.txt"'):
        with pytest.raises(NotFound):
            look(f"process.find({text})")


def test_find_by_port_names_the_listener_and_the_port() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        # The process that looks leaves itself out, so another one holds the socket here.
        with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=[listener.fileno()]) as child:
            (found,) = look(f'process.find(port="{port}")')
            assert (found.pid, found.port) == (child.pid, port)  # type: ignore[attr-defined]
            sockets = [s for s in look("network.ports()") if s.port == port]  # type: ignore[attr-defined]
            assert {s.pid for s in sockets} == {child.pid, os.getpid()}  # type: ignore[attr-defined]
            assert {(s.protocol, s.address) for s in sockets} == {("tcp", "127.0.0.1")}  # type: ignore[attr-defined]
            assert child.stdin is not None
            child.stdin.close()


def test_find_by_file_in_use_and_by_folder(home: Path) -> None:
    (home / "sub").mkdir()
    file = home / "sub/open.txt"
    file.write_text("x")
    (home / "sub/link.txt").hardlink_to(file)
    (home / "other.txt").write_text("x")
    code = f"f=open({str(file)!r}); print('ready', flush=True); import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/") as child:
        assert child.stdout is not None and child.stdout.readline()
        for place in ("sub/open.txt", "sub", "sub/link.txt"):
            assert [p.pid for p in look(f'process.find(using="{place}")')] == [child.pid]  # type: ignore[attr-defined]
        with pytest.raises(NotFound):
            look('process.find(using="other.txt")')
        assert child.stdin is not None
        child.stdin.close()


def test_find_by_working_folder(home: Path) -> None:
    (home / "here").mkdir()
    with subprocess.Popen(["/bin/sleep", "600"], cwd=home / "here") as child:
        assert [p.pid for p in look('process.find(using="here")')] == [child.pid]  # type: ignore[attr-defined]
        child.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount, and make devices")
def test_find_by_the_disk_that_is_in_use(home: Path) -> None:
    """Whoever uses a stick does not have the device open but what is on it."""
    with mounted(home / "stick") as stick:
        try:
            os.mknod(home / "device", 0o600 | stat.S_IFBLK, os.stat(stick).st_dev)
        except OSError:
            pytest.skip("no devices can be made here")
        with pytest.raises(NotFound):
            look('process.find(using="device")')
        with subprocess.Popen(["/bin/sleep", "600"], cwd=stick) as child:
            assert [p.pid for p in look('process.find(using="device")')] == [child.pid]  # type: ignore[attr-defined]
            child.kill()


def test_list_sorts_and_limits_and_leaves_kernel_threads_out(idle: subprocess.Popen[bytes]) -> None:
    everyone = look("process.list()")
    found = {p.pid for p in everyone}  # type: ignore[attr-defined]
    assert idle.pid in found and os.getpid() not in found
    assert not any(processes.read(p).kernel_thread for p in found if processes.read(p))  # type: ignore[union-attr]
    for sort, key in (
        ("memory", lambda p: -p.memory_bytes), ("cpu", lambda p: -p.cpu_percent), ("newest", lambda p: -p.started_at),
        ("oldest", lambda p: p.started_at), ("name", lambda p: p.name.casefold()),
    ):  # fmt: skip
        keys = [key(p) for p in look(f'process.list(sort="{sort}", limit="20")')]
        assert keys == sorted(keys) and 1 < len(keys) <= 20
    assert len(look('process.list(sort="memory", limit="1")')) == 1


def test_list_says_what_programs_use_with_all_their_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """“Which app uses the most memory”: 40 processes of a browser use more than the one that is first in the list."""
    mib = 1 << 20
    used = [("render", 800 * mib, 3.0), *(("chrome", 150 * mib, 5.0) for _ in range(40)), ("sh", mib, 0.0), ("sh", mib, 0.0)]
    records = [Process(n, name, cpu_percent=cpu, memory_bytes=memory) for n, (name, memory, cpu) in enumerate(used, start=1)]
    monkeypatch.setattr(processes, "sampled", lambda chosen, seconds: iter(records))
    first, note = with_notes('process.list(sort="memory", limit="1")')
    assert (first.name, note.text) == ("render", "By program, all its processes together: chrome 5.9 GB (40 processes).")  # type: ignore[attr-defined]
    *rows, note = with_notes('process.list(sort="memory")')
    assert len(rows) == 43
    assert note.text.endswith("chrome 5.9 GB (40 processes), render 800 MB, sh 2 MB (2 processes).")  # type: ignore[attr-defined]
    *_, note = with_notes('process.list(sort="cpu", limit="3")')
    assert note.text.endswith("chrome 200% (40 processes), render 3%.")  # type: ignore[attr-defined]
    assert not any(isinstance(r, Note) for r in with_notes('process.list(sort="newest", limit="1")'))
    # Where each program has one process, the list says it all.
    del records[1:]
    assert len(with_notes('process.list(sort="memory", limit="1")')) == 1


def test_list_measures_who_is_busy() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            used = {p.pid: p.cpu_percent for p in look('process.list(sort="cpu")')}  # type: ignore[attr-defined]
        finally:
            busy.kill()
    assert used[busy.pid] > 0


def test_list_of_a_user_and_of_nobody(idle: subprocess.Popen[bytes]) -> None:
    mine = look('process.list(user="me")')
    assert idle.pid in {p.pid for p in mine}  # type: ignore[attr-defined]
    assert {p.user for p in mine} == {processes.user_name(os.geteuid())}  # type: ignore[attr-defined]
    with pytest.raises(NotFound, match="no user"):
        look('process.list(user="nlsh-no-such-user")')


def test_resources() -> None:
    (cpu,) = look("resource.cpu()")
    assert cpu.core == "all" and 0 <= cpu.used_percent <= 100 and cpu.load_1m is not None  # type: ignore[attr-defined]
    assert len(look("resource.cpu(each=true)")) == len(machine.online_cores())
    memory = look("resource.memory()")[0]
    assert memory.kind == "memory" and 0 < memory.available_bytes <= memory.total_bytes  # type: ignore[attr-defined]


def test_disk_of_a_folder_is_where_it_lies(home: Path) -> None:
    (home / "photos").mkdir()
    (disk,) = look('resource.disk("photos")')
    room = os.statvfs(home)
    assert disk.total_bytes == room.f_blocks * room.f_frsize  # type: ignore[attr-defined]
    assert str(home.resolve()).startswith(disk.mount)  # type: ignore[attr-defined]
    assert "/" in {d.mount for d in look("resource.disk()")}  # type: ignore[attr-defined]
    with pytest.raises(NotFound):
        look('resource.disk("nowhere")')


def test_mounts_system_uptime_and_addresses() -> None:
    assert "/proc" in {m.mount for m in look("device.mounts()")}  # type: ignore[attr-defined]
    facts = {f.name: f.value for f in look("system.info()")}  # type: ignore[attr-defined]
    assert facts["host"] == os.uname().nodename and facts["kernel"].endswith(os.uname().release) and all(facts.values())
    assert [f.name for f in look("system.uptime()")] == ["up", "since", "load"]  # type: ignore[attr-defined]
    assert ("lo", "IPv4", "127.0.0.1") in {(a.interface, a.family, a.address) for a in look("network.addresses()")}  # type: ignore[attr-defined]


@pytest.mark.parametrize("action", ["device.block", "device.usb", "device.gpu"])
def test_devices_are_listed_or_it_is_said_why_not(action: str) -> None:
    try:
        found = look(f"{action}()")
    except NlshError as error:
        assert error.code == "world.not-possible" and error.message and error.hint
    else:
        assert all(d.name and d.kind for d in found)  # type: ignore[attr-defined]


def test_every_action_here_has_examples_that_parse_and_a_changing_one_is_refused_somewhere() -> None:
    for name in registry.names():
        if name.split(".")[0] in ("process", "resource", "device", "network", "system"):
            action = registry.get(name)
            assert action.examples and action.summary().endswith(".")
            assert any("\u4e00" <= c <= "\u9fff" for e in action.examples for s in e.say for c in s)
            for example in action.examples:
                registry.parse(example.plan.replace("{pid:", "{").replace("{port:", "{"))
            assert action.reads_only() or any(e.refused for e in action.examples)
