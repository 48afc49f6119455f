"""Users and their logins: real entries of utmp and wtmp, wtmpdb's database, and logind over a real message bus."""

from __future__ import annotations

import os
import sqlite3
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan.errors import NotFound
from nlsh.testing import Scene
from nlsh.world import users
from tests.unit.actions.fake_bus import Answer, Bus, Service, scene


def entry(kind: int, line: str, user: str, at: float, host: str = "", pid: int = 0) -> bytes:
    return struct.pack("=hxxi32s4s32s256s4sii i16s20x", kind, pid, line.encode(), b"id", user.encode(), host.encode(), b"", 0, int(at), 500_000, b"")


def test_sessions_of_utmp(tmp_path: Path) -> None:
    path = tmp_path / "utmp"
    path.write_bytes(
        entry(2, "~", "reboot", 1) + entry(7, "pts/0", "alice", 100, "there", os.getpid()) + entry(7, "pts/1", "gone", 100, "", 2**22 + 1) + b"half"
    )
    assert [(s.user, s.terminal, s.host, s.at) for s in users.logged_in(str(path))] == [("alice", "pts/0", "there", 100.5)]


def test_logins_of_wtmp_newest_first_with_their_ends(tmp_path: Path) -> None:
    path = tmp_path / "wtmp"
    path.write_bytes(
        entry(2, "~", "reboot", 10) + entry(7, "tty1", "alice", 20) + entry(7, "pts/0", "bob", 30, "b.example") + entry(8, "pts/0", "", 40)
        + entry(2, "~", "reboot", 50) + entry(7, "pts/0", "carol", 60) + entry(7, "pts/1", "dave", 70) + entry(8, "pts/0", "", 80)
    )  # fmt: skip
    found = list(users.logins(10, wtmp=str(path), database="/nowhere"))
    assert [(s.user, s.at, s.ended_at) for s in found] == [("dave", 70.5, None), ("carol", 60.5, 80.5), ("bob", 30.5, 40.5), ("alice", 20.5, 50.5)]
    assert [s.user for s in users.logins(2, wtmp=str(path), database="/nowhere")] == ["dave", "carol"]


def test_many_logins(tmp_path: Path) -> None:
    path = tmp_path / "wtmp"
    path.write_bytes(b"".join(entry(7, f"pts/{n}", f"u{n}", n) for n in range(200)))
    assert [s.user for s in users.logins(130, wtmp=str(path), database="/nowhere")] == [f"u{n}" for n in range(199, 69, -1)]
    path.write_bytes(b"")
    assert list(users.logins(5, wtmp=str(path), database="/nowhere")) == []


def test_times_after_2038(tmp_path: Path) -> None:
    path = tmp_path / "wtmp"
    data = bytearray(entry(7, "tty1", "a", 0))
    data[340:344] = struct.pack("=I", 4_000_000_000)
    path.write_bytes(bytes(data))
    (found,) = users.logins(1, wtmp=str(path), database="/nowhere")
    assert found.at == 4_000_000_000.5


def test_logins_of_wtmpdb(tmp_path: Path) -> None:
    path = tmp_path / "wtmp ?#.db"
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TABLE wtmp(ID INTEGER PRIMARY KEY, Type INTEGER, User TEXT, Login INTEGER, Logout INTEGER, TTY TEXT, RemoteHost TEXT, Service TEXT)"
    )
    rows = [(1, "reboot", 1_000_000, None, "~", None), (3, "alice", 2_000_000, 3_000_000, "tty1", None), (3, "bob", 4_000_000, None, "pts/0", "there")]
    connection.executemany("INSERT INTO wtmp(Type, User, Login, Logout, TTY, RemoteHost) VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    found = list(users.logins(5, database=str(path)))
    assert [(s.user, s.host, s.at, s.ended_at) for s in found] == [("bob", "there", 4.0, None), ("alice", "", 2.0, 3.0)]
    assert len(list(users.logins(1, database=str(path)))) == 1


def test_users_and_groups() -> None:
    me = users.user(None)
    assert me.id == os.getuid() and users.user(str(me.id)).name == me.name
    everybody = list(users.users())
    kinds = [u.kind for u in everybody]
    assert kinds == sorted(kinds) and "root" in [u.name for u in everybody if u.kind == "person"]
    first, *_ = users.groups("root")
    assert (first.name, first.id, first.main) == ("root", 0, True)
    assert {g.id for g in users.groups(None)} >= {os.getgid()}


@pytest.mark.parametrize("name", ["nlsh-none", "", "99999999999999999999", "../root", "ro\not", "-1", "٣"])
def test_nobody_of_that_name(name: str) -> None:
    with pytest.raises(NotFound):
        users.user(name)


class Logind(Service):
    names = ("org.freedesktop.login1",)

    def properties(self, path: str, interface: str) -> dict[str, tuple[str, Any]]:
        shown = {"_31": ("user", "active"), "_32": ("user", "closing"), "_33": ("manager", "active")}[path[-3:]]
        return {
            "Class": ("s", shown[0]),
            "State": ("s", shown[1]),
            "TTY": ("s", ""),
            "Display": ("s", ":0"),
            "RemoteHost": ("s", ""),
            "Timestamp": ("t", 5_000_000),
        }

    def answer(self, path: str, interface: str, method: str, body: tuple[Any, ...]) -> Answer:
        return "a(susso)", ([(n, 1000, "alice", "seat0", f"/org/freedesktop/login1/session/_3{n}") for n in "123"],)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    bus = Bus(tmp_path)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    try:
        bus.serve(Logind())
        with scene(tmp_path) as found:
            yield found
    finally:
        bus.close()


def test_sessions_of_logind(machine: Scene) -> None:
    played = machine.play("user.sessions()")
    assert played.error is None, played.error
    assert [(s.user, s.terminal, s.at) for s in played.records] == [("alice", ":0", 5.0)]  # type: ignore[attr-defined]


def test_who_was_here_is_not_in_the_future(machine: Scene) -> None:
    played = machine.play("user.logins()")
    assert played.error is None or played.error.code == "world.not-possible"
    assert all(r.at <= time.time() + 60 for r in played.records)  # type: ignore[attr-defined]
