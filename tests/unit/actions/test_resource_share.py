"""Sharing the machine out: by which means, what is written where, in a confined worker, and that it is all taken back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nlsh.actions.resource import fit
from nlsh.guard.grant import Grant
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, NlshError, NotPossible, StaleStep
from nlsh.plan.steps import Step, step_from_data
from nlsh.resources import inventory, limits
from nlsh.steps.groups import EnterGroup, LeaveGroup, SetGroup, remove_empty
from nlsh.world import World, machine, processes
from tests.unit.actions.fake_bus import Answer, Bus, Refusal, Systemd

TRAIN, SERVE = f"nlshs{os.getpid()}t", f"nlshs{os.getpid()}s"
WAIT = "import time\nprint('ready',flush=True)\ntime.sleep(600)\n"


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    started = Zygote.start()
    yield started
    started.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a process that waits, of a given name, in a session of its own if that is asked for."""
    started = []

    def one(name: str, *, session: bool = False) -> subprocess.Popen[bytes]:
        script = tmp_path / f"{name}.py"
        script.write_text(WAIT)
        child = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, start_new_session=session)
        assert child.stdout is not None
        child.stdout.readline()
        started.append(child)
        return child

    yield one
    for child in started:
        child.kill()
        child.communicate()


@pytest.fixture
def no_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "find", lambda *_: limits.Means("priority"))


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    found = inventory.read()
    if len(found.cores) < 2:
        pytest.skip("there is one core here")
    only = replace(found, cores=found.cores[:2], quota=None)
    monkeypatch.setattr(inventory, "read", lambda: only)
    return only.cores[0].number, only.cores[1].number


def steps_of(text: str) -> list[Step]:
    """Return the steps of a plan of one call, as a worker gets them: through JSON."""
    (call,) = registry.parse(text).calls
    action = registry.get(call.action)
    args = action.Args.bind(call.action, call.args)
    steps = list(action.steps(args, json.loads(json.dumps(action.look(args, World())))))
    assert {e.kind for s in steps for e in s.effects()} <= set(action.effects)
    return [step_from_data(json.loads(json.dumps(s.as_data()))) for s in steps]


def run(zygote: Zygote, steps: list[Step]) -> list[dict[str, Any]]:
    grant = Grant.of(e for s in steps for e in s.effects())
    job = {"steps": [s.as_data() for s in steps], "grant": grant.as_data(), "cwd": os.getcwd(), "env": dict(os.environ)}
    return [m for m in zygote.run(job) if m["type"] in ("done", "failed", "denied")]


def does(zygote: Zygote, steps: list[Step]) -> None:
    messages = run(zygote, steps)
    assert len(messages) == len(steps) and {m["type"] for m in messages} <= {"done"}, messages


def back(steps: list[Step]) -> list[Step]:
    return [inverse for s in reversed(steps) if (inverse := s.inverse()) is not None]


def test_without_groups_half_is_a_core_of_its_own_and_undo_gives_all_back(
    zygote: Zygote, start: Callable[..., subprocess.Popen[bytes]], no_groups: None, two_cores: tuple[int, int]
) -> None:
    train, serve = start(TRAIN), start(SERVE)
    before = [os.sched_getaffinity(c.pid) for c in (train, serve)]
    steps = steps_of(f'resource.share(["{TRAIN}", "{SERVE}"], share="half")')
    assert all("by affinity, as " in s.describe() for s in steps)
    does(zygote, steps)
    cores = [os.sched_getaffinity(c.pid) for c in (train, serve)]
    assert sorted(len(c) for c in cores) == [1, 1] and cores[0] | cores[1] == set(two_cores)
    assert [s.state() for s in steps] == ["done"] * len(steps)
    does(zygote, back(steps))
    assert [os.sched_getaffinity(c.pid) for c in (train, serve)] == before


