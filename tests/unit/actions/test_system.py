"""The machine as a whole, over real message buses with services of the tests' own; every plan runs in a confined worker."""

from __future__ import annotations

import base64
import datetime
import os
import pty
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlsh.plan.errors import NotFound, Refused
from nlsh.steps.clipboard import FillByTerminal
from nlsh.steps.system import PlanStop, SetSetting
from nlsh.testing import Scene
from nlsh.world import clock, identity
from tests.unit.actions.fake_bus import Answer, Bus, Refusal, Service, Systemd, scene


class Logind(Service):
    names = ("org.freedesktop.login1",)

    def __init__(self) -> None:
        super().__init__()
        self.planned: tuple[str, int] = ("", 0)
        self.able = "yes"
        self.done: list[str] = []
        self.forbidden = False

    def properties(self, path: str, interface: str) -> dict[str, tuple[str, Any]]:
        if interface.endswith(".Session"):
            return {"Class": ("s", "user"), "State": ("s", "active"), "TTY": ("s", "tty2"), "RemoteHost": ("s", "there"), "Timestamp": ("t", 5_000_000)}
        return {"ScheduledShutdown": ("(st)", self.planned)}

    def answer(self, path: str, interface: str, method: str, body: tuple[Any, ...]) -> Answer:
        if method.startswith("Can") and method != "CancelScheduledShutdown":
            return "s", (self.able,)
        if method == "ListSessions":
            return "a(susso)", ([("2", 1000, "alice", "seat0", "/org/freedesktop/login1/session/_32")],)
        if self.forbidden:
            raise Refusal("org.freedesktop.DBus.Error.AccessDenied", "no")
        if method == "ScheduleShutdown":
            self.planned = (body[0], body[1])
            return "", ()
        if method == "CancelScheduledShutdown":
            self.planned = ("", 0)
            return "b", (True,)
        self.done.append(method)
        return "", ()


class Settings(Service):
    names = ("org.freedesktop.hostname1", "org.freedesktop.timedate1")

    def __init__(self) -> None:
        super().__init__()
        self.now = {"StaticHostname": "old-name", "Timezone": "Europe/Paris"}

    def properties(self, path: str, interface: str) -> dict[str, tuple[str, Any]]:
        return {k: ("s", v) for k, v in self.now.items()}

    def answer(self, path: str, interface: str, method: str, body: tuple[Any, ...]) -> Answer:
        self.now[method.removeprefix("Set")] = body[0]
        return "", ()


class Desktop(Service):
    names = ("org.freedesktop.Notifications", "org.kde.klipper")

    def __init__(self) -> None:
        super().__init__()
        self.text = "first\nsecond"

    def answer(self, path: str, interface: str, method: str, body: tuple[Any, ...]) -> Answer:
        if method == "Notify":
            return "u", (1,)
        if method == "getClipboardContents":
            return "s", (self.text,)
        self.text = body[0]
        return "", ()


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    found = Bus(tmp_path)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", found.address)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", found.address)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    yield found
    found.close()


@pytest.fixture
def logind(bus: Bus) -> Logind:
    service = Logind()
    bus.serve(service)
    return service


@pytest.fixture
def settings(bus: Bus) -> Settings:
    service = Settings()
    bus.serve(service)
    return service


@pytest.fixture
def machine(tmp_path: Path, bus: Bus) -> Iterator[Scene]:
    with scene(tmp_path) as found:
        yield found


def rows(machine: Scene, plan: str) -> list[Any]:
    played = machine.play(plan)
    assert played.error is None, played.error
    return list(played.records)


def code(machine: Scene, plan: str) -> str:
    error = machine.play(plan).error
    return error.code if error is not None else ""


@pytest.mark.parametrize(("plan", "property_", "new"), [
    ('system.set_hostname(to="workbench")', "StaticHostname", "workbench"),
    ('system.set_timezone(zone="Tokyo")', "Timezone", "Asia/Tokyo"),
])  # fmt: skip
def test_settings_and_back(machine: Scene, settings: Settings, plan: str, property_: str, new: str) -> None:
    before = dict(settings.now)
    rows(machine, plan)
    assert settings.now == before | {property_: new}
    outcome = machine.play(plan).outcome
    assert outcome is not None and outcome.status == "nothing"
    rows(machine, "history.undo()")
    assert settings.now == before


