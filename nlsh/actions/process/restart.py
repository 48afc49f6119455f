"""process.restart: end a program and start it again in the same way."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._chosen import Pids, choose, identity, noted
from nlsh.actions.process._seen import shown_to_owner
from nlsh.actions.process._started import log_path, token
from nlsh.actions.shell._folder import too_wide
from nlsh.plan.action import Action, BaseArgs, Example, Never, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Flag, Name
from nlsh.steps.start import RestartProgram
from nlsh.world import World, process_facts, processes
from nlsh.world.processes import Running

_NOTHING = "Nothing was ended."


class Restart(Action):
    """End a program of your own and start it again with its arguments, environment and folder, in the background and confined as a raw command is."""

    name = "process.restart"
    effects = ("proc.signal", "exec", "fs.read", "fs.write", "fs.delete", "fs.meta", "fs.log", "proc.read", "net.listen", "net.connect")
    undo = Never("a process that has ended cannot be brought back as it was")

    class Args(BaseArgs):
        name = arg(Name(), "the exact name of a program")
        pid = arg(Pids(), "process ids")
        force = arg(Flag(), "end it at once, with no time to save: where it hangs", default=False)
        need_one_of = ("name", "pid")

    def look(self, args: Any, world: World) -> list[dict[str, Any]]:
        return [{**_how(p, world), "helpers": _helpers(p) if args.force else []} for p in _topmost(choose(_Chosen(args), "restart"))]

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        for item in seen:
            network = tuple((kind, target) for kind, target in item["network"])
            pid, started, name = identity(item)
            rest = {key: item[key] for key in ("command", "program", "cwd", "log", "token", "changes")}
            helpers = tuple((helper, since) for helper, since in item["helpers"])
            yield RestartProgram(pid, started, name, **rest, network=network, force=args.force, helpers=helpers)

    examples = (
        Example(
            say=("restart nlsh-idle", "close nlsh-idle and start it again", "重启nlsh-idle"),
            plan='process.restart(name="nlsh-idle")',
            processes=("nlsh-idle",),
        ),
        Example(
            say=("restart process {pid:nlsh-idle}", "重新启动进程{pid:nlsh-idle}"),
            plan='process.restart(pid="{pid:nlsh-idle}")',
            processes=("nlsh-idle", "nlsh-other"),
        ),
        Example(
            say=("force quit nlsh-idle and open it again", "nlsh-idle is frozen, kill it hard and start it again", "强制退出nlsh-idle再打开"),
            plan='process.restart(name="nlsh-idle", force=true)',
            processes=("nlsh-idle",),
        ),
        Example(say=("restart process 1",), plan='process.restart(pid="1")', refused="action.refused"),
        Example(say=("restart nlsh-absent",), plan='process.restart(name="nlsh-absent")', refused="world.not-found"),
    )


class _Chosen:
    """What `choose` reads of the arguments, with what this action has not."""

    def __init__(self, args: Any) -> None:
        self.what, self.name, self.pid = (), args.name, args.pid


def _topmost(found: list[Running]) -> list[Running]:
    """Return those that none of the others has started: a server's own helpers come and go with it."""
    pids = {p.pid for p in found}
    return [p for p in found if not pids & set(processes.lineage(p.pid)[1:])]


def _helpers(process: Running) -> list[tuple[int, str]]:
    """Return the processes of the same program that this one has started: killed, it cannot end them, and they may keep its port or its lock."""
    owner = processes.user_ids(process.pid)
    below = process_facts.below([process.pid], processes.every())
    return [(p.pid, p.started) for p in below if p.pid != process.pid and p.called == process.called and processes.user_ids(p.pid) == owner]


def _how(process: Running, world: World) -> dict[str, Any]:
    """Return how a process is started again. Raises NotPossible and Refused where that would not give the same program."""
    who = f"Process {process.pid} ({process.called})"
    owner = processes.user_ids(process.pid)
    if set(owner) != {os.geteuid()}:
        name = processes.user_name(owner[1])
        raise NotPossible(f"{who} belongs to {name}: nlsh starts only your own programs again.", hint=_NOTHING)
    if service := process_facts.service_of(process.pid):
        unit = service.removesuffix(".service")
        raise Refused(f"{who} is run by the service {unit}.", hint=f'{_NOTHING} Restart the service instead: service.restart("{unit}").')
    with shown_to_owner(process, "How the program was started"):
        environment = process_facts.environment(process.pid)
        listens, connects, local = process_facts.network_use(process.pid)
    if local:
        raise NotPossible(f"{who} serves others over a local socket, which a program that nlsh starts may not.", hint=f"{_NOTHING} Restart it yourself.")
    cwd = process_facts.link(process.pid, "cwd") or ""
    if not os.path.isdir(cwd) or cwd.endswith(" (deleted)"):
        raise NotPossible(f"The folder in which {who[0].lower()}{who[1:]} was started is gone.", hint=f"{_NOTHING} Restart it yourself.")
    network = [("net.listen", "*")] * listens + [("net.connect", "*")] * connects
    return noted(
        process,
        command=process.summary,
        program=_program(process, environment, cwd),
        cwd=cwd,
        log=log_path(None, process.called, world),
        token=token(),
        changes=not too_wide(World(cwd=cwd, home=world.home)),
        network=network,
    )


def _program(process: Running, environment: dict[str, str], cwd: str) -> str:
    """Return the path of the program as it was called. Raises NotPossible where the command line does not say it."""
    running = process_facts.link(process.pid, "exe") or ""
    called = process.argv[0] if process.argv else ""
    found = os.path.join(cwd, called) if "/" in called else shutil.which(called, path=environment.get("PATH", os.defpath)) or ""
    # A link to a program may be a program of its own (busybox, a virtual environment): what it was called by is kept, where it leads to what runs.
    if running and found and os.path.realpath(found) == os.path.realpath(running):
        return found
    if running.endswith(" (deleted)") and found and os.access(found, os.X_OK):
        return found  # it was updated meanwhile: the new version is what a restart is for
    if called.startswith("-") and os.access(running, os.X_OK):
        return running  # a login shell
    raise NotPossible(
        f"How process {process.pid} ({process.called}) was started cannot be told: its command line does not name its program.",
        hint=f"{_NOTHING} It may have written over it. Restart it yourself.",
    )
