"""What a control group (version 2) may read and write at each disk in a second: its setting io.max, and systemd's properties for it.

A setting is one line for each disk, as the kernel shows it: "8:0 rbps=1048576 wbps=max riops=max wiops=max". A disk without limits has no line
when it is read; here it has one that says max, so that settings compare.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

NAME = "io.max"
INFINITE = 2**64 - 1  # what systemd takes for: no limit
PROPERTIES = {"rbps": "IOReadBandwidthMax", "wbps": "IOWriteBandwidthMax"}
# A property of systemd: what each device file may have, in bytes a second.
Rates = tuple[tuple[str, int], ...]
_KEYS = ("rbps", "wbps", "riops", "wiops")
_BLOCK = "/sys/block"


def disks() -> tuple[str, ...]:
    """Return the kernel's numbers of the disks, such as 8:0; what only shows other disks (loop, mapper) is held by these."""
    try:
        names = sorted(os.listdir(_BLOCK))
    except OSError:
        return ()
    found = (_text(f"{_BLOCK}/{n}/dev") for n in names if os.path.exists(f"{_BLOCK}/{n}/device") and _text(f"{_BLOCK}/{n}/size") not in ("", "0"))
    return tuple(number for number in found if number)


def at_most(rate: int, numbers: Iterable[str]) -> str:
    """Return the setting that lets a group read, and write, so many bytes a second at each of these disks."""
    return _written({n: {"rbps": str(rate), "wbps": str(rate)} for n in numbers})


def lifted(setting: str) -> str:
    """Return the setting that takes all limits off the disks of another."""
    return _written({n: {} for n in _lines(setting)})


def changed(setting: str, change: str) -> str:
    """Return a setting in which the rates are those of `change`, and what it says of the number of accesses stays."""
    old = _lines(setting)
    return _written({n: {**old.get(n, {}), "rbps": new["rbps"], "wbps": new["wbps"]} for n, new in _lines(change).items()})


def like(setting: str, other: str) -> str:
    """Return what a setting says of the disks of another."""
    found = _lines(setting)
    return _written({n: found.get(n, {}) for n in _lines(other)})


def rates(setting: str) -> set[tuple[str, str]]:
    """Return what may be read and written in a second at the disks of a setting: bytes, or max."""
    return {(line["rbps"], line["wbps"]) for line in _lines(setting).values()}


def as_properties(setting: str) -> list[tuple[str, Rates]]:
    """Return a setting as properties of systemd, with the numbers as device files."""
    lines = _lines(setting).items()
    return [(name, tuple((node(n), INFINITE if line[key] == "max" else int(line[key])) for n, line in lines)) for key, name in PROPERTIES.items()]


def after(old: int | Rates, change: int | Rates) -> int | Rates:
    """Return what a property of systemd says after `change`: a device that has no limit is not in it."""
    if isinstance(change, int):
        return change
    old = () if isinstance(old, int) else old
    return tuple(sorted((path, rate) for path, rate in {**dict(old), **dict(change)}.items() if rate != INFINITE))


def told(new: int | Rates, old: int | Rates) -> int | Rates:
    """Return what to tell systemd so that a property which says `old` says `new`: what is left out of a list of rates stays as it was."""
    if isinstance(new, int) or isinstance(old, int):
        return new
    return (*new, *((path, INFINITE) for path, _ in old if path not in dict(new)))


def variant(value: int | Rates) -> tuple[str, int | list[tuple[str, int]]]:
    """Return the value of a property as it goes over the bus: with its type."""
    return ("t", value) if isinstance(value, int) else ("a(st)", list(value))


def value_of(found: int | Iterable[tuple[str, int]]) -> int | Rates:
    """Return the value of a property as it came over the bus, so that two of them compare."""
    return found if isinstance(found, int) else after((), tuple((str(path), int(rate)) for path, rate in found))


def node(number: str) -> str:
    """Return the device file of a disk."""
    return "/dev/" + os.path.basename(os.path.realpath(f"/sys/dev/block/{number}"))


def _lines(setting: str) -> dict[str, dict[str, str]]:
    found = {}
    for line in setting.splitlines():
        number, *said = line.split()
        found[number] = dict.fromkeys(_KEYS, "max") | dict(word.split("=", 1) for word in said if "=" in word)
    return found


def _written(lines: Mapping[str, Mapping[str, str]]) -> str:
    return "\n".join(f"{n} " + " ".join(f"{key}={line.get(key, 'max')}" for key in _KEYS) for n, line in sorted(lines.items()))


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
