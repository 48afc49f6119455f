"""How fast processes may read and write: what is told to the kernel and to systemd for it, that it is taken back, and what is said where it cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.guard.grant import Grant
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan import registry
from nlsh.plan.errors import BadArgument, NotPossible, StaleStep
from nlsh.plan.steps import Step, step_from_data
from nlsh.resources import limits
from nlsh.steps.groups import SetGroup
from nlsh.world import World, io_limits, machine, processes
from tests.unit.actions.fake_bus import Answer, Bus, Systemd

NAME = f"nlshio{os.getpid()}"
INFINITE = 2**64 - 1
TWO = ("8:0", "259:0")


@pytest.fixture
def child(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    script = tmp_path / f"{NAME}.py"
    script.write_text("import time\nprint('ready', flush=True)\ntime.sleep(600)\n")
    started = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    assert started.stdout is not None
    started.stdout.readline()
    yield started
    started.kill()
    started.communicate()


@pytest.fixture
def two_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io_limits, "disks", lambda: TWO)
    monkeypatch.setattr(io_limits, "node", lambda number: {"8:0": "/dev/sda", "259:0": "/dev/nvme0n1"}[number])


def steps_of(text: str) -> list[Step]:
    """Return the steps of a plan of one call, as a worker gets them: through JSON."""
    (call,) = registry.parse(text).calls
    action = registry.get(call.action)
    args = action.Args.bind(call.action, call.args)
    steps = list(action.steps(args, json.loads(json.dumps(action.look(args, World())))))
    assert {e.kind for s in steps for e in s.effects()} <= set(action.effects)
    return [step_from_data(json.loads(json.dumps(s.as_data()))) for s in steps]


def does(steps: list[Step]) -> None:
    for step in steps:
        step.check()
        list(step.apply() or ())
        assert step.state() == "done"


def back(steps: list[Step]) -> list[Step]:
    return [inverse for s in reversed(steps) if (inverse := s.inverse()) is not None]


# --- the kernel's notation -----------------------------------------------------------------------------------------------


def test_settings_compare_whatever_the_kernel_leaves_out() -> None:
    asked = io_limits.at_most(1 << 20, TWO)
    assert asked == "259:0 rbps=1048576 wbps=1048576 riops=max wiops=max\n8:0 rbps=1048576 wbps=1048576 riops=max wiops=max"
    assert io_limits.like("", asked) == io_limits.lifted(asked) == asked.replace("1048576", "max")
    shown = "8:0 rbps=1048576 wbps=1048576 riops=max wiops=max\n8:16 rbps=5 wbps=max riops=max wiops=max\n259:0 rbps=1048576 wbps=1048576 riops=max wiops=max"
    assert io_limits.like(shown, asked) == asked
    mixed = io_limits.changed("8:0 rbps=7 wbps=max riops=100 wiops=max", asked)
    assert "8:0 rbps=1048576 wbps=1048576 riops=100 wiops=max" in mixed and "259:0 rbps=1048576" in mixed
    assert limits.in_words({"io.max": asked}) == "1 MB read and 1 MB written in a second at each disk at most"
    assert limits.in_words({"io.max": io_limits.lifted(asked)}) == "no limit at the disks"


def test_the_disks_here_are_disks() -> None:
    for number in io_limits.disks():
        assert os.path.exists(f"/sys/dev/block/{number}/device") and os.path.basename(io_limits.node(number)) in os.listdir("/sys/block")


# --- a control group -----------------------------------------------------------------------------------------------------


class Kernel:
    """A control group whose io.max takes one line at a time and shows only disks that have a limit, as the kernel's does."""

    def __init__(self, folder: Path, members: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.lines = folder, {"8:16": "rbps=5 wbps=max riops=max wiops=max"}
        folder.mkdir(parents=True)
        (folder / "io.max").write_text("")
        (folder / "cgroup.procs").write_text("".join(f"{m}\n" for m in members))
        monkeypatch.setattr(machine, "setting", lambda _folder, name: self.shown() if name == "io.max" else "")
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def shown(self) -> str:
        return "\n".join(f"{n} {line}" for n, line in self.lines.items() if line != "rbps=max wbps=max riops=max wiops=max")

    def write(self, descriptor: int, data: bytes) -> int:
        if os.readlink(f"/proc/self/fd/{descriptor}") != str(self.folder / "io.max"):
            return self._write(descriptor, data)
        assert b"\n" not in data, "the kernel takes one disk at a time"
        number, _, rest = data.decode().partition(" ")
        self.lines[number] = rest
        return len(data)


def test_a_group_is_set_line_by_line_and_taken_back(tmp_path: Path, child: subprocess.Popen[bytes], two_disks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(tmp_path / "own", [child.pid], monkeypatch)
    monkeypatch.setattr(limits, "find", lambda *_: limits.Means("own", str(kernel.folder)))
    before = kernel.shown()
    steps = steps_of(f'resource.limit(name="{NAME}", io="10MB/s")')
    assert isinstance(steps[0], SetGroup) and "10 MB read and 10 MB written in a second at each disk" in steps[0].describe()
    does(steps)
    assert kernel.lines["8:0"] == kernel.lines["259:0"] == "rbps=10485760 wbps=10485760 riops=max wiops=max" and kernel.lines["8:16"].startswith("rbps=5")
    assert steps_of(f'resource.limit(name="{NAME}", io="10MB/s")') == [], "it is so already"
    with pytest.raises(StaleStep):
        steps[0].check()
    does(back(steps))
    assert kernel.shown() == before


def test_a_real_group_where_disks_can_be_shared_out(zygote: Zygote, child: subprocess.Popen[bytes]) -> None:
    if not limits.room(("io",)) or os.path.isdir(limits.BOOTED) or not io_limits.disks():
        pytest.skip(limits.why_not("io"))
    steps = steps_of(f'resource.limit(pid="{child.pid}", io="10MB/s")')
    for some in (steps, back(steps)):
        job = {"steps": [s.as_data() for s in some], "grant": Grant.of(e for s in some for e in s.effects()).as_data(), "cwd": os.getcwd(), "env": {}}
        messages = [m for m in zygote.run(job) if m["type"] in ("done", "failed", "denied")]
        assert {m["type"] for m in messages} == {"done"}, messages
        folder = machine.cgroup_of(child.pid)
        assert ("rbps=10485760 wbps=10485760" in machine.setting(folder, "io.max")) if some is steps else folder == ""


# --- systemd -------------------------------------------------------------------------------------------------------------


class Manager(Systemd):
    """As much of systemd as limits of disks need: a list of rates is added to what there is, and a rate without limit is taken out of it."""

    def properties(self, path: str, interface: str) -> dict[str, tuple[str, Any]]:
        _, unit = self._unit(path)
        return {name: ("a(st)", list(unit["own"].get(name, {}).items())) for name in io_limits.PROPERTIES.values()}

    def _set(self, unit: str, given: Any) -> None:
        for name, (kind, value) in given:
            if name in io_limits.PROPERTIES.values():
                assert kind == "a(st)" and value, "an empty list would take off all, other disks too"
                own = self.units[unit]["own"].setdefault(name, {})
                own |= dict(value)
                for path in [p for p, rate in own.items() if rate == INFINITE]:
                    del own[path]

    def answer(self, path: str, interface: str, method: str, body: tuple[Any, ...]) -> Answer:
        if method == "StartTransientUnit":
            self.units[body[0]] = {"ActiveState": "active", "own": {}}
            self._set(body[0], body[2])
            return self._job(body[0])
        if method == "SetUnitProperties":
            self._set(body[0], body[2])
            return "", ()
        if method == "GetUnit":
            return "o", (self._path(body[0]),)
        return super().answer(path, interface, method, body)


def test_by_systemd(tmp_path: Path, child: subprocess.Popen[bytes], two_disks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"IOReadBandwidthMax": {"/dev/sda": 5, "/dev/sdb": 7}}
    manager = Manager({"job.service": {"ActiveState": "active", "own": {k: dict(v) for k, v in own.items()}}})
    bus = Bus(tmp_path)
    for target in ("SYSTEM", "SESSION"):
        monkeypatch.setenv(f"DBUS_{target}_BUS_ADDRESS", bus.address)
    found = processes.read(child.pid)
    assert found is not None
    rates = {"/dev/sda": 10 << 20, "/dev/nvme0n1": 10 << 20}
    try:
        bus.serve(manager)
        monkeypatch.setattr(limits, "find", lambda *_: limits.Means("unit", "job.service", "system"))
        steps = steps_of(f'resource.limit(pid="{child.pid}", io="10MB/s")')
        does(steps)
        now = manager.units["job.service"]["own"]
        assert now == {"IOReadBandwidthMax": rates | {"/dev/sdb": 7}, "IOWriteBandwidthMax": rates}
        assert steps_of(f'resource.limit(pid="{child.pid}", io="10MB/s")') == []
        does(back(steps))
        assert now == {**own, "IOWriteBandwidthMax": {}}
        monkeypatch.setattr(limits, "find", lambda *_: limits.Means("scope", "nlsh-job.scope", "system"))
        (scope,) = steps_of(f'resource.limit(pid="{child.pid}", io="10MB/s")')
        list(scope.apply() or ())
        assert manager.units["nlsh-job.scope"]["own"] == {"IOReadBandwidthMax": rates, "IOWriteBandwidthMax": rates}
        does(back([scope]))
        assert manager.units["nlsh-job.scope"]["own"] == {"IOReadBandwidthMax": {}, "IOWriteBandwidthMax": {}}
    finally:
        bus.close()


# --- where it cannot be --------------------------------------------------------------------------------------------------


def test_where_it_cannot_be_limited_that_is_said_with_what_can_be_done(child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "find", lambda *_: limits.Means("priority"))
    monkeypatch.setattr(io_limits, "disks", lambda: TWO)
    with pytest.raises(NotPossible, match="cannot be limited here: ") as caught:
        steps_of(f'resource.limit(name="{NAME}", io="10MB/s")')
    assert "process.io_priority" in str(caught.value) and "Nothing was changed" in str(caught.value)
    with pytest.raises(NotPossible, match="cannot be limited here"):
        steps_of(f'resource.limit(name="{NAME}", io="10MB/s", memory="900GB")')
    monkeypatch.setattr(io_limits, "disks", lambda: ())
    with pytest.raises(NotPossible, match="no disk"):
        steps_of(f'resource.limit(name="{NAME}", io="10MB/s")')
    with pytest.raises(BadArgument, match="nothing through"):
        steps_of(f'resource.limit(name="{NAME}", io="10")')