def test_without_groups_parts_of_a_core_are_had_by_priority(
    zygote: Zygote, start: Callable[..., subprocess.Popen[bytes]], no_groups: None, two_cores: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "session", lambda pid: None)
    train, serve, usual = start(TRAIN), start(SERVE), os.getpriority(os.PRIO_PROCESS, 0)
    steps = steps_of(f'resource.share(["{TRAIN}", "{SERVE}"], share=["35%", "15%"])')
    does(zygote, steps)
    assert os.sched_getaffinity(train.pid) == os.sched_getaffinity(serve.pid) and len(os.sched_getaffinity(train.pid)) == 1
    # 0.7 to 0.3 of a core: 1.25 for each step of nice, four steps. Only root may go below what they had.
    least = 0 if os.geteuid() == 0 else usual
    assert (os.getpriority(os.PRIO_PROCESS, train.pid), os.getpriority(os.PRIO_PROCESS, serve.pid)) == (least, least + 4)
    assert "by nice: about 29%" in steps[-1].describe()
    if os.geteuid() == 0:
        does(zygote, back(steps))
        assert os.getpriority(os.PRIO_PROCESS, serve.pid) == usual
    else:
        assert "only root can set it back" in steps[-1].describe()


def test_programs_of_sessions_of_their_own_are_ranked_by_session(
    zygote: Zygote, start: Callable[..., subprocess.Popen[bytes]], no_groups: None, two_cores: tuple[int, int]
) -> None:
    train, serve = start(TRAIN, session=True), start(SERVE, session=True)
    if limits.session(serve.pid) is None:
        pytest.skip("Linux forms no sessions that compete as one here")
    steps = steps_of(f'resource.share(["{TRAIN}", "{SERVE}"], share=["35%", "15%"])')
    does(zygote, steps)
    found = limits.session(serve.pid)
    assert found is not None and found.nice == 4 and found.members == (serve.pid,)
    assert os.getpriority(os.PRIO_PROCESS, serve.pid) == os.getpriority(os.PRIO_PROCESS, 0)
    if os.geteuid() == 0:
        does(zygote, back(steps))
        assert (now := limits.session(serve.pid)) is not None and now.nice == 0
    assert (other := limits.session(train.pid)) is not None and other.nice == 0


def test_what_does_not_go_in_says_what_to_ask_less_of(start: Callable[..., subprocess.Popen[bytes]]) -> None:
    train, serve = start(TRAIN), start(SERVE)
    with pytest.raises(NotPossible, match="make 120%, which is 20% too much") as caught:
        steps_of(f'resource.share(["{TRAIN}", "{SERVE}"], share=["70%", "50%"])')
    assert f"{TRAIN} 50% instead of 70%" in caught.value.hint and f"{SERVE} 30% instead of 50%" in caught.value.hint
    with pytest.raises(NotPossible, match="not so much memory") as caught:
        steps_of(f'resource.share("{TRAIN}", memory="{machine.total_memory() // 2**30 + 2}GB")')
    assert "instead of" in caught.value.hint
    with pytest.raises(NotPossible, match=r"holds .* already"):
        steps_of(f'resource.share("{TRAIN}", memory="1MB")')
    with pytest.raises(BadArgument, match="meant twice"):
        steps_of(f'resource.share("{TRAIN}", pid="{train.pid}", share="30%")')
    with pytest.raises(BadArgument, match="limited and come first"):
        steps_of(f'resource.share("{SERVE}", share="30%", first="{SERVE}")')
    assert os.sched_getaffinity(serve.pid) == os.sched_getaffinity(0)


def test_spare_is_last_at_the_processor_and_the_disk_and_release_takes_it_off(
    zygote: Zygote, start: Callable[..., subprocess.Popen[bytes]], no_groups: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "session", lambda pid: None)
    child = start(TRAIN)
    steps = steps_of(f'resource.spare("{TRAIN}")')
    does(zygote, steps)
    assert os.getpriority(os.PRIO_PROCESS, child.pid) == 19
    assert any("disk to idle" in s.describe() for s in steps)
    assert steps_of(f'resource.spare("{TRAIN}")') == []
    if os.geteuid() != 0:
        with pytest.raises(NotPossible, match="Only root"):
            steps_of(f'resource.release("{TRAIN}")')
        return
    os.sched_setaffinity(child.pid, {min(os.sched_getaffinity(0))})
    does(zygote, steps_of(f'resource.release("{TRAIN}")'))
    assert os.getpriority(os.PRIO_PROCESS, child.pid) == 0 and os.sched_getaffinity(child.pid) == set(machine.online_cores())


