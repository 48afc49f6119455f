"""Ending, pausing, reprioritising and limiting processes: only those that these tests have started, found by names nobody else has."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import nlsh.steps.processes as steps_module
from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, NlshError, NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.steps import Step, step_from_data
from nlsh.resources import limits
from nlsh.world import World, machine, processes

ONE = f"nlshq{os.getpid()}a"
TWO = f"nlshq{os.getpid()}b"

LISTEN = "import socket,time\ns=socket.socket()\ns.bind(('127.0.0.1',0))\ns.listen()\nprint(s.getsockname()[1],flush=True)\ntime.sleep(600)\n"
DEAF = "import signal,time\nsignal.signal(signal.SIGTERM,signal.SIG_IGN)\nprint('ready',flush=True)\ntime.sleep(600)\n"
THREADS = (
    "import threading,time\n[threading.Thread(target=time.sleep,args=(600,),daemon=True).start() for _ in range(3)]\n"
    "print('ready',flush=True)\ntime.sleep(600)\n"
)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start an idle process of a given name, or a Python script; all are ended afterwards."""
    started: list[subprocess.Popen[str]] = []

    def one(name: str, script: str = "") -> subprocess.Popen[str]:
        if script:
            file = tmp_path / name
            file.write_text(script)
            child = subprocess.Popen([sys.executable, str(file)], stdout=subprocess.PIPE, text=True)
        else:
            program = tmp_path / name
            if not program.exists():
                program.symlink_to("/bin/sleep")
            child = subprocess.Popen([str(program), "600"], stdout=subprocess.PIPE, text=True)
        started.append(child)
        return child

    yield one
    for child in started:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def steps_of(text: str) -> list[Step]:
    """Return the steps of a plan of one call, as a worker gets them: through JSON."""
    (call,) = registry.parse(text).calls
    action = registry.get(call.action)
    args = action.Args.bind(call.action, call.args)
    seen = json.loads(json.dumps(action.look(args, World())))
    steps = list(action.steps(args, seen))
    for step in steps:
        assert {e.kind for e in step.effects()} <= set(action.effects)
        assert step_from_data(json.loads(json.dumps(step.as_data()))) == step
        hash(step)
    return [step_from_data(json.loads(json.dumps(s.as_data()))) for s in steps]


def run(steps: list[Step]) -> None:
    for step in steps:
        step.check()
        step.apply()


def undo(steps: list[Step]) -> None:
    back = [s.inverse() for s in reversed(steps)]
    assert None not in back
    run([step_from_data(json.loads(json.dumps(s.as_data()))) for s in back if s is not None])


def state(child: subprocess.Popen[str]) -> str:
    found = processes.read(child.pid)
    return found.state if found else ""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- ending ---


def test_kill_by_name_ends_all_of_that_program_and_no_other(start: Callable[..., subprocess.Popen[str]]) -> None:
    first, second, other = start(ONE), start(ONE), start(TWO)
    steps = steps_of(f'process.kill(name="{ONE}")')
    assert {s.pid for s in steps} == {first.pid, second.pid}  # type: ignore[attr-defined]
    for step, child in zip(sorted(steps, key=lambda s: s.pid), sorted((first, second), key=lambda c: c.pid), strict=True):  # type: ignore[attr-defined]
        assert str(child.pid) in step.describe() and ONE in step.describe()
        assert f"proc.signal:{child.pid}" in [f"{e.kind}:{e.target}" for e in step.effects()]
        assert step.inverse() is None
    run(steps)
    assert first.wait(10) == second.wait(10) == -signal.SIGTERM
    assert other.poll() is None


