"""Which processes a changing call means, and which of them it must leave alone. Shared by the actions that change processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from nlsh.plan.amounts import Processes
from nlsh.plan.errors import NotFound, NotPossible, Refused
from nlsh.plan.process_names import SPARE, ZYGOTE
from nlsh.world import privilege, processes
from nlsh.world.processes import Running

_NOTHING = "Nothing was changed."


class Pids(Processes):
    """One or more process ids."""

    name = "process ids"
    example = "1234"


def choose(args: Any, doing: str) -> list[Running]:
    """Return the processes that `what`, `name`, `pid`, `port` and `user` all mean, children before their parents.

    `doing` is the verb for messages: "end", "pause". Raises NotFound; Refused for process 1, kernel threads, nlsh itself, the programs nlsh
    runs in unless named by number, and a name that several programs have.
    """
    everyone = processes.every()
    pid = getattr(args, "pid", None) or ()
    port = getattr(args, "port", None)
    sets = []
    if args.what or pid:
        sets.append([by_number(n) for n in dict.fromkeys((*(args.what or ()), *pid))])
    if args.name:
        sets.append(by_name(args.name, everyone, doing))
    if port is not None:
        sets.append(_by_port(port, everyone))
    if user := getattr(args, "user", None):
        sets.append(_by_user(user, everyone))
    wanted = set.intersection(*({p.pid for p in found} for found in sets))
    chosen = [p for p in sets[0] if p.pid in wanted]
    if not chosen:
        raise NotFound("No process is all of that at once.", hint=_NOTHING)
    _protect(chosen, frozenset(pid), doing)
    depth = {p.pid: len(processes.lineage(p.pid)) for p in chosen}
    return sorted(chosen, key=lambda p: (-depth[p.pid], p.pid))


def by_number(pid: int) -> Running:
    """Return the process with this number. Raises NotFound, and NotPossible where it has ended already."""
    found = processes.read(pid)
    if found is None:
        raise NotFound(f"There is no process {pid}.", hint=_NOTHING)
    if found.state in "ZX":
        raise NotPossible(f"Process {pid} ({found.called}) has ended already; its parent, process {found.parent}, has not collected it.", hint=_NOTHING)
    return found


def by_name(name: str, everyone: list[Running], doing: str) -> list[Running]:
    """Return all processes of the one program that `name` means. Raises NotFound, or Refused where it means several programs."""
    ours = own()
    named = processes.named(name, everyone)
    found = [p for p in named if p.pid not in ours]
    if not found:
        if named:
            raise Refused(f"“{name}” is nlsh itself.", hint=f"{_NOTHING} To leave nlsh, say exit.")
        near = sorted({p.called for p in processes.resembling(name, everyone) if not p.kernel_thread and p.pid not in ours})
        raise NotFound(f"No process called “{name}” is running.", hint=f"{_NOTHING} Did you mean {' or '.join(near[:3])}?" if near else _NOTHING)
    programs: dict[str, list[int]] = {}
    for process in found:
        programs.setdefault(processes.answers_to(name, process), []).append(process.pid)
    if len(programs) > 1:
        listed = "; ".join(f"{program} (process {', '.join(map(str, ids))})" for program, ids in sorted(programs.items())[:6])
        raise Refused(f"“{name}” could be any of {len(programs)} programs: {listed}.", hint=f"{_NOTHING} Say which to {doing}, by its process id.")
    return found


def _by_port(port: int, everyone: list[Running]) -> list[Running]:
    found = processes.on_port(port, everyone)
    if not found:
        raise NotFound(f"Nothing listens on port {port}.", hint=_NOTHING)
    programs = sorted({p.called for p in found})
    if len(programs) > 1:
        listed = ", ".join(f"{p.pid} ({p.called})" for p in found)
        raise Refused(f"Several programs listen on port {port}: {listed}.", hint=f"{_NOTHING} Say which, by its process id.")
    return found


def _by_user(written: str, everyone: list[Running]) -> list[Running]:
    wanted, ours = processes.user_id(written), own()
    found = [p for p in everyone if not p.kernel_thread and p.state not in "ZX" and p.pid not in ours and processes.user_ids(p.pid)[1] == wanted]
    if not found:
        raise NotFound(f"{processes.user_name(wanted)} runs nothing{' but nlsh' if wanted == os.geteuid() else ''}.", hint=_NOTHING)
    return found


def own() -> frozenset[int]:
    """Return nlsh's own processes: this one, and those forked from it that run the same program."""
    me = processes.read(os.getpid())
    if me is None:
        return frozenset({os.getpid()})
    family = {me.pid, *(p for p in processes.lineage(me.pid)[1:] if (a := processes.read(p)) is not None and a.argv == me.argv)}
    same = [p for p in processes.every() if p.argv == me.argv]
    return frozenset(family | {p.pid for p in same if family & set(processes.lineage(p.pid))})


def others() -> list[Running]:
    """Return every process but those that exist for this look only: the worker it runs in, what stands between that and nlsh, what waits for the next."""
    me = processes.read(os.getpid())
    same = [p for p in processes.lineage(os.getpid()) if me is not None and (found := processes.read(p)) is not None and found.argv == me.argv]
    looking = {os.getpid(), *same[:-1]}
    # What waits is forked at any time, so it is known by its name, of programs that were started as this one was.
    return [p for p in processes.every() if p.pid not in looking and not (p.name in (ZYGOTE, SPARE) and me is not None and p.argv == me.argv)]


def _protect(chosen: list[Running], numbered: frozenset[int], doing: str) -> None:
    ours, above = own(), frozenset(processes.lineage(os.getpid()))
    for process in chosen:
        who = f"Process {process.pid} ({process.called})"
        if process.pid == 1:
            raise Refused(f"{who} is the first process: all others run below it.", hint=_NOTHING)
        if process.kernel_thread:
            raise Refused(f"{who} is part of the kernel.", hint=_NOTHING)
        if process.pid in ours:
            raise Refused(f"{who} is nlsh itself.", hint=f"{_NOTHING} To leave nlsh, say exit.")
        if process.pid in above and process.pid not in numbered:
            others = ", ".join(str(p.pid) for p in chosen if p.pid not in above)
            raise Refused(
                f"{who} is what nlsh runs in: to {doing} it would {doing} nlsh.",
                hint=f"{_NOTHING} To {doing} only the others, say {others}." if others else f"{_NOTHING} If you mean it, say its process id.",
            )


def root_needed(process: Running, doing: str) -> str:
    """Return why root rights are needed for this process, or nothing. Raises NotPossible where they are needed and not there."""
    owner = processes.user_ids(process.pid)
    if owner == (-1, -1, -1) or (owner[1] in (os.getuid(), os.geteuid()) and owner[0] == owner[1]):
        return ""
    name = processes.user_name(owner[1])
    if not privilege.can_be_root():
        raise NotPossible(
            f"Process {process.pid} ({process.called}) belongs to {name}: only {name} or root may {doing} it.",
            hint=f"{_NOTHING} Run nlsh as root, or ask {name}.",
        )
    return f"process {process.pid} belongs to {name}"


def noted(process: Running, **more: Any) -> dict[str, Any]:
    """Return what a step needs to know of a process, as data."""
    return {"pid": process.pid, "started": process.started, "name": process.called, **more}


def identity(seen: Mapping[str, Any]) -> tuple[int, str, str]:
    """Return what `noted` says of who a process is, in the order of a step's first fields."""
    return seen["pid"], seen["started"], seen["name"]
