"""A message bus of the tests' own: a real dbus-daemon, with services behind it that keep what they are told in plain dictionaries."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.guard.sandbox.zygote import Zygote
from nlsh.testing import Scene

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"""

Answer = tuple[str, tuple[Any, ...]]


class Refusal(Exception):
    """An error that a service answers with: its name and its words."""


class Service:
    """A service on the bus. `answer` gets (path, interface, method, body) and returns (signature, values); `signals` are sent after the reply."""

    names: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.signals: list[Any] = []

    def answer(self, path: str, interface: str, method: str, body: tuple[Any, ...]) -> Answer:
        raise NotImplementedError

    def properties(self, path: str, interface: str) -> dict[str, tuple[str, Any]]:
        return {}

    def respond(self, path: str, interface: str, method: str, body: tuple[Any, ...]) -> Answer:
        if interface == "org.freedesktop.DBus.Properties":
            found = self.properties(path, body[0])
            if method == "GetAll":
                return "a{sv}", (found,)
            if body[1] not in found:
                raise Refusal("org.freedesktop.DBus.Error.UnknownProperty", f"no property {body[1]}")
            return "v", (found[body[1]],)
        self.calls.append((method, body))
        return self.answer(path, interface, method, body)


class Bus:
    """The daemon and the threads of its services."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bus"
        config = folder / "bus.conf"
        config.write_text(CONFIG.format(path=self.path))
        program = shutil.which("dbus-daemon")
        if program is None:
            pytest.skip("there is no dbus-daemon here")
        self._daemon = subprocess.Popen([program, f"--config-file={config}", "--nofork", "--print-address"], stdout=subprocess.PIPE, text=True)
        assert self._daemon.stdout is not None
        self._daemon.stdout.readline()  # it listens now
        self._open: list[Any] = []

    @property
    def address(self) -> str:
        return f"unix:path={self.path}"

    def serve(self, service: Service) -> None:
        from jeepney import MessageType, message_bus, new_error, new_method_return
        from jeepney.io.blocking import open_dbus_connection

        connection = open_dbus_connection(self.address)
        self._open.append(connection)
        for name in service.names:
            connection.send_and_get_reply(message_bus.RequestName(name))

        def run() -> None:
            with contextlib.suppress(Exception):
                while True:
                    message = connection.receive()
                    if message.header.message_type is not MessageType.method_call:
                        continue
                    fields = {k.name: v for k, v in message.header.fields.items()}
                    try:
                        signature, body = service.respond(fields["path"], fields.get("interface", ""), fields["member"], message.body)
                        connection.send(new_method_return(message, signature or None, body))
                    except Refusal as error:
                        connection.send(new_error(message, error.args[0], "s", (error.args[1],)))
                    while service.signals:
                        connection.send(service.signals.pop(0))

        threading.Thread(target=run, daemon=True).start()

    def close(self) -> None:
        self._daemon.kill()
        self._daemon.communicate()
        for connection in self._open:
            connection.close()


class Systemd(Service):
    """As much of systemd's manager as nlsh speaks with. Units are dictionaries of properties; transient ones are really run."""

    names = ("org.freedesktop.systemd1",)
    ROOT = "/org/freedesktop/systemd1"

    def __init__(self, units: dict[str, dict[str, Any]] | None = None) -> None:
        super().__init__()
        self.units = {}
        for name, given in (units or {}).items():
            self.units[name] = {"ActiveState": "inactive", "LoadState": "loaded", "UnitFileState": "disabled", "CanStart": True, "CanStop": True} | given
        self.result = "done"
        self.forbidden = False
        self.printed = ""
        self._jobs = 0

    def _path(self, unit: str) -> str:
        return f"{self.ROOT}/unit/" + "".join(c if c.isalnum() else f"_{ord(c):02x}" for c in unit)

    def _unit(self, path: str) -> tuple[str, dict[str, Any]]:
        return next((n, u) for n, u in self.units.items() if self._path(n) == path)

    def properties(self, path: str, interface: str) -> dict[str, tuple[str, Any]]:
        name, unit = self._unit(path)
        if interface.endswith(".Unit"):
            found = {"Id": name, "SubState": "running" if unit["ActiveState"] == "active" else "dead", "Description": f"the {name}", **unit}
        else:
            found = unit.get("own", {})
        kinds = {bool: "b", str: "s", list: "as", int: "t"}
        return {k: (kinds[type(v)], v) for k, v in found.items() if k != "own"}

    def _job(self, unit: str) -> Answer:
        from jeepney import DBusAddress, new_signal

        self._jobs += 1
        job = f"{self.ROOT}/job/{self._jobs}"
        emitter = DBusAddress(self.ROOT, interface="org.freedesktop.systemd1.Manager")
        self.signals += [
            new_signal(emitter, "JobRemoved", "uoss", (9999, f"{self.ROOT}/job/9999", "other.service", "failed")),
            new_signal(emitter, "JobRemoved", "uoss", (self._jobs, job, unit, self.result)),
        ]
        return "o", (job,)

    def answer(self, path: str, interface: str, method: str, body: tuple[Any, ...]) -> Answer:
        if self.forbidden and method.startswith(("Start", "Stop", "Restart", "Enable", "Disable")):
            raise Refusal("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "Interactive authentication required.")
        if method in ("Subscribe", "Reload", "ResetFailedUnit"):
            return "", ()
        if method == "ListUnits":
            rows = [
                (n, f"the {n}", u["LoadState"], u["ActiveState"], "running" if u["ActiveState"] == "active" else "dead", "", self._path(n), 0, "", "/")
                for n, u in self.units.items()
            ]
            return "a(ssssssouso)", (rows,)
        if method == "ListUnitFiles":
            return "a(ss)", ([(f"/lib/systemd/system/{n}", u["UnitFileState"]) for n, u in self.units.items()],)
        if method == "LoadUnit":
            self.units.setdefault(body[0], {"ActiveState": "inactive", "LoadState": "not-found", "UnitFileState": ""})
            return "o", (self._path(body[0]),)
        if method == "GetUnitFileState":
            return "s", (self.units[body[0]]["UnitFileState"],)
        if method in ("EnableUnitFiles", "DisableUnitFiles"):
            for name in body[0]:
                self.units[name]["UnitFileState"] = "enabled" if method.startswith("Enable") else "disabled"
            return ("ba(sss)", (True, [])) if method.startswith("Enable") else ("a(sss)", ([],))
        if method == "StartTransientUnit":
            return self._transient(*body)
        state = {"StartUnit": "active", "StopUnit": "inactive", "RestartUnit": "active", "ReloadUnit": "active"}[method]
        if self.result == "done":
            self.units[body[0]]["ActiveState"] = state
            for other in self.units[body[0]].get("RequiredBy", ()) if state == "inactive" else ():
                self.units[other]["ActiveState"] = "inactive"
        return self._job(body[0])

    def _transient(self, name: str, mode: str, properties: list[Any], others: list[Any]) -> Answer:
        given = {k: v[1] for k, v in properties}
        argv = given["ExecStart"][0][1]
        environment = dict(e.partition("=")[::2] for e in given["Environment"])
        done = subprocess.run(argv, env=environment, input=bytes(given.get("StandardInputData", b"")), capture_output=True, check=False)
        self.printed = done.stdout.decode() + done.stderr.decode()
        self.units[name] = {
            "ActiveState": "inactive", "LoadState": "loaded", "UnitFileState": "transient",
            "own": {"Result": "success" if done.returncode == 0 else "exit-code", "ExecMainStatus": done.returncode},
        }  # fmt: skip
        before, self.result = self.result, "done" if done.returncode == 0 else "failed"
        answer = self._job(name)
        self.result = before
        return answer


@contextlib.contextmanager
def scene(folder: Path, zygote: Zygote | None = None, given: dict[str, Any] | None = None) -> Iterator[Scene]:
    """Yield a scene in which plans run for real, confined."""
    with Scene(folder / "scene", given, zygote=zygote) as found:
        yield found


Started = Callable[..., Any]
