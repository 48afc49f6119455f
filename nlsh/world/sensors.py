"""Temperatures, fans and batteries, as the kernel shows them below /sys (hwmon, thermal, power_supply)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from nlsh.plan.errors import NotPossible
from nlsh.plan.records.resource import Battery, Fan, Temperature
from nlsh.world.devices import attribute
from nlsh.world.machine import span

SYS = "/sys"
_VIRTUAL = "A virtual machine or a container often shows none."
# No sensor is colder or hotter: some answer with such values where nothing is connected.
_COLDEST_C, _HOTTEST_C = -60.0, 250.0


def _number(*parts: str) -> int | None:
    text = attribute(*parts)
    return int(text) if re.fullmatch(r"-?\d+", text) else None


def _entries(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder), key=lambda n: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", n)])
    except OSError:
        return []


def _inputs(kind: str) -> Iterator[tuple[str, str, str]]:
    """Yield (folder, name of the chip, "temp1") of each sensor of a kind."""
    for chip in _entries(f"{SYS}/class/hwmon"):
        # Older drivers keep their attributes in the device below.
        for folder in (f"{SYS}/class/hwmon/{chip}", f"{SYS}/class/hwmon/{chip}/device"):
            found = [n.removesuffix("_input") for n in _entries(folder) if re.fullmatch(rf"{kind}\d+_input", n)]
            for sensor in found:
                yield folder, attribute(f"{SYS}/class/hwmon/{chip}", "name") or attribute(folder, "name") or chip, sensor
            if found:
                break


def _celsius(value: int | None) -> float | None:
    shown = None if value is None else round(value / 1000, 1)
    return shown if shown is not None and _COLDEST_C < shown < _HOTTEST_C else None


def temperatures() -> Iterator[Temperature]:
    """Yield what the machine's sensors say. Raises NotPossible where there are none."""
    found = False
    for folder, chip, sensor in _inputs("temp"):
        celsius = _celsius(_number(folder, f"{sensor}_input"))
        if celsius is not None:
            found = True
            high, critical = (_celsius(_number(folder, f"{sensor}_{limit}")) for limit in ("max", "crit"))
            yield Temperature(chip, attribute(folder, f"{sensor}_label") or sensor, celsius, high or None, critical or None)
    if found:
        return
    for zone in _entries(f"{SYS}/class/thermal"):
        folder = f"{SYS}/class/thermal/{zone}"
        celsius = _celsius(_number(folder, "temp")) if zone.startswith("thermal_zone") else None
        if celsius is not None:
            found = True
            trips = {attribute(folder, f"{t}_type"): _celsius(_number(folder, f"{t}_temp")) for t in ("trip_point_0", "trip_point_1", "trip_point_2")}
            yield Temperature(attribute(folder, "type") or zone, zone, celsius, trips.get("hot"), trips.get("critical"))
    if not found:
        raise NotPossible("Not available here, because this machine shows no temperature sensors.", hint=f"Nothing was changed. {_VIRTUAL}")


def fans() -> Iterator[Fan]:
    """Yield how fast the fans turn. Raises NotPossible where none is shown."""
    found = False
    for folder, chip, sensor in _inputs("fan"):
        speed = _number(folder, f"{sensor}_input")
        if speed is not None:
            found = True
            yield Fan(chip, attribute(folder, f"{sensor}_label") or sensor, speed)
    if not found:
        raise NotPossible("Not available here, because this machine shows no fans.", hint=f"Nothing was changed. {_VIRTUAL}")


def batteries() -> Iterator[Battery]:
    """Yield the batteries: the machine's own, then those of a mouse or a headset. Raises NotPossible where there is none."""
    found = []
    for name in _entries(f"{SYS}/class/power_supply"):
        folder = f"{SYS}/class/power_supply/{name}"
        if attribute(folder, "type") == "Battery" and attribute(folder, "present") != "0":
            found.append((attribute(folder, "scope") == "Device", _battery(name, folder)))
    if not found:
        raise NotPossible("Not available here, because this machine has no battery.", hint="Nothing was changed.")
    yield from (battery for _, battery in sorted(found, key=lambda f: (f[0], f[1].name)))


def _battery(name: str, folder: str) -> Battery:
    # Either energy in µWh and power in µW, or charge in µAh and current in µA.
    now, full, new, rate = (_either(folder, *names) for names in (
        ("energy_now", "charge_now"), ("energy_full", "charge_full"), ("energy_full_design", "charge_full_design"), ("power_now", "current_now"))
    )  # fmt: skip
    status = attribute(folder, "status").lower() or "unknown"
    percent = _number(folder, "capacity")
    share = float(percent) if percent is not None else round(100 * now / full, 1) if now is not None and full else None
    left = None
    if rate:
        if status == "discharging" and now is not None:
            left = 3600 * now / rate
        elif status == "charging" and now is not None and full:
            left = 3600 * max(0, full - now) / rate
    power, current, volts = _number(folder, "power_now"), _number(folder, "current_now"), _number(folder, "voltage_now")
    watts = abs(power) / 1e6 if power is not None else abs(current) * volts / 1e12 if current is not None and volts else None
    model = " ".join(p for p in (attribute(folder, "manufacturer"), attribute(folder, "model_name")) if p)
    return Battery(
        name, share, status, None if left is None else round(left), "" if left is None else span(max(60, left // 60 * 60)),
        None if watts is None else round(watts, 1), round(100 * full / new, 1) if full and new else None, _number(folder, "cycle_count") or None, model,
    )  # fmt: skip


def _either(folder: str, *names: str) -> int | None:
    """Return the first of these attributes that there is. Some drivers write a current that flows out with a minus."""
    return next((abs(v) for n in names if (v := _number(folder, n)) is not None), None)
