"""Services and timers as systemd tells them over the message bus: what they are called, how they are, when they run."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from typing import Any

from nlsh.plan.errors import BadArgument, NotFound
from nlsh.plan.records.services import Service, Timer
from nlsh.world.bus import Bus, BusError

SYSTEMD = "org.freedesktop.systemd1"
ROOT = "/org/freedesktop/systemd1"
MANAGER = f"{SYSTEMD}.Manager"
UNIT = f"{SYSTEMD}.Unit"
KINDS = ("service", "socket", "timer", "target", "mount", "path", "slice", "scope", "swap", "device", "automount")
_NEVER = 2**64 - 1
_SHOWN = 8


def unit_name(written: str) -> str:
    """Return the unit that a person means: “nginx” is nginx.service. Raises BadArgument for what cannot be one.

    >>> unit_name("nginx"), unit_name("backup.timer"), unit_name("the ssh service")
    ('nginx.service', 'backup.timer', 'ssh.service')
    """
    text = re.sub(r"^(the|service)\s+|\s+(service|daemon|unit)$|\s*服务$", "", written.strip(), flags=re.I) or written.strip()
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9:_.\\@-]*", text) or len(text) > 200:
        raise BadArgument(f"“{written}” is no name of a service.", hint='For example name="nginx". Nothing was changed.')
    return text if text.rpartition(".")[2] in KINDS and "." in text else f"{text}.service"


def shown(unit: str) -> str:
    """Return what people call a unit."""
    return unit.removesuffix(".service")


def services(bus: Bus, state: str | None = None) -> Iterator[Service]:
    """Yield the services by name; `state`: only those that are running, failed, stopped or enabled."""
    files = {path.rpartition("/")[2]: is_ for path, is_ in bus.call(SYSTEMD, ROOT, MANAGER, "ListUnitFiles")[0]}
    found = {u[0]: u for u in bus.call(SYSTEMD, ROOT, MANAGER, "ListUnits")[0]}
    for name in sorted({n for n in (*files, *found) if n.endswith(".service")}):
        if name.partition("@")[2] == ".service":
            continue  # a template, not a service
        _, description, loaded, active, detail, *_ = found.get(name, (name, "", "", "inactive", "dead"))
        if loaded == "not-found":
            continue
        at_start = files.get(name) or files.get(re.sub(r"@.*(?=\.service$)", "@", name), "")
        wanted = {
            "running": active in ("active", "reloading"), "failed": active == "failed", "stopped": active in ("inactive", "failed"),
            "enabled": at_start.startswith("enabled"),
        }  # fmt: skip
        if state is None or wanted[state]:
            yield Service(shown(name), active, detail, at_start, description)


def own_units(home: str, ending: str) -> list[str]:
    """Return the units with this ending, such as `.timer`, that the user has set up for their own part of systemd: the system's does not know them."""
    config, data = (os.environ.get(v) or os.path.join(home, usual) for v, usual in (("XDG_CONFIG_HOME", ".config"), ("XDG_DATA_HOME", ".local/share")))
    found = set()
    for folder in (config, data):
        try:
            found |= {n for n in os.listdir(os.path.join(folder, "systemd", "user")) if n.endswith(ending) and not n.endswith(f"@{ending}")}
        except OSError:
            continue
    return sorted(found)


def of_own(home: str, ending: str, command: str) -> str:
    """Return a sentence on the user's own units with this ending and the command that shows them; nothing where there are none."""
    units = own_units(home, ending)
    if not units:
        return ""
    names = [shown(u).removesuffix(".timer") for u in units]
    listed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return f"These are the system's. Your own are not among them: {listed}. `systemctl --user {command}` shows how they are."


def facts(bus: Bus, unit: str) -> dict[str, Any]:
    """Return the properties of a unit. Raises NotFound, with names that are like it."""
    try:
        path = bus.call(SYSTEMD, ROOT, MANAGER, "LoadUnit", "s", unit)[0]
        found = {**bus.properties(SYSTEMD, path, UNIT), "path": path}
    except BusError as error:
        if error.name.endswith(("NoSuchUnit", "InvalidArgs")):
            raise _unknown(bus, unit) from error
        raise
    if found.get("LoadState") == "not-found":
        raise _unknown(bus, unit)
    return found


def _unknown(bus: Bus, unit: str) -> NotFound:
    import difflib

    known = [path.rpartition("/")[2] for path, _ in bus.call(SYSTEMD, ROOT, MANAGER, "ListUnitFiles")[0]]
    near = difflib.get_close_matches(unit, known, 3)
    near += [k for k in known if k.endswith(".service") and shown(unit).lower() in k.lower() and k not in near][:3]
    like = f" There is {', '.join(shown(n) for n in near[:4])}." if near else " service.list() shows those that there are."
    return NotFound(f"There is no service {shown(unit)} here.", hint=f"Nothing was changed.{like}")


def status(bus: Bus, unit: str) -> Service:
    """Return how one unit is. Raises NotFound."""
    found = facts(bus, unit)
    own: dict[str, Any] = {}
    if unit.endswith(".service"):
        own = bus.properties(SYSTEMD, found["path"], f"{SYSTEMD}.Service")
    memory = own.get("MemoryCurrent", _NEVER)
    since = found.get("ActiveEnterTimestamp") if found["ActiveState"] in ("active", "reloading") else found.get("StateChangeTimestamp")
    return Service(
        shown(found["Id"]), found["ActiveState"], found.get("SubState", ""), found.get("UnitFileState", ""), found.get("Description", ""),
        own.get("MainPID") or None, None if memory >= _NEVER else memory, since / 1e6 if since else None, found.get("FragmentPath", ""),
    )  # fmt: skip


def failure(bus: Bus, unit: str) -> str:
    """Return why a service failed, in a few words, or nothing."""
    try:
        path = bus.call(SYSTEMD, ROOT, MANAGER, "LoadUnit", "s", unit)[0]
        own = bus.properties(SYSTEMD, path, f"{SYSTEMD}.Service")
    except BusError:
        return ""
    result, code = own.get("Result", ""), own.get("ExecMainStatus", 0)
    words = {
        "exit-code": f"it ended with status {code}",
        "signal": f"signal {code} ended it",
        "timeout": "it took too long",
        "oom-kill": "it ran out of memory",
    }
    return "" if result in ("", "success") else words.get(result, result)


def timers(bus: Bus) -> Iterator[Timer]:
    """Yield the timers, the next to run first."""
    found = []
    started = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    for name, description, _, _, _, _, path, *_ in bus.call(SYSTEMD, ROOT, MANAGER, "ListUnits")[0]:
        if not name.endswith(".timer"):
            continue
        own = bus.properties(SYSTEMD, path, f"{SYSTEMD}.Timer")
        wall, since_boot, last = own.get("NextElapseUSecRealtime", 0), own.get("NextElapseUSecMonotonic", 0), own.get("LastTriggerUSec", 0)
        coming = [v for v in (wall / 1e6 if 0 < wall < _NEVER else 0, started + since_boot / 1e6 if 0 < since_boot < _NEVER else 0) if v]
        found.append(Timer(name.removesuffix(".timer"), shown(own.get("Unit", "")), min(coming, default=None), last / 1e6 if last else None, description))
    yield from sorted(found, key=lambda t: (t.next_at is None, t.next_at or 0, t.name))
