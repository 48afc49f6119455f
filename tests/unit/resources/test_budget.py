"""A process that is held to a budget: what the kernel then keeps it to, and that it is said by which means."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan.errors import NotPossible
from nlsh.plan.schedule import schedule_of
from nlsh.resources import budget, inventory, limits
from nlsh.resources.budget import Budget
from nlsh.world import machine
from tests.unit.actions.fake_bus import Answer, Bus, Systemd

# Waits to be told, then tries to have 400 MB, in a process of its own.
EATER = """
import os, sys
print('ready', flush=True)
sys.stdin.readline()
child = os.fork()
if child == 0:
    try:
        eaten = bytearray(400 << 20)
    except MemoryError:
        os._exit(7)
    os._exit(0)
status = os.waitpid(child, 0)[1]
print(os.waitstatus_to_exitcode(status), os.getpriority(os.PRIO_PROCESS, 0), len(os.sched_getaffinity(0)), flush=True)
"""


@pytest.fixture
def eater() -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", EATER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout is not None
    child.stdout.readline()
    yield child
    child.kill()
    child.communicate()


def goes_on(child: subprocess.Popen[str]) -> list[int]:
    """Let it try, and return how its child ended, its nice value and its number of cores."""
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write("go\n")
    child.stdin.flush()
    return [int(n) for n in child.stdout.readline().split()]


def test_without_groups_the_process_itself_is_held_and_what_it_starts(eater: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "room", lambda _: "")
    monkeypatch.setattr(limits, "manager", lambda: "")
    held = budget.hold(eater.pid, Budget(cores=0.5, memory=300 << 20, nice=19))
    assert held.kind == "process" and all(w in held.words for w in ("1 core by affinity", "300 MB of data", "nice 19"))
    assert held.not_held[:2] == ("0.5 cores: 1 can be used", "memory of all its processes together: nlsh looks every second, and ends what takes more")
    # The kernel takes few such changes in a short time: where it did not take this one, that is said.
    if (session := limits.session(eater.pid)) is not None:
        assert session.nice == 19 or held.not_held[2:] == ("its place behind programs of other sessions",)
    assert resource.prlimit(eater.pid, resource.RLIMIT_DATA) == (300 << 20, 300 << 20)
    assert goes_on(eater) == [7, 19, 1]
    assert held.release()


def test_what_is_not_limited_is_left_as_it_is(eater: subprocess.Popen[str]) -> None:
    held = budget.hold(eater.pid, Budget())
    assert held.not_held == () and held.kind == "process"
    assert goes_on(eater) == [0, os.getpriority(os.PRIO_PROCESS, 0), len(os.sched_getaffinity(0))]


def test_by_a_real_group_where_one_can_be_made(eater: subprocess.Popen[str]) -> None:
    if not limits.room(("cpu", "memory")) or os.path.isdir(limits.BOOTED):
        pytest.skip(limits.why_not())
    held = budget.hold(eater.pid, Budget(cores=0.5, memory=300 << 20, nice=10), "a test")
    assert held.kind == "group" and "control group" in held.words and held.not_held == ()
    assert machine.cgroup_of(eater.pid) == held.place
    assert [machine.setting(held.place, s) for s in ("cpu.max", "memory.max", "cpu.weight")] == ["50000 100000", str(300 << 20), "11"]
    assert not held.release(), "it is still running"
    eater.kill()
    eater.wait()
    assert held.release() and not os.path.exists(held.place)


def test_one_that_has_ended_and_a_budget_that_is_none(eater: subprocess.Popen[str]) -> None:
    with pytest.raises(ValueError, match="more than nothing"):
        budget.hold(eater.pid, Budget(cores=0))
    eater.kill()
    eater.wait()
    with pytest.raises(ProcessLookupError):
        budget.hold(eater.pid, Budget(nice=5))


def test_it_is_over_with_its_process_and_nobody_else_ever_had_it(eater: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "room", lambda _: "")
    monkeypatch.setattr(limits, "manager", lambda: "")
    ours = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0), resource.getrlimit(resource.RLIMIT_DATA)
    held = budget.hold(eater.pid, Budget(cores=0.5, memory=300 << 20, nice=19))
    assert len(os.sched_getaffinity(eater.pid)) == 1 and os.getpriority(os.PRIO_PROCESS, eater.pid) == 19
    eater.kill()
    eater.wait()
    assert held.release() and held.place == "", "nothing is left that would have to be removed"
    # Neither who started it nor what is started next has any of it.
    assert (os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0), resource.getrlimit(resource.RLIMIT_DATA)) == ours
    says = "import os, resource; print(sorted(os.sched_getaffinity(0)), os.getpriority(os.PRIO_PROCESS, 0), resource.getrlimit(resource.RLIMIT_DATA))"
    after = subprocess.run([sys.executable, "-I", "-S", "-c", says], capture_output=True, text=True, check=True)
    assert after.stdout.strip() == f"{sorted(ours[0])} {ours[1]} {ours[2]}"


def test_more_than_there_is_and_what_cannot_be_held_is_refused_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    def wanted(**written: str) -> Budget:
        return budget.of(schedule_of("background", written))

    for written, words in (
        ({"cores": "4000"}, "4000 cores, and"),
        ({"memory": "5000TB"}, "and there is"),
        ({"memory": "1MB"}, "too little"),
        ({"gpu_memory": "5000TB"}, "graphics card"),
    ):
        with pytest.raises(NotPossible, match=words):
            wanted(**written)
    assert wanted(cpu="50%").cores == inventory.read().capacity / 2 and wanted(cores="half a core", memory="1GB") == Budget(0.5, 1 << 30)
    monkeypatch.setattr(limits, "room", lambda _: "")
    monkeypatch.setattr(limits, "manager", lambda: "")
    with pytest.raises(NotPossible, match="reads and writes cannot be limited here"):
        wanted(io="1MB/s")
    words, not_held = budget.foreseen(wanted(cores="0.5", memory="1GB"))
    assert "1 core by affinity, 1 GB of data" in words and [n.partition(":")[0] for n in not_held] == ["0.5 cores", "memory of all its processes together"]
    assert budget.foreseen(wanted()) == ("", ())


def test_a_process_that_holds_itself_is_in_a_real_group_with_what_it_starts_and_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    root = machine.cgroup_root()
    if not root or not os.access(f"{root}/cgroup.procs", os.W_OK) or os.path.isdir(limits.BOOTED):
        pytest.skip("no control group may be made here")
    # A setting that every group of version 2 has, whichever controllers there are.
    monkeypatch.setattr(limits, "settings", lambda **_: {"cgroup.max.depth": "3"})
    monkeypatch.setattr(limits, "room", lambda _: root)
    monkeypatch.setattr(budget, "_in_words", lambda *_: "depth 3")
    left = f"{root}/{limits.MARK}left-{os.getpid()}"
    os.mkdir(left)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            held = budget.hold(os.getpid(), Budget(cores=1))
            child = os.fork()
            if child == 0:
                os._exit(3 if machine.cgroup_of(os.getpid()) == held.place else 4)
            there = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
            told = [held.kind, there, machine.setting(held.place, "cgroup.max.depth"), held.release(), os.path.exists(held.place), os.path.exists(left)]
            os.write(writer, repr(told).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    assert os.read(reader, 1000).decode() == "['group', True, '3', True, False, False]"
    os.close(reader)


def test_systemd_is_asked_for_a_scope_with_all_of_it(eater: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    class Manager(Systemd):
        def answer(self, path: str, interface: str, method: str, body: tuple[Any, ...]) -> Answer:
            if method == "StartTransientUnit":
                asked.update({name: value for name, (_, value) in body[2]})
                self.units[body[0]] = {"ActiveState": "active"}
                return self._job(body[0])
            return super().answer(path, interface, method, body)

    group = tmp_path / "scope"
    group.mkdir()
    for name in ("cpu.max", "memory.max", "io.max"):
        (group / name).write_text("")
    monkeypatch.setattr(machine, "cgroup_root", lambda: str(tmp_path))
    monkeypatch.setattr(machine, "cgroup_of", lambda pid: str(group))
    monkeypatch.setattr(limits, "BOOTED", str(tmp_path))
    bus = Bus(tmp_path)
    monkeypatch.setenv(f"DBUS_{'SYSTEM' if os.geteuid() == 0 else 'SESSION'}_BUS_ADDRESS", bus.address)
    try:
        bus.serve(Manager({}))
        held = budget.hold(eater.pid, Budget(cores=0.5, memory=1 << 30, io=1 << 20))
    finally:
        bus.close()
    disks = [[f"/dev/{d.name}", 1 << 20] for d in inventory.read().disks]
    assert held.kind == "scope" and held.not_held == () and "1 MB a second" in held.words
    assert asked["PIDs"] == [eater.pid] and asked["CPUQuotaPerSecUSec"] == 500_000 and asked["MemoryMax"] == 1 << 30
    assert [list(d) for d in asked["IOReadBandwidthMax"]] == disks == [list(d) for d in asked["IOWriteBandwidthMax"]]