@pytest.fixture
def base() -> Iterator[str]:
    """Give the control group in which groups of this test's own may be made."""
    root = machine.cgroup_root()
    if not root or not os.access(f"{root}/cgroup.procs", os.W_OK) or os.access(root, os.W_OK) is False:
        pytest.skip("no control group may be made here")
    place = f"{root}/nlshtest-{os.getpid()}"
    try:
        os.mkdir(place)
    except OSError as error:
        pytest.skip(f"no control group may be made here: {error}")
    yield place
    for pid in machine.cgroup_members(place):
        Path(root, "cgroup.procs").write_text(str(pid))
    remove_empty(place)
    os.rmdir(place)


def member(child: subprocess.Popen[bytes]) -> tuple[int, str, str, str]:
    found = processes.read(child.pid)
    assert found is not None
    return child.pid, found.started, found.called, ""


def test_a_real_group_is_made_entered_set_left_and_removed_by_a_confined_worker(
    zygote: Zygote, start: Callable[..., subprocess.Popen[bytes]], base: str
) -> None:
    # A setting that every group of version 2 has, whichever controllers there are.
    train, serve = start(TRAIN), start(SERVE)
    gone = f"{base}/nlsh-gone"
    os.mkdir(gone)
    home = machine.cgroup_root()
    enter = EnterGroup(f"{base}/nlsh-t", (member(train), member(serve)), (home, home), (("cgroup.max.depth", "3"),), (), "depth 3")
    does(zygote, [enter])
    assert machine.cgroup_members(enter.folder) == tuple(sorted((train.pid, serve.pid))) and enter.state() == "done"
    assert machine.setting(enter.folder, "cgroup.max.depth") == "3"
    assert not os.path.exists(gone), "an empty group of nlsh's making is removed by the next"
    assert limits.find("x", (train.pid, serve.pid), ("cgroup.max.depth",)) == limits.Means("own", enter.folder) or os.path.isdir("/run/systemd/system")
    change = SetGroup(enter.folder, enter.members, (("cgroup.max.depth", "3"),), (("cgroup.max.depth", "5"),), "depth 5", "depth 3")
    does(zygote, [change])
    assert change.state() == "done" and machine.setting(enter.folder, "cgroup.max.depth") == "5"
    with pytest.raises(StaleStep):
        change.check()
    serve.kill()
    serve.wait()
    does(zygote, back([enter]))
    assert not os.path.exists(enter.folder) and machine.cgroup_of(train.pid) == "" and enter.state() == "undone"


def test_a_worker_can_enter_no_other_group_than_was_approved(zygote: Zygote, start: Callable[..., subprocess.Popen[bytes]], base: str) -> None:
    train, serve = start(TRAIN), start(SERVE)
    home = machine.cgroup_root()
    approved = SetGroup(base, (member(train),), (("cgroup.max.depth", "max"),), (("cgroup.max.depth", "7"),), "depth 7", "no limit")
    wanted = EnterGroup(f"{home}/nlsh-elsewhere-{os.getpid()}", (member(serve),), (home,), (), (), "nothing")
    grant = Grant.of(approved.effects())
    job = {"steps": [wanted.as_data()], "grant": grant.as_data(), "cwd": os.getcwd(), "env": dict(os.environ)}
    messages = [m for m in zygote.run(job) if m["type"] in ("done", "failed", "denied")]
    assert [m["type"] for m in messages] != ["done"] and not os.path.exists(wanted.folder)
    does(zygote, [approved])


