"""Wireless networks: a NetworkManager of the test's own, with the real one's interface, on a message bus of the test's own."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import NotFound, NotPossible
from nlsh.plan.records import Note, Record
from nlsh.steps import handles
from nlsh.testing import Scene
from nlsh.world import World, resolved, routes

NM = "org.freedesktop.NetworkManager"
ROOT = "/org/freedesktop/NetworkManager"
PSK, SAE, ENTERPRISE = 0x188, 0x488, 0x288

pytestmark = pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="there is no dbus-daemon to make a message bus with")

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={path}</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>
"""


class Manager:
    """The part of NetworkManager that is asked: networks in reach, profiles, connecting and its failures."""

    def __init__(self) -> None:
        self.devices = {f"{ROOT}/Devices/1": 1, f"{ROOT}/Devices/2": 2}
        self.on = True
        self.points: dict[str, dict[str, tuple[str, Any]]] = {}
        self.profiles: dict[str, dict[str, dict[str, tuple[str, Any]]]] = {}
        self.active = "/"  # the path of the profile that the device is connected by
        self.fails_with = 0
        self.looked: float | None = 5.0  # seconds ago; -1: never
        self.polls_before_done = 2
        self.calls: list[str] = []
        self._next = 10
        self._polls = 0

    def point(self, name: bytes, strength: int, *, flags: int = 0, wpa: int = 0, rsn: int = 0, frequency: int = 2412) -> None:
        self._next += 1
        self.points[f"{ROOT}/AccessPoint/{self._next}"] = {
            "Ssid": ("ay", name), "Strength": ("y", strength), "Frequency": ("u", frequency), "Flags": ("u", flags), "WpaFlags": ("u", wpa),
            "RsnFlags": ("u", rsn), "HwAddress": ("s", "00:00:00:00:00:01"),
        }  # fmt: skip

    def profile(self, name: bytes, uuid: str = "u") -> str:
        self._next += 1
        path = f"{ROOT}/Settings/{self._next}"
        self.profiles[path] = {
            "connection": {"id": ("s", name.decode("utf-8", "replace")), "uuid": ("s", uuid), "type": ("s", "802-11-wireless")},
            "802-11-wireless": {"ssid": ("ay", name)},
        }
        return path

    def _active_point(self) -> str:
        if self.active == "/":
            return "/"
        ssid = self.profiles[self.active]["802-11-wireless"]["ssid"][1]
        return next((p for p, v in self.points.items() if v["Ssid"][1] == ssid), "/")

    def properties(self, path: str, interface: str) -> dict[str, tuple[str, Any]]:
        if interface == NM:
            return {"WirelessEnabled": ("b", self.on), "Version": ("s", "1.42")}
        if interface == f"{NM}.Device":
            return {
                "DeviceType": ("u", self.devices[path]), "ActiveConnection": ("o", "/" if self.active == "/" else f"{ROOT}/ActiveConnection/1"),
                "StateReason": ("(uu)", (120, self.fails_with)),
            }  # fmt: skip
        if interface == f"{NM}.Device.Wireless":
            found: dict[str, tuple[str, Any]] = {"ActiveAccessPoint": ("o", self._active_point())}
            if self.looked is not None:
                found["LastScan"] = ("x", -1 if self.looked < 0 else int(time.clock_gettime(time.CLOCK_BOOTTIME) - self.looked) * 1000)
            return found
        if interface == f"{NM}.Connection.Active":
            self._polls += 1
            if self.active == "/":
                raise LookupError(path)
            if self.fails_with:
                return {"State": ("u", 4), "Connection": ("o", self.active)}
            return {"State": ("u", 2 if self._polls > self.polls_before_done else 1), "Connection": ("o", self.active)}
        return self.points[path]

    def call(self, path: str, interface: str, member: str, body: tuple[Any, ...]) -> tuple[str | None, tuple[Any, ...]]:
        """Return the signature and the body of the answer. Raises LookupError for what is not there."""
        if member not in ("Get", "GetAll"):
            self.calls.append(member)
        match member:
            case "GetAll":
                return "a{sv}", (self.properties(path, body[0]),)
            case "Get":
                return "v", (self.properties(path, body[0])[body[1]],)
            case "GetDevices":
                return "ao", (list(self.devices),)
            case "GetAllAccessPoints":
                return "ao", (list(self.points),)
            case "ListConnections":
                return "ao", (list(self.profiles),)
            case "GetSettings":
                return "a{sa{sv}}", (self.profiles[path],)
            case "ActivateConnection":
                self.profiles[body[0]]
                self.active, self._polls = body[0], 0
                return "o", (f"{ROOT}/ActiveConnection/1",)
            case "AddAndActivateConnection":
                self._next += 1
                profile = f"{ROOT}/Settings/{self._next}"
                self.profiles[profile] = body[0]
                self.active, self._polls = profile, 0
                return "oo", (profile, f"{ROOT}/ActiveConnection/1")
            case "GetConnectionByUuid":
                return "o", (next((p for p, s in self.profiles.items() if s["connection"]["uuid"][1] == body[0]), None) or self._gone(body[0]),)
            case "Delete":
                del self.profiles[path]
                self.active = "/" if self.active == path else self.active
                return None, ()
            case "Disconnect":
                self.active = "/"
                return None, ()
        raise LookupError(member)

    @staticmethod
    def _gone(what: str) -> str:
        raise LookupError(what)


