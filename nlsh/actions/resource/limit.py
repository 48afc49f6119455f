"""resource.limit: how much of the machine processes may use."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._chosen import Pids, choose, identity, noted, root_needed
from nlsh.actions.resource import _held
from nlsh.actions.resource._jobs import Job
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Bytes, Cores, CpuPart, Processes, Rate
from nlsh.plan.errors import BadArgument, NotPossible
from nlsh.plan.steps import Step
from nlsh.plan.values import Name
from nlsh.resources import limits
from nlsh.steps.processes import SetAffinity, SetCpuShare, SetMemoryLimit
from nlsh.world import World, machine, processes
from nlsh.world.processes import Running

_NOTHING = "Nothing was changed."
_PERIOD_US = 100_000  # the kernel's own default for cpu.max
_LOOK_S = 0.2


class Limit(Action):
    """Limit the cores, the memory, the share of the processor or the speed at disks that running processes may use."""

    name = "resource.limit"
    effects = ("proc.tune", "fs.write", "bus.call", "sys.control", "priv.root")

    class Args(BaseArgs):
        what = arg(Processes(), "processes found by an earlier call")
        name = arg(Name(), "the exact name of a program: all its processes")
        pid = arg(Pids(), "process ids")
        cores = arg(Cores(), "how many cores, or which ones: all these processes share them")
        memory = arg(Bytes(), "how much memory: together by control group where that can be done, else each")
        cpu = arg(CpuPart(), "a percentage of one core, as process.list counts it (250% is two and a half), or a part of the machine: half, 30% of the machine")
        io = arg(Rate(), "how much they may read from disks, and as much write, in a second")
        need_one_of = ("what", "name", "pid")

    def look(self, args: Any, world: World) -> list[dict[str, Any]]:
        if args.cores is None and args.memory is None and args.cpu is None and args.io is None:
            raise BadArgument("resource.limit needs cores, memory, cpu or io: what to limit.", hint='For example cores="2".')
        chosen = choose(args, "limit")
        roots = {p.pid: root_needed(p, "limit") for p in chosen}
        cores = _cores(args.cores, chosen) if args.cores is not None else ()
        found: list[dict[str, Any]] = []
        for process in chosen:
            about = noted(process, root=roots[process.pid])
            if cores and (old := _affinity(process.pid)) and any(set(c) != set(cores) for _, c in old):
                found.append({**about, "limit": "cores", "old": old, "cores": cores})
        time = _time(*args.cpu) if args.cpu is not None else None
        if time is not None:
            found.append({"limit": "said", "note": _said(args.cpu, time, args.name or chosen[0].called, chosen)})
        wanted = limits.settings(cores=time, memory=args.memory, io=args.io)
        by = limits.find(args.name or chosen[0].called, tuple(p.pid for p in chosen), wanted) if wanted else limits.Means("priority")
        if by.kind in ("unit", "scope", "new") or (args.io is not None and by.kind == "own"):
            job = Job(args.name or chosen[0].called, tuple(chosen), tuple(roots[p.pid] for p in chosen))
            job.check_memory(args.memory)
            return [*found, *({"limit": "held", **item} for item in _held.by_group(job, wanted, by))]
        if args.io is not None:
            raise NotPossible(
                f"How fast {chosen[0].called} reads and writes cannot be limited here: {limits.why_not('io')}.",
                hint=f'{_NOTHING} Let others go first at the disk instead: process.io_priority, level="low".',
            )
        if args.memory is not None:
            found += _memory(args.memory, chosen, roots)
        if time is not None:
            found += _share(time, chosen, roots)
        return found

    def notes(self, args: Any, seen: Any) -> tuple[str, ...]:
        return tuple(item["note"] for item in seen if item["limit"] == "said")

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        for item in seen:
            match item["limit"]:
                case "cores":
                    old = tuple((t, tuple(c)) for t, c in item["old"])
                    yield SetAffinity(*identity(item), old, tuple((t, tuple(item["cores"])) for t, _ in old), item["root"])
                case "said":
                    pass
                case "held":
                    yield from _held.steps([item])
                case "memory":
                    yield SetMemoryLimit(*identity(item), item["old"], item["new"], item["group"], tuple(item["members"]), item["root"])
                case _:
                    yield SetCpuShare(*identity(item), item["group"], tuple(item["members"]), item["old"], item["new"], item["root"])

    examples = (
        Example(
            say=("keep nlsh-idle to one core", "nlsh-idle may use 1 core and no more", "限制nlsh-idle只用一个核心"),
            plan='resource.limit(name="nlsh-idle", cores="1")',
            processes=("nlsh-idle",),
        ),
        Example(
            say=("don't let process {pid:nlsh-idle} use more than 4GB of memory", "进程{pid:nlsh-idle}最多用4GB内存"),
            plan='resource.limit(pid="{pid:nlsh-idle}", memory="4GB")',
            processes=("nlsh-idle",),
        ),
        Example(
            say=(
                "don't let nlsh-idle read or write more than 10MB/s",
                "limit the disk speed of nlsh-idle to 10MB/s",
                "限制nlsh-idle的磁盘读写速度，最多10MB/s",
            ),
            plan='resource.limit(name="nlsh-idle", io="10MB/s")',
            processes=("nlsh-idle",),
            may_lack=True,
        ),
        Example(
            say=("nlsh-idle is hogging, hold it to 50% cpu", "cap nlsh-idle at 50% cpu", "nlsh-idle的cpu压到50%"),
            plan='resource.limit(name="nlsh-idle", cpu="50%")',
            processes=("nlsh-idle",),
            may_lack=True,
        ),
        Example(say=("limit process 1 to one core",), plan='resource.limit(pid="1", cores="1")', refused="action.refused"),
        Example(
            say=("nlsh-idle gets 5000 cores",), plan='resource.limit(name="nlsh-idle", cores="5000")', processes=("nlsh-idle",), refused="world.not-possible"
        ),
    )


def _affinity(pid: int) -> list[tuple[int, tuple[int, ...]]]:
    found = []
    for thread in processes.threads(pid):
        try:
            found.append((thread, tuple(sorted(os.sched_getaffinity(thread)))))
        except ProcessLookupError:
            continue
    return found


def _cores(wanted: int | tuple[int, ...], chosen: list[Running]) -> tuple[int, ...]:
    """Return which cores: those named, or as many as wanted of the idlest, out of those the processes may use now where these are enough."""
    online = machine.online_cores()
    if isinstance(wanted, tuple):
        if missing := sorted(set(wanted) - set(online)):
            raise NotPossible(f"This machine has no core {', '.join(map(str, missing))}: it has {online[0]} to {online[-1]}.", hint=_NOTHING)
        return wanted
    if wanted > len(online):
        raise NotPossible(f"This machine has {_cores_of(len(online))}, not {wanted}.", hint=_NOTHING)
    allowed = {c for p in chosen for _, cores in _affinity(p.pid) for c in cores}
    candidates = tuple(sorted(allowed)) if len(allowed) >= wanted else online
    return candidates if len(candidates) == wanted else tuple(sorted(machine.idlest_cores(candidates)[:wanted]))


def _memory(limit: int, chosen: list[Running], roots: dict[int, str]) -> list[dict[str, Any]]:
    found = []
    done: set[str] = set()
    everyone = tuple(p.pid for p in chosen)
    # The kernel counts a control group's memory in pages.
    limit -= limit % resource.getpagesize()
    for process in chosen:
        about = noted(process, limit="memory", new=limit, root=roots[process.pid])
        if group := machine.cgroup_for(everyone, process.pid, "memory.max"):
            if group not in done:
                done.add(group)
                written = machine.setting(group, "memory.max")
                found.append({**about, "old": -1 if written == "max" else int(written), "group": group, "members": machine.cgroup_members(group)})
            continue
        if process.virtual_bytes > limit:
            raise NotPossible(
                f"Process {process.pid} ({process.called}) has {machine.amount(process.virtual_bytes)} of address space already "
                f"({machine.amount(process.resident_bytes)} of it in memory), and here only address space can be limited.",
                hint=f"{_NOTHING} It would fail at its next request for memory. Choose more than {machine.amount(process.virtual_bytes)}, or end it.",
            )
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_AS)
        if hard not in (-1, resource.RLIM_INFINITY) and limit > hard:
            raise NotPossible(f"Process {process.pid} ({process.called}) may not have more than {machine.amount(hard)}.", hint=_NOTHING)
        if soft != limit:
            found.append({**about, "old": soft, "group": "", "members": ()})
    return found


def _time(percent: float, of: str) -> float:
    """Return how many cores' time that is. Raises NotPossible where it is more than there is: it would be no limit."""
    there = len(machine.online_cores())
    cores = percent / 100 * (there if of == "machine" else 1)
    if cores > there:
        raise NotPossible(f"This machine has {_cores_of(there)}: {100 * there}% is all of it, and {percent:g}% is no limit.", hint=_NOTHING)
    return cores