def test_by_real_groups_where_the_processor_can_be_shared_out(zygote: Zygote, start: Callable[..., subprocess.Popen[bytes]]) -> None:
    if not limits.room(("cpu",)) or os.path.isdir("/run/systemd/system"):
        pytest.skip(limits.why_not())
    child = start(TRAIN)
    steps = steps_of(f'resource.share("{TRAIN}", share="half")')
    does(zygote, steps)
    folder = machine.cgroup_of(child.pid)
    quota, period = machine.setting(folder, "cpu.max").split()
    assert int(quota) / int(period) == pytest.approx(inventory.read().capacity / 2)
    assert "control group" in steps[0].describe()
    does(zygote, back(steps))
    assert not os.path.exists(folder)
    steps = steps_of(f'resource.limit(name="{TRAIN}", cpu="50%", memory="1GB")')
    does(zygote, steps)
    folder = machine.cgroup_of(child.pid)
    assert machine.setting(folder, "memory.max") == str(2**30) and machine.setting(folder, "cpu.max") != "max 100000"
    does(zygote, steps_of(f'resource.release("{TRAIN}")'))
    assert not os.path.exists(folder)


class Manager(Systemd):
    """As much of systemd as limits need: properties of units, and scopes."""

    def answer(self, path: str, interface: str, method: str, body: tuple[Any, ...]) -> Answer:
        if method == "Subscribe" and any(m == "Subscribe" for m, _ in self.calls[:-1]):
            raise Refusal("org.freedesktop.systemd1.AlreadySubscribed", "Client is already subscribed")
        if method == "StartTransientUnit":
            given = {name: value for name, (_, value) in body[2]}
            self.units[body[0]] = {"ActiveState": "active", "own": {k: v for k, v in given.items() if isinstance(v, int)}, "pids": given["PIDs"]}
            self.units[body[0]]["slice"] = given.get("Slice", "")
            return self._job(body[0])
        if method == "SetUnitProperties":
            self.units[body[0]]["own"] |= {name: value for name, (_, value) in body[2]}
            return "", ()
        if method == "GetUnit":
            return "o", (self._path(body[0]),)
        return super().answer(path, interface, method, body)