class Resolver:
    """The part of systemd-resolved that is asked."""

    def call(self, path: str, interface: str, member: str, body: tuple[Any, ...]) -> tuple[str | None, tuple[Any, ...]]:
        assert (path, interface, member, body[0]) == ("/org/freedesktop/resolve1", "org.freedesktop.DBus.Properties", "Get", "org.freedesktop.resolve1.Manager")
        values = {
            "DNS": ("a(iiay)", [(1, 2, bytes((10, 0, 0, 1))), (0, 10, bytes(15) + b"\x01")]),
            "Domains": ("a(isb)", [(1, "home.arpa", False), (1, "lan", True)]),
        }
        return "v", (values[body[1]],)


class Firewalld:
    """The part of firewalld that is asked."""

    def call(self, path: str, interface: str, member: str, body: tuple[Any, ...]) -> tuple[str | None, tuple[Any, ...]]:
        assert path == "/org/fedoraproject/FirewallD1"
        match member:
            case "getActiveZones":
                return "a{sa{sas}}", ({"public": {"interfaces": ["eth0"]}},)
            case "getZoneSettings2":
                settings = {
                    "services": ("as", ["ssh"]), "ports": ("a(ss)", [("8080", "tcp")]), "target": ("s", "default"), "rules_str": ("as", []),
                }  # fmt: skip
                return "a{sv}", (settings,)
        raise LookupError(member)