def test_undo_is_refused_where_somebody_else_has_set_it_since(machine: Scene, settings: Settings) -> None:
    rows(machine, 'system.set_hostname(to="workbench")')
    settings.now["StaticHostname"] = "elsewhere"
    assert code(machine, "history.undo()") == "action.refused"
    assert settings.now["StaticHostname"] == "elsewhere"


@pytest.mark.parametrize("name", ["-x", "a b", "a_b", "x" * 65, "a..b", "a\nb", "ü", "."])
def test_no_name_of_a_machine(machine: Scene, settings: Settings, name: str) -> None:
    from nlsh.plan import registry
    from nlsh.plan.plan import Call, Plan

    assert code(machine, registry.format(Plan((Call("system.set_hostname", {"to": name}),)))) == "action.refused"
    assert settings.now["StaticHostname"] == "old-name"


@pytest.mark.parametrize(("verb", "method", "kind"), [("reboot", "Reboot", "reboot"), ("shutdown", "PowerOff", "poweroff")])
def test_stopping_now_and_later(machine: Scene, logind: Logind, verb: str, method: str, kind: str) -> None:
    played = machine.play(f"system.{verb}()")
    assert played.error is None and played.preview is not None
    assert played.preview.calls[0].no_undo and logind.done == [method]
    rows(machine, f'system.{verb}(after="10 minutes")')
    assert logind.planned[0] == kind and abs(logind.planned[1] / 1e6 - time.time() - 600) < 60
    error = machine.play('system.shutdown(at="22:30")').error
    assert error is not None and error.code == "action.refused" and "cancel_shutdown" in error.hint
    rows(machine, "history.undo()")
    assert logind.planned == ("", 0)


def test_a_time_of_day_that_has_passed_is_tomorrows(machine: Scene, logind: Logind) -> None:
    ago = datetime.datetime.now() - datetime.timedelta(minutes=2)
    rows(machine, f'system.reboot(at="{ago:%H:%M}")')
    assert time.time() < logind.planned[1] / 1e6 < time.time() + 86400


def test_cancel_and_back(machine: Scene, logind: Logind) -> None:
    assert code(machine, "system.cancel_shutdown()") == "world.not-found"
    logind.planned = planned = ("poweroff", int((time.time() + 3600) * 1e6))
    rows(machine, "system.cancel_shutdown()")
    assert logind.planned == ("", 0)
    rows(machine, "history.undo()")
    assert logind.planned[0] == planned[0] and abs(logind.planned[1] - planned[1]) < 2


@pytest.mark.parametrize("answer", ["na", "no"])
def test_a_machine_that_cannot(machine: Scene, logind: Logind, answer: str) -> None:
    logind.able = answer
    for plan in ("system.suspend()", "system.reboot()", 'system.shutdown(after="1h")'):
        assert code(machine, plan) == "world.not-possible"
    assert not logind.done and logind.planned == ("", 0)
    logind.able = "challenge"
    rows(machine, "system.suspend()")
    assert logind.done == ["Suspend"]


def test_who_may_not(machine: Scene, logind: Logind) -> None:
    logind.forbidden = True
    assert code(machine, "system.reboot()") == "world.not-possible" and not logind.done


@pytest.mark.parametrize("plan", ['system.reboot(after="1h", at="22:00")', 'system.reboot(at="half past")', 'system.shutdown(after="soon")'])
def test_times_that_are_none(machine: Scene, logind: Logind, plan: str) -> None:
    assert code(machine, plan) == "plan.bad-argument" and not logind.done


def test_notify_and_clipboard_of_the_desktop(machine: Scene, bus: Bus) -> None:
    desktop = Desktop()
    bus.serve(desktop)
    rows(machine, 'system.notify(text="tea <b>is</b> ready")')
    (body,) = [b for m, b in desktop.calls if m == "Notify"]
    assert body[3] == "tea <b>is</b> ready"
    assert [r.text for r in rows(machine, "system.clipboard()")] == ["first", "second"]
    rows(machine, 'system.copy(text="new — 新")')
    assert desktop.text == "new — 新"