def test_kill_by_name_takes_another_case_but_never_part_of_a_name(start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(ONE)
    assert [s.pid for s in steps_of(f'process.kill(name="{ONE.upper()}")')] == [child.pid]  # type: ignore[attr-defined]
    with pytest.raises(NotFound) as caught:
        steps_of(f'process.kill(name="{ONE[:-1]}")')
    assert ONE in caught.value.hint


def test_kill_finds_a_script_by_its_name_with_and_without_ending(start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(f"{ONE}.py", DEAF)
    line(child)
    assert [s.pid for s in steps_of(f'process.kill(name="{ONE}.py")')] == [child.pid]  # type: ignore[attr-defined]
    assert [s.pid for s in steps_of(f'process.kill(name="{ONE}")')] == [child.pid]  # type: ignore[attr-defined]


def test_a_name_that_several_programs_have_is_refused_and_names_them(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    first, second = start(f"{ONE}.py", DEAF), start(f"{ONE}.sh", DEAF)
    line(first), line(second)
    with pytest.raises(Refused) as caught:
        steps_of(f'process.kill(name="{ONE}")')
    assert str(first.pid) in caught.value.message and str(second.pid) in caught.value.message
    assert first.poll() is None and second.poll() is None


def test_kill_by_port_ends_only_who_listens_there(start: Callable[..., subprocess.Popen[str]]) -> None:
    first, second = start(f"{ONE}.py", LISTEN), start(f"{TWO}.py", LISTEN)
    port, _ = line(first), line(second)
    steps = steps_of(f'process.kill(port="{port}")')
    assert [s.pid for s in steps] == [first.pid]  # type: ignore[attr-defined]
    run(steps)
    assert first.wait(10) == -signal.SIGTERM
    assert second.poll() is None
    with pytest.raises(NotFound, match=port):
        steps_of(f'process.kill(port="{port}")')


def test_name_and_port_together_mean_only_what_is_both(start: Callable[..., subprocess.Popen[str]]) -> None:
    listener, idle = start(f"{ONE}.py", LISTEN), start(TWO)
    port = line(listener)
    with pytest.raises(NotFound):
        steps_of(f'process.kill(name="{TWO}", port="{port}")')
    assert idle.poll() is None


def test_force_ends_one_that_ignores_the_request(start: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    child = start(f"{ONE}.py", DEAF)
    line(child)
    monkeypatch.setattr(steps_module, "WAIT_S", 0.2)
    with pytest.raises(NlshError) as caught:
        run(steps_of(f'process.kill(pid="{child.pid}")'))
    assert caught.value.code == "process.still-running" and "force" in caught.value.hint
    assert child.poll() is None
    run(steps_of(f'process.kill(pid="{child.pid}", force=true)'))
    assert child.wait(10) == -signal.SIGKILL


def test_a_paused_process_can_be_ended(start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(ONE)
    child.send_signal(signal.SIGSTOP)
    until(lambda: state(child) == "T")
    run(steps_of(f'process.kill(name="{ONE}")'))
    assert child.wait(10) == -signal.SIGTERM


def test_one_that_has_ended_since_the_preview_is_stale_and_no_other_is_signalled(start: Callable[..., subprocess.Popen[str]]) -> None:
    first, second = start(ONE), start(ONE)
    steps = steps_of(f'process.kill(name="{ONE}")')
    victim = next(c for c in (first, second) if c.pid == steps[-1].pid)  # type: ignore[attr-defined]
    victim.kill()
    victim.wait()
    with pytest.raises(StaleStep):
        run(steps)
    assert next(c for c in (first, second) if c is not victim).poll() is None


def test_one_that_ends_with_another_of_the_same_call_is_no_error(start: Callable[..., subprocess.Popen[str]]) -> None:
    first, second = start(ONE), start(ONE)
    steps = steps_of(f'process.kill(name="{ONE}")')
    run(steps[:1])
    for child in (first, second):
        child.kill()
        child.wait()
    run(steps[1:])


def test_a_number_that_another_process_has_now_is_stale(start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(ONE)
    for text in (f'process.kill(pid="{child.pid}")', f'process.pause(pid="{child.pid}")', f'process.priority(pid="{child.pid}", level="low")'):
        (step,) = steps_of(text)
        data = {**step.as_data(), "started": "1@another"}
        if "begins" in data:
            data["begins"] = data["awaits"] = []
        changed = step_from_data(data)
        with pytest.raises(StaleStep):
            changed.check()
        with pytest.raises(StaleStep):
            changed.apply()
    found = processes.read(child.pid)
    assert found is not None and found.state != "T" and found.nice == os.getpriority(os.PRIO_PROCESS, 0)
    assert child.poll() is None


@pytest.mark.parametrize("pid", ["1", str(os.getpid())])
def test_the_first_process_and_nlsh_itself_are_refused(pid: str) -> None:
    for text in (f'process.kill(pid="{pid}", force=true)', f'process.pause(pid="{pid}")', f'process.priority(pid="{pid}", level="low")'):
        with pytest.raises(Refused):
            steps_of(text)


def test_kernel_threads_are_refused() -> None:
    thread = next((p for p in processes.every() if p.kernel_thread), None)
    if thread is None:
        pytest.skip("no kernel thread can be seen from here")
    with pytest.raises(Refused, match="kernel"):
        steps_of(f'process.kill(pid="{thread.pid}")')


def test_what_nlsh_runs_in_is_refused_unless_named_by_number(monkeypatch: pytest.MonkeyPatch, start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(ONE)
    lineage = processes.lineage
    monkeypatch.setattr(processes, "lineage", lambda pid: (*lineage(pid), child.pid) if pid == os.getpid() else lineage(pid))
    with pytest.raises(Refused, match="runs in"):
        steps_of(f'process.kill(name="{ONE}")')
    with pytest.raises(Refused, match="runs in"):
        steps_of(f'process.kill("{child.pid}")')
    assert [s.pid for s in steps_of(f'process.kill(pid="{child.pid}")')] == [child.pid]  # type: ignore[attr-defined]


def test_nothing_given_is_an_error() -> None:
    for action in ("process.kill", "process.pause", "process.resume", "process.priority", "resource.limit"):
        with pytest.raises(BadArgument, match="everything"):
            steps_of(f"{action}()")


def test_one_that_has_ended_and_was_not_collected_is_said_so(start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(ONE)
    os.kill(child.pid, signal.SIGKILL)
    until(lambda: state(child) == "Z")
    with pytest.raises(NotPossible, match="ended already"):
        steps_of(f'process.kill(pid="{child.pid}")')
    with pytest.raises(NotFound):
        steps_of(f'process.kill(name="{ONE}")')


# --- pausing ---


def test_pause_and_undo_and_resume(start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(ONE)
    steps = steps_of(f'process.pause(name="{ONE}")')
    assert steps[0].state() == "undone"
    run(steps)
    until(lambda: state(child) == "T")
    assert steps[0].state() == "done"
    assert steps_of(f'process.pause(name="{ONE}")') == []
    undo(steps)
    until(lambda: state(child) == "S")
    assert steps_of(f'process.resume(name="{ONE}")') == []
    run(steps)
    resume = steps_of(f'process.resume(pid="{child.pid}")')
    run(resume)
    until(lambda: state(child) == "S")
    undo(resume)
    until(lambda: state(child) == "T")


# --- priority ---


def nices(pid: int) -> list[int]:
    return [os.getpriority(os.PRIO_PROCESS, t) for t in processes.threads(pid)]


def test_priority_reaches_every_thread_and_is_undone(start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(f"{ONE}.py", THREADS)
    line(child)
    before = nices(child.pid)
    assert len(before) == 4
    steps = steps_of(f'process.priority(name="{ONE}", level="low")')
    assert "nice 10" in steps[0].describe()
    run(steps)
    assert nices(child.pid) == [10] * 4
    assert steps[0].state() == "done"
    assert steps_of(f'process.priority(pid="{child.pid}", nice="10")') == []
    if os.geteuid() == 0:
        back = steps[0].inverse()
        assert back is not None and "priv.root" in {e.kind for e in back.effects()}
        undo(steps)
        assert nices(child.pid) == before


def test_raising_a_priority_says_that_it_needs_root(start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(ONE)
    if os.geteuid() != 0:
        with pytest.raises(NotPossible, match="root"):
            steps_of(f'process.priority(pid="{child.pid}", level="high")')
        return
    steps = steps_of(f'process.priority(pid="{child.pid}", level="high")')
    assert "priv.root" in {e.kind for e in steps[0].effects()}
    run(steps)
    assert nices(child.pid) == [-5]
    undo(steps)
    assert nices(child.pid) == [0]


@pytest.mark.parametrize(
    ("nice", "level", "after"),
    [(15, "low", 15), (19, "low", 19), (12, "lowest", 19), (3, "low", 10), (10, "low", 10), (-10, "high", -10), (-10, "highest", -15), (15, "normal", 0)],
)
def test_a_lower_priority_is_never_a_higher_one(start: Callable[..., subprocess.Popen[str]], nice: int, level: str, after: int) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can raise a priority")
    child = start(ONE)
    os.setpriority(os.PRIO_PROCESS, child.pid, nice)
    unit = registry.get("process.priority")
    args = unit.Args.bind("process.priority", {"pid": str(child.pid), "level": level})
    seen = unit.look(args, World())
    steps = tuple(unit.steps(args, seen))
    run(steps)
    assert os.getpriority(os.PRIO_PROCESS, child.pid) == after
    notes = unit.notes(args, seen)
    further = nice == after and nice not in (10,)
    assert [f"stays at nice {nice}: that is {'lower' if nice > 0 else 'higher'} than {level}" in n for n in notes] == ([True] if further else [])
    undo(steps)
    assert os.getpriority(os.PRIO_PROCESS, child.pid) == nice


def test_priority_needs_one_of_level_and_nice(start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(ONE)
    for more in ("", ', level="low", nice="5"'):
        with pytest.raises(BadArgument, match="level or a nice"):
            steps_of(f'process.priority(pid="{child.pid}"{more})')


AS_NOBODY = """
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
from nlsh.plan import registry
from nlsh.plan.errors import NlshError
from nlsh.world import World, privilege
privilege.folders = ()  # sudo may be here
for text in sys.argv[1:]:
    (call,) = registry.parse(text).calls
    action = registry.get(call.action)
    args = action.Args.bind(call.action, call.args)
    try:
        found = action.look(args, World())
        print(next(action.steps(args, found)).describe(), "inverse" if next(action.steps(args, found)).inverse() else "no inverse")
    except NlshError as error:
        print(error.code, error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_another_user_may_neither_end_nor_tune_it_nor_lower_again_what_it_raised(start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(ONE)
    mine = subprocess.Popen(["/bin/sleep", "600"], user=65534)
    try:
        plans = [
            f'process.kill(pid="{child.pid}")',
            f'process.priority(pid="{mine.pid}", level="high")',
            f'process.priority(pid="{mine.pid}", level="low")',
            f'process.kill(pid="{mine.pid}")',
        ]
        # Everything is imported before the user changes: another user may not read this checkout.
        imports = "import nlsh.plan.reading, nlsh.plan.registry, pwd, difflib\n[nlsh.plan.registry.get(n) for n in ('process.kill', 'process.priority')]\n"
        done = subprocess.run([sys.executable, "-c", imports + AS_NOBODY, *plans], capture_output=True, text=True, check=True)
        foreign, raised, lowered, own = done.stdout.splitlines()
        assert foreign.startswith("world.not-possible") and "belongs to root" in foreign
        assert raised.startswith("world.not-possible") and "root" in raised
        assert "only root can set it back" in lowered and lowered.endswith("no inverse")
        assert str(mine.pid) in own and own.startswith("end ")
        # The control: root may, and it is said that root rights are needed.
        (step,) = steps_of(f'process.kill(pid="{mine.pid}")')
        assert "priv.root" in {e.kind for e in step.effects()}
        run([step])
        assert mine.wait(10) == -signal.SIGTERM
    finally:
        mine.kill()
        mine.wait()


@pytest.mark.parametrize("call", ['process.priority(pid="{}", level="low")', 'resource.limit(pid="{}", memory="1GB")', 'resource.limit(pid="{}", cores="1")'])
def test_what_somebody_else_has_changed_since_is_stale(call: str, start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(ONE)
    if "cores" in call and len(os.sched_getaffinity(child.pid)) < 2:
        pytest.skip("one core cannot be limited to fewer")
    (step,) = steps_of(call.format(child.pid))
    run([step])
    back = step.inverse()
    assert back is not None
    back.check()
    os.setpriority(os.PRIO_PROCESS, child.pid, 12)
    resource.prlimit(child.pid, resource.RLIMIT_AS, (2**31, resource.prlimit(child.pid, resource.RLIMIT_AS)[1]))
    os.sched_setaffinity(child.pid, machine.online_cores())
    with pytest.raises(StaleStep, match="changed since"):
        back.check()


# --- limits ---


def test_cores_are_limited_for_every_thread_and_given_back(start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(f"{ONE}.py", THREADS)
    line(child)
    before = [os.sched_getaffinity(t) for t in processes.threads(child.pid)]
    if len(before[0]) < 2:
        pytest.skip("one core cannot be limited to fewer")
    steps = steps_of(f'resource.limit(name="{ONE}", cores="1")')
    run(steps)
    after = [os.sched_getaffinity(t) for t in processes.threads(child.pid)]
    assert all(len(cores) == 1 and cores == after[0] for cores in after)
    assert steps[0].state() == "done"
    undo(steps)
    assert [os.sched_getaffinity(t) for t in processes.threads(child.pid)] == before


def test_named_cores_are_taken_and_cores_that_are_not_there_are_not_possible(start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(ONE)
    cores = machine.online_cores()
    if len(cores) > 1:
        steps = steps_of(f'resource.limit(pid="{child.pid}", cores="{cores[-2]}-{cores[-1]}")')
        run(steps)
        assert os.sched_getaffinity(child.pid) == set(cores[-2:])
    with pytest.raises(NotPossible, match=str(len(cores))):
        steps_of(f'resource.limit(pid="{child.pid}", cores="{len(cores) + 1}")')
    with pytest.raises(NotPossible, match="no core"):
        steps_of(f'resource.limit(pid="{child.pid}", cores="0-{cores[-1] + 1}")')


def test_memory_is_limited_by_rlimit_and_given_back(start: Callable[..., subprocess.Popen[str]], no_groups: None) -> None:
    child = start(ONE)
    before = resource.prlimit(child.pid, resource.RLIMIT_AS)
    steps = steps_of(f'resource.limit(pid="{child.pid}", memory="1GB")')
    assert "rlimit" in steps[0].describe() and "1 GB" in steps[0].describe()
    run(steps)
    assert resource.prlimit(child.pid, resource.RLIMIT_AS) == (1024**3, before[1])
    assert steps[0].state() == "done"
    undo(steps)
    assert resource.prlimit(child.pid, resource.RLIMIT_AS) == before


def test_a_limit_below_what_it_has_is_not_possible(start: Callable[..., subprocess.Popen[str]], no_groups: None) -> None:
    child = start(ONE)
    before = resource.prlimit(child.pid, resource.RLIMIT_AS)
    with pytest.raises(NotPossible, match="address space"):
        steps_of(f'resource.limit(pid="{child.pid}", memory="100KB")')
    assert resource.prlimit(child.pid, resource.RLIMIT_AS) == before


@pytest.fixture
def no_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "find", lambda *_: limits.Means("priority"))


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that stands in for a control group of every process: real ones cannot be had everywhere."""
    folder = tmp_path / "group"
    folder.mkdir()
    (folder / "memory.max").write_text("max\n")
    (folder / "cpu.max").write_text("max 100000\n")
    monkeypatch.setattr(machine, "cgroup_of", lambda pid: str(folder))
    monkeypatch.setattr(limits, "BOOTED", "/nonexistent")
    return folder


def test_a_control_group_of_its_own_is_preferred(start: Callable[..., subprocess.Popen[str]], group: Path) -> None:
    child = start(ONE)
    (group / "cgroup.procs").write_text(f"{child.pid}\n")
    steps = steps_of(f'resource.limit(pid="{child.pid}", memory="1GB", cpu="half")')
    assert all("control group" in s.describe() for s in steps)
    assert {"fs.write", "proc.tune"} <= {e.kind for s in steps for e in s.effects()}
    run(steps)
    assert (group / "memory.max").read_text() == str(1024**3)
    assert (group / "cpu.max").read_text() == f"{len(machine.online_cores()) * 50_000} 100000"
    assert [s.state() for s in steps] == ["done", "done"]
    undo(steps)
    assert (group / "memory.max").read_text() == "max"
    assert (group / "cpu.max").read_text() == "max 100000"


@pytest.mark.parametrize(
    ("cpu", "quota", "words"),
    [
        ("50%", 50_000, "50% of one core, as process.list counts it, is the time of 0.5 of 16 cores"),
        ("100%", 100_000, "the time of 1 of 16 cores"),
        ("250%", 250_000, "the time of 2.5 of 16 cores"),
        ("50% of the machine", 800_000, "50% of the machine is the time of 8 of 16 cores"),
        ("half", 800_000, "the time of 8 of 16 cores"),
    ],
)
def test_per_cent_are_of_one_core_as_in_the_list(
    start: Callable[..., subprocess.Popen[str]], group: Path, monkeypatch: pytest.MonkeyPatch, cpu: str, quota: int, words: str
) -> None:
    child = start(ONE)
    (group / "cgroup.procs").write_text(f"{child.pid}\n")
    monkeypatch.setattr(machine, "online_cores", lambda: tuple(range(16)))
    unit = registry.get("resource.limit")
    args = unit.Args.bind("resource.limit", {"pid": str(child.pid), "cpu": cpu})
    seen = unit.look(args, World())
    (step,) = unit.steps(args, seen)
    assert step.new == f"{quota} 100000"
    (note,) = unit.notes(args, seen)
    # It sleeps: it uses none now.
    assert words in note and "uses 0 now. That is no more" in note


def test_more_per_cent_than_there_are_cores_is_no_limit(start: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "online_cores", lambda: (0, 1))
    with pytest.raises(NotPossible, match="200% is all of it"):
        steps_of(f'resource.limit(pid="{start(ONE).pid}", cpu="250%")')


def test_a_control_group_with_others_in_it_is_left_alone(start: Callable[..., subprocess.Popen[str]], group: Path) -> None:
    child, other = start(ONE), start(TWO)
    (group / "cgroup.procs").write_text(f"{child.pid}\n{other.pid}\n")
    (step,) = steps_of(f'resource.limit(pid="{child.pid}", memory="1GB")')
    assert "rlimit" in step.describe()
    with pytest.raises(NotPossible, match="no control group of its own") as caught:
        steps_of(f'resource.limit(pid="{child.pid}", cpu="50%")')
    assert "cores=" in caught.value.hint and "process.priority" in caught.value.hint


def test_one_that_joins_the_control_group_after_the_preview_makes_it_stale(start: Callable[..., subprocess.Popen[str]], group: Path) -> None:
    child = start(ONE)
    (group / "cgroup.procs").write_text(f"{child.pid}\n")
    (step,) = steps_of(f'resource.limit(pid="{child.pid}", cpu="50%")')
    (group / "cgroup.procs").write_text(f"{child.pid}\n{os.getpid()}\n")
    with pytest.raises(StaleStep, match="joined"):
        step.check()


def test_limit_needs_something_to_limit(start: Callable[..., subprocess.Popen[str]]) -> None:
    child = start(ONE)
    with pytest.raises(BadArgument, match="cores"):
        steps_of(f'resource.limit(pid="{child.pid}")')


def test_the_port_that_nlsh_itself_listens_on_is_refused() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(Refused, match="nlsh itself"):
            steps_of(f'process.kill(port="{listener.getsockname()[1]}")')