def test_by_systemd_a_service_is_set_and_others_get_a_scope(
    zygote: Zygote, start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, other, serve = start(TRAIN), start(f"{TRAIN}2"), start(SERVE)
    manager = Manager({"serve.service": {"ActiveState": "active", "own": {"CPUQuotaPerSecUSec": 2**64 - 1, "CPUWeight": 100}}})
    # Root orders the system's systemd about, anybody else his own, which knows what is below it.
    uid = os.geteuid()
    own = tmp_path if uid == 0 else tmp_path / "user.slice" / f"user-{uid}.slice" / f"user@{uid}.service"
    group = own / "app.slice" / "serve.service"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text(f"{serve.pid}\n")
    (own / "cgroup.controllers").write_text("cpu memory\n")
    monkeypatch.setattr(machine, "cgroup_root", lambda: str(tmp_path))
    session = tmp_path / "user.slice" / "user-7.slice" / "session-2.scope"
    session.mkdir(parents=True)
    (session / "cgroup.procs").write_text(f"{train.pid}\n{other.pid}\n{os.getpid()}\n")
    monkeypatch.setattr(machine, "cgroup_of", lambda pid: str(group if pid == serve.pid else session))
    monkeypatch.setattr(limits, "BOOTED", str(tmp_path))
    bus = Bus(tmp_path)
    monkeypatch.setenv(f"DBUS_{'SYSTEM' if uid == 0 else 'SESSION'}_BUS_ADDRESS", bus.address)
    try:
        bus.serve(manager)
        steps = steps_of(f'resource.share(["{TRAIN}", "{TRAIN}2", "{SERVE}"], share=["25%", "10%", "50%"])')
        assert "by systemd, as the new nlsh-" in steps[0].describe() and "by systemd, as serve.service" in steps[2].describe()
        does(zygote, steps)
        scope, second = (n for n in manager.units if n.endswith(".scope"))
        assert manager.units[second]["pids"] == [other.pid]
        cores = inventory.read().capacity
        assert manager.units[scope]["pids"] == [train.pid]
        assert manager.units[scope]["own"] == {"CPUQuotaPerSecUSec": round(cores * 250_000), "CPUWeight": 2500}
        # Beside the session that it comes from; a user's own systemd has no such slice, and the preview says what comes of that.
        assert manager.units[scope]["slice"] == ("user-7.slice" if uid == 0 else "")
        assert manager.units["serve.service"]["own"] == {"CPUQuotaPerSecUSec": round(cores * 500_000), "CPUWeight": 5000}
        does(zygote, back(steps))
        assert manager.units["serve.service"]["own"] == {"CPUQuotaPerSecUSec": 2**64 - 1, "CPUWeight": 100}
        assert manager.units[scope]["own"]["CPUQuotaPerSecUSec"] == 2**64 - 1
    finally:
        bus.close()


def test_the_slice_is_the_one_of_the_systems_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    places = {
        1: "user.slice/user-7.slice/session-2.scope", 2: "user.slice/user-7.slice/user@7.service/app.slice/run-1.scope", 3: "system.slice/cron.service",
        4: "init.scope", 5: "",
    }  # fmt: skip
    monkeypatch.setattr(machine, "cgroup_root", lambda: "/groups")
    monkeypatch.setattr(machine, "cgroup_of", lambda pid: f"/groups/{places[pid]}" if places[pid] else "")
    assert [limits.slice_of([pid]) for pid in places] == ["user-7.slice", "user-7.slice", "system.slice", "", ""]
    assert limits.slice_of([1, 2]) == "user-7.slice" and limits.slice_of([1, 3]) == "" == limits.slice_of([1, 5])


def test_what_a_users_own_systemd_cannot_promise_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    action = registry.get("resource.share")
    assert "as much as all of that" in action.notes(None, [{"beside": True}])[0] and not action.notes(None, [{"beside": False}])
    monkeypatch.setattr(machine, "cgroup_of", lambda pid: "/groups/user.slice/user-7.slice/session-2.scope")
    assert limits.in_a_session()
    monkeypatch.setattr(machine, "cgroup_of", lambda pid: "/groups/user.slice/user-7.slice/user@7.service/app.slice/terminal.scope")
    assert not limits.in_a_session()


def test_which_models_fit_where() -> None:
    gigabyte = 2**30
    cards = {"big": 24 * gigabyte, "small": 10 * gigabyte}
    needs = {"a.gguf": 8 * gigabyte, "b.gguf": 30 * gigabyte, "c.gguf": 50 * gigabyte}
    found = {r.path: r for r in fit.fits(needs, cards, together=False)}
    assert [(found[n].fits, found[n].part_percent) for n in needs] == [("yes", 100.0), ("split", 100.0), ("no", 68.0)]
    assert {r.path: r.fits for r in fit.fits({"a.gguf": 8 * gigabyte, "d.gguf": 20 * gigabyte}, cards, together=True)} == {"a.gguf": "yes", "d.gguf": "yes"}


def test_what_may_be_used_is_what_control_groups_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "outer" / "cpu.max").write_text("50000 100000\n")
    (inner / "cpu.max").write_text("max 100000\n")
    (inner / "memory.max").write_text("1073741824\n")
    monkeypatch.setattr(machine, "cgroup_root", lambda: str(tmp_path))
    monkeypatch.setattr(machine, "cgroup_of", lambda pid: str(inner))
    found = inventory.read()
    assert found.quota == 0.5 and found.capacity == 0.5 and found.memory == 2**30
    assert {c.number for c in found.cores} <= set(machine.online_cores())


def test_leaving_a_group_that_has_gone_is_no_error(zygote: Zygote, start: Callable[..., subprocess.Popen[bytes]], base: str) -> None:
    child = start(TRAIN)
    does(zygote, [LeaveGroup(f"{base}/nlsh-none", (member(child),), (machine.cgroup_root(),))])


def test_an_error_of_the_kernel_is_said_and_leaves_no_group(start: Callable[..., subprocess.Popen[bytes]], base: str) -> None:
    child = start(TRAIN)
    step = EnterGroup(f"{base}/nlsh-bad", (member(child),), (machine.cgroup_root(),), (("cgroup.max.depth", "many"),), (), "nonsense")
    with pytest.raises(NlshError, match="cannot be set to many"):
        list(step.apply())
    assert not os.path.exists(step.folder) and machine.cgroup_of(child.pid) == ""
