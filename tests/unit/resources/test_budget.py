"""A process that is held to a budget: what the kernel then keeps it to, and that it is said by which means."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest

from nlsh.resources import budget, limits
from nlsh.resources.budget import Budget
from nlsh.world import machine

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
    assert held.kind == "process" and all(w in held.words for w in ("1 core by affinity", "300 MB of address space", "nice 19"))
    assert held.not_held[:2] == ("0.5 cores: 1 can be used", "memory of all its processes together")
    # The kernel takes few such changes in a short time: where it did not take this one, that is said.
    if (session := limits.session(eater.pid)) is not None:
        assert session.nice == 19 or held.not_held[2:] == ("its place behind programs of other sessions",)
    assert resource.prlimit(eater.pid, resource.RLIMIT_AS) == (300 << 20, 300 << 20)
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
    ours = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0), resource.getrlimit(resource.RLIMIT_AS)
    held = budget.hold(eater.pid, Budget(cores=0.5, memory=300 << 20, nice=19))
    assert len(os.sched_getaffinity(eater.pid)) == 1 and os.getpriority(os.PRIO_PROCESS, eater.pid) == 19
    eater.kill()
    eater.wait()
    assert held.release() and held.place == "", "nothing is left that would have to be removed"
    # Neither who started it nor what is started next has any of it.
    assert (os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0), resource.getrlimit(resource.RLIMIT_AS)) == ours
    says = "import os, resource; print(sorted(os.sched_getaffinity(0)), os.getpriority(os.PRIO_PROCESS, 0), resource.getrlimit(resource.RLIMIT_AS))"
    after = subprocess.run([sys.executable, "-I", "-S", "-c", says], capture_output=True, text=True, check=True)
    assert after.stdout.strip() == f"{sorted(ours[0])} {ours[1]} {ours[2]}"