class BusDaemon:
    """A message bus, and services on it that are objects of the test."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "bus")
        config = folder / "bus.conf"
        config.write_text(CONFIG.format(path=self.path))
        self._daemon = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--print-address"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._daemon.stdout is not None and self._daemon.stdout.readline()
        self._ends: list[tuple[threading.Thread, int, Any]] = []

    def serve(self, name: str, service: Any) -> None:
        from jeepney.bus_messages import message_bus
        from jeepney.io.blocking import open_dbus_connection

        connection = open_dbus_connection(f"unix:path={self.path}")
        assert connection.send_and_get_reply(message_bus.RequestName(name)).body == (1,)
        woken, wake = os.pipe()
        thread = threading.Thread(target=self._answer, args=(connection, service, woken))
        thread.start()
        self._ends.append((thread, wake, connection))

    @staticmethod
    def _answer(connection: Any, service: Any, woken: int) -> None:
        from jeepney import MessageType, new_error, new_method_return
        from jeepney.low_level import HeaderFields as H

        while True:
            ready, _, _ = select.select([connection.sock, woken], [], [])
            if woken in ready:
                os.close(woken)
                return
            message = connection.receive()
            if message.header.message_type is not MessageType.method_call:
                continue
            fields = message.header.fields
            try:
                signature, body = service.call(fields[H.path], fields.get(H.interface, ""), fields[H.member], message.body)
                connection.send(new_method_return(message, signature, body))
            except LookupError as error:
                connection.send(new_error(message, "org.freedesktop.DBus.Error.UnknownObject", "s", (f"no such thing: {error}",)))

    def close(self) -> None:
        for thread, wake, connection in self._ends:
            os.write(wake, b"x")
            thread.join()
            os.close(wake)
            connection.close()
        self._daemon.kill()
        self._daemon.communicate()


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BusDaemon]:
    daemon = BusDaemon(tmp_path)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={daemon.path}")
    yield daemon
    daemon.close()


@pytest.fixture
def manager(bus: BusDaemon) -> Manager:
    found = Manager()
    found.point(b"Library", 40)
    found.point(b"Library", 70, frequency=5180)
    found.point(b"Home", 80, flags=1, rsn=PSK)
    found.point(b"Cafe", 20, flags=1, rsn=SAE)
    found.point(b"Office", 30, flags=1, rsn=ENTERPRISE)
    found.point(b"Old", 10, flags=1)
    found.point(b"", 99, flags=1, rsn=PSK)
    found.point("名前'\n\xff".encode("latin-1", "ignore") + b"\xff", 5)
    bus.serve(NM, found)
    return found


def steps(name: str) -> tuple[Any, ...]:
    action = registry.get("network.join_wifi")
    args = action.Args.bind(action.name, {"name": name})
    return tuple(action.steps(args, action.look(args, World())))


def wifi() -> list[Record]:
    action = registry.get("network.wifi")
    args = action.Args.bind(action.name, {})
    return list(action.observe(args, action.look(args, World()), World()))


def test_networks_in_reach(home: Path, manager: Manager) -> None:
    manager.active = manager.profile(b"Cafe")
    found = {r.name: (r.signal_percent, r.security, r.frequency_mhz, r.connected, r.known) for r in wifi()}  # type: ignore[attr-defined]
    odd = next(n for n in found if n.endswith("\udcff"))
    assert list(found) == ["Cafe", "Home", "Library", "Office", "Old", odd]
    assert found["Cafe"] == (20, "WPA3", 2412, True, True)
    assert found["Library"] == (70, "open", 5180, False, False)
    assert (found["Home"][1], found["Office"][1], found["Old"][1]) == ("WPA2", "enterprise", "WEP")
    # It only asks.
    assert set(manager.calls) <= {"GetDevices", "GetAllAccessPoints", "ListConnections", "GetSettings"}


@pytest.mark.parametrize(
    ("looked", "said"), [(5.0, ""), (50.0, ""), (600.0, "last looked for networks 10 minutes"), (-1.0, "has not said when"), (None, "has not said when")]
)
def test_a_list_that_is_old_says_so(home: Path, manager: Manager, looked: float | None, said: str) -> None:
    manager.looked = looked
    notes = [r.text for r in wifi() if isinstance(r, Note)]
    assert [said in note for note in notes] == ([True] if said else [])


def test_an_open_network_is_joined_and_left_again(tmp_path: Path, manager: Manager) -> None:
    before = manager.active = manager.profile(b"Cafe")
    with Scene(tmp_path / "scene") as scene:
        played = scene.play('network.join_wifi("library")')
        assert played.error is None, played.error
        assert manager.active != before
        assert manager.profiles[manager.active]["802-11-wireless"]["ssid"][1] == b"Library"
        assert scene.play('network.join_wifi("Library")').outcome.status == "nothing"  # type: ignore[union-attr]
        undone = scene.play("history.undo()")
        assert undone.error is None, undone.error
        assert manager.active == before and list(manager.profiles) == [before]


def test_a_known_network_is_joined_by_its_profile(home: Path, manager: Manager) -> None:
    known = manager.profile(b"Home")
    (step,) = steps("Home")
    assert step.describe() == "connect to the wireless network Home" and step.state() == "undone"
    step.apply()
    assert manager.active == known and step.state() == "done"
    back = step.inverse()
    assert back.describe() == "disconnect from the wireless network Home" and back.inverse() == step
    back.apply()
    assert manager.active == "/" and list(manager.profiles) == [known]


def test_a_password_is_not_taken(home: Path, manager: Manager) -> None:
    for name in ("Home", "Cafe", "Office", "Old"):
        with pytest.raises(NotPossible) as caught:
            steps(name)
        assert "password" in str(caught.value)
    with pytest.raises(NotFound) as missing:
        steps("Elsewhere")
    assert "Home" in missing.value.hint


@pytest.mark.parametrize(("reason", "words"), [(7, "password"), (53, "reason 53")])
def test_a_connection_that_fails_leaves_no_new_profile(home: Path, manager: Manager, reason: int, words: str) -> None:
    manager.fails_with = reason
    (step,) = steps("Library")
    with pytest.raises(NotPossible) as caught:
        step.apply()
    assert words in str(caught.value) and manager.profiles == {}


def test_a_network_that_goes_away(home: Path, manager: Manager) -> None:
    known = manager.profile(b"Home")
    (step,) = steps("Home")
    del manager.profiles[known]
    with pytest.raises(Exception, match="no such thing"):
        step.apply()
    assert manager.active == "/"


def test_stopping_while_it_connects(home: Path, manager: Manager) -> None:
    manager.polls_before_done = 1_000_000
    (step,) = steps("Library")
    handles.on_progress(lambda *_: None, lambda: True)
    try:
        with pytest.raises(Exception, match="cancelled"):
            step.apply()
    finally:
        handles.on_progress(None)
    assert manager.profiles == {}


def test_no_device_no_radio_no_manager(home: Path, manager: Manager, bus: BusDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    manager.on = False
    for ask in (wifi, lambda: steps("Library")):
        with pytest.raises(NotPossible, match="switched off"):
            ask()
    del manager.devices[f"{ROOT}/Devices/2"]
    with pytest.raises(NotPossible, match="no wireless device"):
        wifi()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")
    with pytest.raises(NotPossible, match="cannot be reached"):
        wifi()


def test_a_bus_without_a_network_manager(home: Path, bus: BusDaemon) -> None:
    with pytest.raises(NotPossible, match="NetworkManager is not on"):
        wifi()


# --- others on the same bus


def test_name_servers_behind_systemd_resolved(tmp_path: Path, bus: BusDaemon) -> None:
    bus.serve(resolved.SERVICE, Resolver())
    with Scene(tmp_path / "scene", {"etc/resolv.conf": "nameserver 127.0.0.53\n"}) as scene:
        played = scene.play("network.names()")
        assert played.error is None, played.error
        rows = [r.plain().split("\t") for r in played.records]
    assert [(r[0], os.path.basename(r[2])) for r in rows] == [("127.0.0.53", "resolv.conf"), ("::1", "systemd-resolved"), ("10.0.0.1", "systemd-resolved")]
    assert rows[2][1] == "lo" and rows[2][3] == "home.arpa ~lan"
    assert routes.RESOLV_CONF == "/etc/resolv.conf"  # a scene gives it back


def test_without_systemd_resolved_the_file_is_all(tmp_path: Path, bus: BusDaemon) -> None:
    with Scene(tmp_path / "scene", {"etc/resolv.conf": "nameserver 127.0.0.53\n"}) as scene:
        assert [r.plain().split("\t")[0] for r in scene.play("network.names()").records] == ["127.0.0.53"]


def test_firewalld_is_asked_first(tmp_path: Path, bus: BusDaemon) -> None:
    bus.serve("org.fedoraproject.FirewallD1", Firewalld())
    with Scene(tmp_path / "scene") as scene:
        played = scene.play("network.firewall()")
        assert played.error is None, played.error
        assert [r.plain() for r in played.records] == [
            "zone public\tservice ssh\taccept", "zone public\ttcp port 8080\taccept", "zone public\teverything else\treject",
        ]  # fmt: skip
