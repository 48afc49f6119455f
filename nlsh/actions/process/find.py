"""process.find: which processes have a name, an id, a port, or a file in use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nlsh.actions.process._chosen import Pids, others
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Port
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotFound
from nlsh.plan.records import Note, Record
from nlsh.plan.values import Name, Path
from nlsh.world import World, processes

SAMPLE_S = 0.1


class Find(Action):
    """Find processes by name, id, the port they listen on, or a file or folder they use."""

    name = "process.find"
    effects = ("proc.read",)

    class Args(BaseArgs):
        name = arg(Name(), "the name of a program or script; where none has it, whatever contains it")
        port = arg(Port(), "whoever listens on this port")
        pid = arg(Pids(), "process ids")
        using = arg(Path(), "whoever has this file open or stands in this folder")
        need_one_of = ("name", "port", "pid", "using")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return {"using": world.resolve(args.using) if args.using else None}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("proc.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        found = others()
        if args.pid:
            found = [p for p in found if p.pid in args.pid]
            if missing := [str(n) for n in args.pid if n not in {p.pid for p in found}]:
                raise NotFound(f"There is no process {', '.join(missing)}.")
        if args.name:
            found = processes.named(args.name, found) or processes.resembling(args.name, found)
            if not found:
                raise NotFound(f"No process called “{args.name}” is running.")
        if args.port is not None:
            found = processes.on_port(args.port, found)
            if not found:
                raise NotFound(f"Nothing{' of that' if args.name or args.pid else ''} listens on port {args.port}.")
        if seen["using"]:
            found = processes.using(seen["using"], found)
            if not found:
                hidden = "" if os.geteuid() == 0 else " Only root can see what other users' processes use."
                raise NotFound(f"No process uses {seen['using']}.", hint=hidden.strip())
            if os.geteuid() != 0:
                yield Note("What other users' processes use cannot be seen without root rights.")
        for record in processes.sampled(found, SAMPLE_S):
            yield replace(record, port=args.port)

    examples = (
        Example(
            say=("is nlsh-idle running", "find the process nlsh-idle", "nlsh-idle在运行吗"),
            plan='process.find(name="nlsh-idle")',
            processes=("nlsh-idle", "nlsh-other"),
            result=("{pid:nlsh-idle}",),
        ),
        Example(
            say=("what is on port {port:nlsh-idle}", "who uses port {port:nlsh-idle}", "{port:nlsh-idle}端口被谁占用了"),
            plan='process.find(port="{port:nlsh-idle}")',
            processes=("nlsh-idle",),
            result=("{pid:nlsh-idle}",),
        ),
        Example(
            say=("what is process {pid:nlsh-idle}", "which program is pid {pid:nlsh-idle}", "进程{pid:nlsh-idle}是什么"),
            plan='process.find(pid="{pid:nlsh-idle}")',
            processes=("nlsh-idle",),
            result=("{pid:nlsh-idle}",),
        ),
        Example(
            say=("who has notes.txt open", "which program is using notes.txt", "谁在用notes.txt"),
            plan='process.find(using="notes.txt")',
            given={"notes.txt": "nobody has this open\n"},
            refused="world.not-found",
        ),
        Example(say=("is nlsh-absent running",), plan='process.find(name="nlsh-absent")', refused="world.not-found"),
    )
