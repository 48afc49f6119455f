"""Services, over a real message bus, with a systemd of the test's own behind it; every plan runs in a confined worker."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan.effects import Effect
from nlsh.plan.errors import BadArgument, NotPossible
from nlsh.plan.records import Note
from nlsh.steps._bus import opened
from nlsh.steps.services import LinkUnit, OrderUnit
from nlsh.testing import Scene
from nlsh.world import cron, services
from tests.unit.actions.fake_bus import Bus, Service, Systemd, scene

UNITS: dict[str, dict[str, Any]] = {
    "nginx.service": {"ActiveState": "active", "UnitFileState": "enabled", "CanReload": True, "own": {"MainPID": 4711, "MemoryCurrent": 2048}},
    "cups.service": {},
    "broken.service": {"ActiveState": "failed"},
    "static.service": {"UnitFileState": "static"},
    "masked.service": {"LoadState": "masked", "UnitFileState": "masked"},
    "database.service": {"ActiveState": "active", "RequiredBy": ["app.service", "idle.service"]},
    "app.service": {"ActiveState": "active"},
    "idle.service": {},
    "once.service": {"ActiveState": "active", "Transient": True, "UnitFileState": "transient"},
    "fixed.service": {"ActiveState": "active", "RefuseManualStop": True},
    "getty@.service": {"UnitFileState": "enabled"},
    "backup.timer": {"ActiveState": "active", "own": {"Unit": "backup.service", "NextElapseUSecRealtime": 2_000_000_000_000_000, "LastTriggerUSec": 0}},
    "idle.timer": {"ActiveState": "active", "own": {"Unit": "idle.service", "NextElapseUSecRealtime": 2**64 - 1, "LastTriggerUSec": 1_000_000}},
}  # fmt: skip


@pytest.fixture
def systemd() -> Systemd:
    return Systemd({k: dict(v) for k, v in UNITS.items()})


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, systemd: Systemd) -> Iterator[Scene]:
    bus = Bus(tmp_path)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    try:
        bus.serve(systemd)
        with scene(tmp_path) as found:
            yield found
    finally:
        bus.close()


def rows(machine: Scene, plan: str) -> list[Any]:
    played = machine.play(plan)
    assert played.error is None, played.error
    return list(played.records)


@pytest.mark.parametrize(
    ("written", "unit"),
    [("nginx", "nginx.service"), ("the ssh service", "ssh.service"), ("avahi-daemon", "avahi-daemon.service"), ("backup.timer", "backup.timer"),
     ("getty@tty1", "getty@tty1.service"), ("nginx服务", "nginx.service"), ("a.b", "a.b.service"), ("dbus daemon", "dbus.service")],
)  # fmt: skip
def test_what_people_call_a_unit(written: str, unit: str) -> None:
    assert services.unit_name(written) == unit


@pytest.mark.parametrize("written", ["../x", "-x", "a b", "a\nb", "x;reboot", "$(x)", "ü", "x" * 300, "\udcff"])
def test_what_is_no_unit(written: str) -> None:
    with pytest.raises(BadArgument):
        services.unit_name(written)


def test_list(machine: Scene) -> None:
    assert "nginx" in [s.name for s in rows(machine, "service.list()")]
    assert [s.name for s in rows(machine, 'service.list(state="failed")')] == ["broken"]
    assert [s.name for s in rows(machine, 'service.list(state="enabled")')] == ["nginx"]
    assert "cups" not in [s.name for s in rows(machine, 'service.list(state="running")')]
    assert "cups" in [s.name for s in rows(machine, 'service.list(state="stopped")')]


def test_status(machine: Scene) -> None:
    (found,) = rows(machine, 'service.status(name="nginx")')
    assert (found.name, found.state, found.at_start, found.pid, found.memory_bytes) == ("nginx", "active", "enabled", 4711, 2048)
    missing = machine.play('service.status(name="ngnix")').error
    assert missing is not None and missing.code == "world.not-found" and "nginx" in missing.hint


def test_timers(machine: Scene) -> None:
    first, second = rows(machine, "service.timers()")
    assert (first.name, first.starts, first.next_at) == ("backup", "backup", 2e9)
    assert (second.name, second.next_at, second.last_at) == ("idle", None, 1.0)


def test_units_of_the_users_own_are_named_where_there_are_some(machine: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(plan: str) -> list[str]:
        played = machine.play(plan)
        assert played.error is None and played.outcome is not None, played.error
        return [r.text for r in played.outcome.records if isinstance(r, Note)]

    assert told("service.timers()") == told("service.list()") == []
    folder = machine.home / "my-config/systemd/user"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(machine.home / "my-config"))
    folder.mkdir(parents=True)
    for name in ("water.timer", "water.service", "each@.service", "x.target"):
        (folder / name).touch()
    assert told("service.timers()") == ["These are the system's. Your own are not among them: water. `systemctl --user list-timers` shows how they are."]
    assert "not among them: water. `systemctl --user list-units" in told("service.list()")[0]


@pytest.mark.parametrize(("verb", "unit", "before", "after"), [("start", "cups", "inactive", "active"), ("stop", "nginx", "active", "inactive")])
def test_start_and_stop_and_back(machine: Scene, systemd: Systemd, verb: str, unit: str, before: str, after: str) -> None:
    rows(machine, f'service.{verb}(name="{unit}")')
    assert systemd.units[f"{unit}.service"]["ActiveState"] == after
    rows(machine, "history.undo()")
    assert systemd.units[f"{unit}.service"]["ActiveState"] == before


def test_what_goes_down_with_it_comes_back_with_it(machine: Scene, systemd: Systemd) -> None:
    played = machine.play('service.stop(name="database")')
    assert played.preview is not None and "app" in played.preview.calls[0].steps[0].describe()
    assert systemd.units["app.service"]["ActiveState"] == "inactive"
    rows(machine, "history.undo()")
    assert [systemd.units[f"{n}.service"]["ActiveState"] for n in ("database", "app", "idle")] == ["active", "active", "inactive"]


def test_nothing_to_do(machine: Scene, systemd: Systemd) -> None:
    for plan in ('service.start(name="nginx")', 'service.stop(name="cups")', 'service.enable(name="nginx")', 'service.disable(name="cups")'):
        outcome = machine.play(plan).outcome
        assert outcome is not None and outcome.status == "nothing"
    assert not [m for m, _ in systemd.calls if m.endswith(("Unit", "UnitFiles")) and not m.startswith(("Load", "List"))]


@pytest.mark.parametrize(("verb", "unit"), [("enable", "cups"), ("disable", "nginx")])
def test_enable_and_disable_and_back(machine: Scene, systemd: Systemd, verb: str, unit: str) -> None:
    before = systemd.units[f"{unit}.service"]["UnitFileState"]
    rows(machine, f'service.{verb}(name="{unit}")')
    assert systemd.units[f"{unit}.service"]["UnitFileState"] == f"{verb}d" != before
    assert ("Reload", ()) in systemd.calls
    rows(machine, "history.undo()")
    assert systemd.units[f"{unit}.service"]["UnitFileState"] == before


@pytest.mark.parametrize("verb", ["restart", "reload"])
def test_restart_and_reload_are_never_undone(machine: Scene, systemd: Systemd, verb: str) -> None:
    played = machine.play(f'service.{verb}(name="nginx")')
    assert played.error is None and played.preview is not None and played.preview.calls[0].no_undo
    assert (f"{verb.capitalize()}Unit", ("nginx.service", "replace")) in systemd.calls
    assert machine.play("history.undo()").error is not None


def test_what_was_started_for_once_cannot_come_back(machine: Scene) -> None:
    played = machine.play('service.stop(name="once")')
    assert played.preview is not None and "for once" in played.preview.calls[0].no_undo


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        ('service.stop(name="dbus")', "action.refused"),
        ('service.restart(name="systemd-logind")', "action.refused"),
        ('service.start(name="masked")', "action.refused"),
        ('service.stop(name="fixed")', "world.not-possible"),
        ('service.enable(name="static")', "world.not-possible"),
        ('service.disable(name="once")', "world.not-possible"),
        ('service.reload(name="cups")', "action.refused"),
        ('service.start(name="nowhere")', "world.not-found"),
    ],
)
def test_refusals_change_nothing(machine: Scene, systemd: Systemd, plan: str, code: str) -> None:
    error = machine.play(plan).error
    assert error is not None and error.code == code and "Nothing was changed" in str(error)
    assert not [m for m, _ in systemd.calls if m in ("StartUnit", "StopUnit", "RestartUnit", "EnableUnitFiles", "DisableUnitFiles")]


def test_a_job_that_fails_says_why(machine: Scene, systemd: Systemd) -> None:
    systemd.result = "failed"
    systemd.units["cups.service"]["own"] = {"Result": "exit-code", "ExecMainStatus": 3}
    error = machine.play('service.start(name="cups")').error
    assert error is not None and error.code == "service.failed" and "status 3" in error.message and 'service.logs("cups")' in error.hint


def test_who_may_not(machine: Scene, systemd: Systemd) -> None:
    systemd.forbidden = True
    error = machine.play('service.stop(name="nginx")').error
    assert error is not None and error.code == "world.not-possible" and "sudo" in error.hint
    assert systemd.units["nginx.service"]["ActiveState"] == "active"


def test_a_state_that_changed_meanwhile_is_stale(machine: Scene, systemd: Systemd) -> None:
    assert machine.kernel is not None
    from nlsh.plan import registry

    preview = machine.kernel.preview(registry.parse('service.stop(name="nginx")'), "")
    systemd.units["nginx.service"]["ActiveState"] = "failed"
    outcome = machine.kernel.run(preview)
    assert outcome.errors[0].code == "step.stale" and not [m for m, _ in systemd.calls if m == "StopUnit"]


def test_without_a_bus(tmp_path: Path) -> None:
    with scene(tmp_path) as machine:
        error = machine.play("service.list()").error
    assert error is not None and error.code == "world.not-possible"


def test_without_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bus = Bus(tmp_path)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    try:
        with scene(tmp_path) as machine:
            error = machine.play('service.start(name="nginx")').error
    finally:
        bus.close()
    assert error is not None and error.code == "world.not-possible" and "systemd" in error.message


@pytest.mark.parametrize(
    "step",
    [OrderUnit("a.service", "start", "inactive"), OrderUnit("a.service", "stop", "active", ("b.service",)), LinkUnit("a.service", "enable", "disabled")],
)
def test_the_inverse_of_the_inverse_is_the_step(step: OrderUnit | LinkUnit) -> None:
    back = step.inverse()
    assert back is not None and back.inverse() == step
    assert Effect("sys.control", "a.service") in step.effects()
    assert json.loads(json.dumps(step.as_data())) is not None


def test_the_bus_answers_several_steps_of_one_worker(machine: Scene, systemd: Systemd) -> None:
    rows(machine, 'service.stop(name="nginx"); service.start(name="cups")')
    rows(machine, "history.undo()")
    assert [systemd.units[f"{n}.service"]["ActiveState"] for n in ("nginx", "cups")] == ["active", "inactive"]


def test_a_service_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    class Mute(Service):
        names = ("org.freedesktop.systemd1",)

        def answer(self, *_: Any) -> Any:
            over.wait()
            return "", ()

    bus = Bus(tmp_path)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    try:
        bus.serve(Mute())
        started = time.monotonic()
        with opened("system") as connection, pytest.raises(NotPossible):
            connection.call("org.freedesktop.systemd1", "/", "a.b", "Hang", seconds=0.2)
        assert time.monotonic() - started < 10
    finally:
        over.set()
        bus.close()


def test_cron_tables(tmp_path: Path) -> None:
    for name, text in {
        "etc/crontab": "# a comment\nSHELL=/bin/sh\n17 *\t* * *\troot    cd / && run-parts /etc/cron.hourly\n@reboot\tmail /bin/true\nnonsense\n",
        "etc/cron.d/job": "*/5 * * * * www-data php -f 'a b' % x\n",
        "etc/cron.d/job.dpkg-old": "* * * * * root no\n",
        "spool/alice": '0 4 * * 1-5 backup "my files"\nMAILTO=""\n@daily tidy\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    daily = tmp_path / "etc/cron.daily"
    daily.mkdir()
    for name, mode in (("rotate", 0o755), ("readme", 0o644), ("x.bak", 0o755)):
        (daily / name).write_text("")
        (daily / name).chmod(mode)
    found = [(e.when, e.user, e.command) for e in cron.entries(cron.places(str(tmp_path)), str(tmp_path / "spool"))]
    assert found == [
        ("17 * * * *", "root", "cd / && run-parts /etc/cron.hourly"),
        ("@reboot", "mail", "/bin/true"),
        ("*/5 * * * *", "www-data", "php -f 'a b' % x"),
        ("daily", "root", str(daily / "rotate")),
        ("0 4 * * 1-5", "alice", 'backup "my files"'),
        ("@daily", "alice", "tidy"),
    ]
