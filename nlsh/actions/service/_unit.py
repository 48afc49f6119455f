"""What the actions that change a service have in common: the unit that is meant, how it is, and what is never touched."""

from __future__ import annotations

import re
from typing import Any

from nlsh.plan.errors import NotPossible, Refused
from nlsh.steps._bus import asked
from nlsh.world.bus import Bus
from nlsh.world.services import SYSTEMD, facts, shown, unit_name

# Without these nothing on the machine can be asked or told any more.
_VITAL = {"dbus", "dbus-broker", "systemd-logind", "systemd-journald", "systemd-udevd"}
_PULLED_DOWN = ("RequiredBy", "BoundBy", "ConsistsOf")


def look(written: str, verb: str) -> dict[str, Any]:
    """Return the unit with its state. Raises NotFound, NotPossible, and Refused for what the machine needs to be spoken to."""
    unit = unit_name(written)
    if verb in ("stop", "restart", "disable") and shown(unit) in _VITAL:
        raise Refused(f"Without {shown(unit)} this machine can be asked nothing any more, nlsh's undo included.", hint="Nothing was changed.")
    with asked("system", SYSTEMD, "systemd") as bus:
        found = facts(bus, unit)
        unit = found["Id"]
        seen = {"unit": unit, "was": found["ActiveState"], "file": found.get("UnitFileState", ""), "final": "", "others": []}
        if found.get("LoadState") == "masked" and verb in ("start", "restart", "enable"):
            raise Refused(
                f"{shown(unit)} is masked: somebody has forbidden to start it.", hint=f"Nothing was changed. `systemctl unmask {unit}` allows it again."
            )
        able = {"start": "CanStart", "restart": "CanStart", "stop": "CanStop", "reload": "CanReload"}.get(verb, "")
        if not found.get(able, True) or (verb in ("start", "stop") and found.get(f"RefuseManual{verb.capitalize()}")):
            raise NotPossible(f"{shown(unit)} cannot be told to {verb}.", hint="Nothing was changed.")
        if verb in ("stop", "restart") and _holds_us(unit):
            raise Refused(f"nlsh itself runs in {shown(unit)} and would end with it.", hint="Nothing was changed. Do it from elsewhere.")
        if verb == "stop":
            seen["others"] = [u for u in _dependents(bus, found) if u != unit]
            if found.get("Transient"):
                seen["final"] = f"{shown(unit)} was started for once and is gone when it stops"
            elif found.get("RefuseManualStart"):
                seen["final"] = f"{shown(unit)} cannot be started by hand"
        if verb == "start" and found["ActiveState"] in ("activating", "deactivating"):
            raise Refused(f"{shown(unit)} is {found['ActiveState']} already.", hint="Nothing was changed. Ask again in a moment.")
        return seen


def look_at_file(written: str, verb: str) -> dict[str, Any]:
    """Return the unit as `look` does, if it can be enabled and disabled. Raises NotPossible where that is not up to anybody."""
    seen = look(written, verb)
    why = {
        "static": "it starts when something else needs it, not with the machine",
        "generated": "it is made anew at every start, from another file",
        "transient": "it was started for once",
        "alias": "it is another name of a service",
        "": "systemd has no file of it",
    }.get(seen["file"])
    if why:
        raise NotPossible(f"{shown(seen['unit'])} can be neither enabled nor disabled: {why}.", hint="Nothing was changed.")
    return seen


def _holds_us(unit: str) -> bool:
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="replace") as file:
            return bool(re.search(rf"/{re.escape(unit)}(/|$)", file.read(), re.M))
    except OSError:
        return False


def _dependents(bus: Bus, found: dict[str, Any]) -> list[str]:
    """Return the running units that systemd stops along, as they cannot be without this one."""
    wanted: list[str] = []
    todo = [u for p in _PULLED_DOWN for u in found.get(p, ())]
    while todo and len(wanted) < 20:
        unit = todo.pop(0)
        if unit in wanted:
            continue
        other = facts(bus, unit)
        if other["ActiveState"] in ("active", "reloading") and unit.endswith((".service", ".socket")):
            wanted.append(unit)
            todo += [u for p in _PULLED_DOWN for u in other.get(p, ())]
    return wanted