def test_copy_by_a_program_that_outlives_the_worker(machine: Scene, bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd()
    bus.serve(systemd)
    held = tmp_path / "held"
    program = tmp_path / "xclip"
    program.write_text(f'#!/bin/sh\necho "$DISPLAY" > {held}; cat >> {held}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":77")
    monkeypatch.setattr("nlsh.world.tools.SYSTEM_PATH", str(tmp_path))
    rows(machine, 'system.copy(text="held it")')
    assert held.read_text() == ":77\nheld it"


def test_the_clipboard_of_a_display(machine: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "xsel"
    program.write_text('#!/bin/sh\nprintf "one\\ntwo"\n')
    program.chmod(0o755)
    monkeypatch.setenv("DISPLAY", ":77")
    monkeypatch.setattr("nlsh.world.tools.SYSTEM_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [r.text for r in rows(machine, "system.clipboard()")] == ["one", "two"]


def test_copy_by_the_terminal() -> None:
    ours, theirs = pty.openpty()
    try:
        step = FillByTerminal(os.ttyname(theirs), "a\n\x1b]bad\udcff")
        step.apply()
        said = os.read(ours, 1000)
    finally:
        os.close(ours)
        os.close(theirs)
    assert said.startswith(b"\x1b]52;c;") and said.endswith(b"\a")
    assert base64.b64decode(said[7:-1]) == b"a\n\x1b]bad\xff"


def test_without_a_desktop(machine: Scene) -> None:
    for plan in ("system.clipboard()", 'system.notify(text="x")'):
        assert code(machine, plan) == "world.not-possible"


def test_secrets_of_the_environment_are_hidden(machine: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"GITHUB_TOKEN": "t0p", "MY_API_KEY": "t0p", "DB_PASSWORD": "t0p", "DATABASE_URL": "postgres://me:t0p@db/x", "PLAIN": "seen"}.items():
        monkeypatch.setenv(name, value)
    found = {r.name: r.value for r in rows(machine, "system.environment()")}
    assert found["PLAIN"] == "seen" and "t0p" not in str(found)
    (one,) = rows(machine, 'system.environment(variable="$db_password")')
    assert one.value == identity.HIDDEN


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "NPM_AUTH", "SSH_KEY", "MYSQL_PWD", "PGPASSWORD", "SESSION_COOKIE", "GH_PAT"])
def test_names_of_secrets(name: str) -> None:
    assert identity.is_secret(name, "x")


@pytest.mark.parametrize("name", ["PWD", "OLDPWD", "PATH", "SSH_AUTH_SOCK", "KEYMAP", "AUTHOR", "HOME", "PAGER", "SHELL"])
def test_names_that_are_none(name: str) -> None:
    assert not identity.is_secret(name, "/x")


@pytest.mark.parametrize(
    ("written", "zone"),
    [("Tokyo", "Asia/Tokyo"), ("europe/berlin", "Europe/Berlin"), ("New York", "America/New_York"), ("上海", "Asia/Shanghai"), ("utc", "UTC"),
     ("San Francisco", "America/Los_Angeles"), ("Mexico City", "America/Mexico_City"), ("Tokyo time", "Asia/Tokyo"), ("Germany", "Europe/Berlin"),
     ("Norway", None), ("北京时间", "Asia/Shanghai"), ("GMT", "GMT")],
)  # fmt: skip
def test_zones(written: str, zone: str | None) -> None:
    found = clock.zone(written)
    assert zone is None or found == zone


def test_zones_that_are_none_or_several() -> None:
    with pytest.raises(NotFound) as missing:
        clock.zone("Tokio")
    assert "Asia/Tokyo" in missing.value.hint
    with pytest.raises(Refused):
        clock.zone("Brazil")
    for written in ("", "../etc/passwd", "x\n"):
        with pytest.raises((NotFound, Refused)):
            clock.zone(written)


def test_times_elsewhere() -> None:
    facts = {f.name: f.value for f in clock.times("Asia/Kolkata", 0.0)}
    assert facts == {"time": "05:30:00", "date": "1970-01-01", "day": "Thursday", "time zone": "Asia/Kolkata (IST, UTC+05:30)"}


@given(st.text(), st.text(), st.sampled_from(["hostname", "time zone"]))
def test_the_inverse_of_the_inverse_is_the_step(old: str, new: str, name: str) -> None:
    for step in (SetSetting(name, old, new), PlanStop("reboot", 12.5)):
        back = step.inverse()
        assert back is not None and back.inverse() == step


def test_what_this_machine_is(machine: Scene) -> None:
    assert rows(machine, "system.hostname()")[0].value == os.uname().nodename
    assert {"processor", "memory"} <= {r.name for r in rows(machine, "system.hardware()")}
    assert "encoding" in {r.name for r in rows(machine, "system.locale()")} or "note" in {r.name for r in rows(machine, "system.locale()")}
