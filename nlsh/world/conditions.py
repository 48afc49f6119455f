"""What a job may wait for, as it is on this machine: each condition has what is known when the waiting begins, and what is then looked at.

It only reads. A condition that happens again and again is met when it becomes true, not for as long as it is.
"""

from __future__ import annotations

import fnmatch
import os
from typing import Any

from nlsh.plan.amounts import Percent
from nlsh.plan.errors import NlshError, NotFound, NotPossible
from nlsh.plan.frozen import frozen
from nlsh.plan.schedule import Schedule, pids_of
from nlsh.world import World, processes

_UNFINISHED = (".part", ".crdownload", ".tmp", ".download", ".partial", "~")
_MOST_NAMES = 20_000


@frozen(slots=False)
class Seen:
    """Whether a condition has been met just now, what is to be known the next time, and the files that it is about."""

    met: bool
    state: dict[str, Any]
    paths: tuple[str, ...] = ()


def resolved(schedule: Schedule, world: World) -> dict[str, str]:
    """Return the arguments of a condition as they are meant here, once and for all. Raises NotFound and NotPossible where it cannot be waited for."""
    args = dict(schedule.args)
    for key in ("under", "path"):
        if key in args:
            args[key] = world.resolve(args[key])
    if schedule.condition == "file.appears" and not os.path.isdir(args["under"]):
        raise NotFound(f"{args['under']} is no folder.", hint="Nothing was changed. Name the folder in which files appear.")
    return args


def begin(condition: str, args: dict[str, str]) -> dict[str, Any]:
    """Return what is known as the waiting begins. Raises NotFound where there is nothing to wait for."""
    match condition:
        case "process.exits":
            found = [processes.read(pid) for pid in pids_of(args["pid"])] if "pid" in args else list(processes.named(args["name"], processes.every()))
            them = [[p.pid, p.started] for p in found if p is not None and p.state not in "ZX"]
            if not them:
                what = args.get("name") or f"process {args['pid']}"
                raise NotFound(f"{what} does not run, so its end cannot be waited for.", hint="Nothing was changed. Start it first.")
            return {"processes": them, "boot": processes.boot_id()}
        case "process.starts":
            return {"known": _started(args["name"])}
        case "file.appears":
            return {"known": sorted(_names(args) or ()), "growing": {}}
        case "file.changes":
            return {"mark": _mark(args["path"])}
    # A disk that is too full already is a reason to begin at once; a network that is there is not there again.
    return {"true": condition == "network.online" and _is_true(condition, args)}


def look(condition: str, args: dict[str, str], state: dict[str, Any]) -> Seen:
    """Look whether it has been met since `state`."""
    match condition:
        case "process.exits":
            # After a restart of the machine, whatever ran has ended.
            ended = state["boot"] != processes.boot_id() or not any(processes.same(pid, started) for pid, started in state["processes"])
            return Seen(ended, state)
        case "process.starts":
            now = _started(args["name"])
            return Seen(not set(now) <= set(state["known"]), {"known": now})
        case "file.appears":
            return _appeared(args, state)
        case "file.changes":
            mark = _mark(args["path"])
            changed = mark != state["mark"] and bool(mark)
            return Seen(changed, {"mark": mark or state["mark"]}, (args["path"],) if changed else ())
    now_true = _is_true(condition, args)
    return Seen(now_true and not state["true"], {"true": now_true})


def _started(name: str) -> list[str]:
    return sorted(f"{p.pid}:{p.started}" for p in processes.named(name, processes.every()))


def _names(args: dict[str, str]) -> set[str] | None:
    """Return the names that count in a folder; None where it cannot be read just now."""
    pattern = args.get("name", "*")
    if not any(c in pattern for c in "*?["):
        pattern = f"*{pattern}*"
    try:
        with os.scandir(args["under"]) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and not e.name.endswith(_UNFINISHED)]
    except OSError:
        return None
    return {name for name in names if fnmatch.fnmatch(name.lower(), pattern.lower())}


def _appeared(args: dict[str, str], state: dict[str, Any]) -> Seen:
    """A file has appeared once it stays as it is from one look to the next: what is still being written is left alone."""
    names = _names(args)
    if names is None:
        # A disk that is not there for a while: what is on it is not new when it is there again.
        return Seen(False, state)
    new = sorted(names - set(state["known"]))[:_MOST_NAMES]
    marks = {name: _mark(os.path.join(args["under"], name)) for name in new}
    ready = [name for name in new if marks[name] and marks[name] == state["growing"].get(name)]
    left = {name: mark for name, mark in marks.items() if name not in ready}
    known = sorted((set(state["known"]) & names) | set(ready))
    return Seen(bool(ready), {"known": known, "growing": left}, tuple(os.path.join(args["under"], name) for name in ready))


def _mark(path: str) -> list[int]:
    try:
        status = os.stat(path)
    except OSError:
        return []
    return [status.st_ino, status.st_size, status.st_mtime_ns]


def _is_true(condition: str, args: dict[str, str]) -> bool:
    share = Percent().parse(args["share"]) if "share" in args else 0.0
    try:
        if condition == "disk.over":
            disk = os.statvfs(args.get("path", "/"))
            return 100.0 * (1 - disk.f_bavail / max(1, disk.f_bavail + disk.f_blocks - disk.f_bfree)) > share
        if condition == "memory.over":
            total, free = _memory()
            return 100.0 * (1 - free / total) > share
        if condition == "battery.under":
            return _battery() < share
        return _has_route()
    except OSError:
        return False


def _memory() -> tuple[int, int]:
    with open("/proc/meminfo", encoding="ascii") as file:
        found = {line.split(":")[0]: int(line.split()[1]) for line in file}
    return found["MemTotal"], found["MemAvailable"]


def _battery() -> float:
    from nlsh.world.sensors import batteries

    try:
        levels = [b.charge_percent for b in batteries() if b.charge_percent is not None]
    except NotPossible:
        return 100.0
    return min(levels, default=100.0)


def _has_route() -> bool:
    """Whether there is a way out of this machine: a default route over an interface that is up."""
    with open("/proc/net/route", encoding="ascii") as file:
        return any(line.split()[1] == "00000000" and int(line.split()[3], 16) & 1 for line in list(file)[1:])


def check(schedule: Schedule) -> None:
    """Raise NotPossible where this machine has no such thing to wait for."""
    if schedule.condition == "battery.under":
        from nlsh.world.sensors import batteries

        try:
            list(batteries())
        except NlshError as error:
            raise NotPossible(error.message, hint=error.hint) from error