def _said(asked: tuple[float, str], cores: float, name: str, chosen: list[Running]) -> str:
    """Return what the percentage comes to, beside what is used now, as process.list shows it."""
    percent, of = asked
    there = len(machine.online_cores())
    used = sum(p.cpu_percent or 0.0 for p in processes.sampled(chosen, _LOOK_S)) / 100
    of_what = "one core, as process.list counts it," if of == "core" else "the machine"
    idle = " That is no more: nothing gets slower until it wants more." if used <= cores else ""
    return f"{percent:g}% of {of_what} is the time of {cores:.3g} of {_cores_of(there)}; {name} uses {used:.2g} now.{idle}"


def _cores_of(count: int) -> str:
    return f"{count} core{'' if count == 1 else 's'}"


def _share(cores: float, chosen: list[Running], roots: dict[int, str]) -> list[dict[str, Any]]:
    found = []
    done: set[str] = set()
    everyone = tuple(p.pid for p in chosen)
    for process in chosen:
        group = machine.cgroup_for(everyone, process.pid, "cpu.max")
        if not group:
            raise NotPossible(
                f"The share of the processor of process {process.pid} ({process.called}) cannot be limited here: it has no control group of its own.",
                hint=f'{_NOTHING} Instead limit it to whole cores (cores="{max(1, round(cores))}"), or let others go first: process.priority, level="low".',
            )
        if group not in done:
            done.add(group)
            new = f"{max(1000, round(cores * _PERIOD_US))} {_PERIOD_US}"
            about = noted(process, limit="cpu", new=new, old=machine.setting(group, "cpu.max"), root=roots[process.pid])
            found.append({**about, "group": group, "members": machine.cgroup_members(group)})
    return found
