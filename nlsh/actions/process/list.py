"""process.list: what is running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from nlsh.actions.process._chosen import others
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Process, Record
from nlsh.plan.values import Choice, Name
from nlsh.world import World, machine, processes

SAMPLE_S = 0.2
_ORDER: dict[str, Callable[[Process], Any]] = {
    "memory": lambda p: (-p.memory_bytes, p.pid),
    "cpu": lambda p: (-p.cpu_percent, -p.memory_bytes, p.pid),
    "newest": lambda p: (-p.started_at, -p.pid),
    "oldest": lambda p: (p.started_at, p.pid),
    "name": lambda p: (p.name.casefold(), p.pid),
}
# What a program uses is what its processes use together: what they share in memory is counted for each of them.
_USE: dict[str, tuple[Callable[[Process], float], Callable[[float], str]]] = {
    "memory": (lambda p: p.memory_bytes, machine.amount),
    "cpu": (lambda p: p.cpu_percent, lambda percent: f"{percent:.0f}%"),
}
_PROGRAMS = 3  # that are named beside the processes, at least where so many were asked for
_MOST_PROGRAMS = 5


class List(Action):
    """List the running processes with what they use; the kernel's own threads are left out."""

    name = "process.list"
    effects = ("proc.read",)

    class Args(BaseArgs):
        sort = arg(Choice(*_ORDER), "order: most memory, most CPU, newest or oldest first, or by name", default="name", common=("memory", "cpu"))
        limit = arg(Count(), "at most this many", common=("1",))
        user = arg(Name(), "only those of this user")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return {"user": processes.user_id(args.user) if args.user else None}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("proc.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        chosen = [p for p in others() if not p.kernel_thread]
        if seen["user"] is not None:
            chosen = [p for p in chosen if processes.user_ids(p.pid)[1] == seen["user"]]
        found = sorted(processes.sampled(chosen, SAMPLE_S), key=_ORDER[args.sort])
        yield from found[: args.limit]
        if args.sort in _USE and (said := _by_program(found, args.sort, args.limit or _PROGRAMS)):
            yield Note(said)

    examples = (
        Example(
            say=("what's running", "show me the running processes", "list all processes", "现在在运行哪些程序"),
            plan="process.list()",
            processes=("nlsh-idle",),
            result=(...,),
        ),
        Example(
            say=("what uses the most memory", "which processes eat my ram", "哪些进程占内存最多"),
            plan='process.list(sort="memory")',
            processes=("nlsh-idle",),
            result=(...,),
        ),
        Example(
            say=("the newest process", "which process was started last"),
            plan='process.list(sort="newest", limit="1")',
            processes=("nlsh-idle",),
            result=(None,),
        ),
        Example(say=("processes of user nlsh-nobody", "what is nlsh-nobody running"), plan='process.list(user="nlsh-nobody")', refused="world.not-found"),
    )


def _by_program(found: list[Process], by: str, limit: int) -> str:
    """Return which programs use the most with all their processes together; nothing where each of these has one process, as the list says it then."""
    value, words = _USE[by]
    together: dict[str, list[float]] = {}
    for process in found:
        together.setdefault(process.name, []).append(value(process))
    first = sorted(together.items(), key=lambda item: (-sum(item[1]), item[0]))[: min(limit, _MOST_PROGRAMS)]
    first = [(name, each) for name, each in first if round(sum(each), 1) > 0]
    if all(len(each) == 1 for _, each in first):
        return ""
    said = (f"{name} {words(sum(each))}{f' ({len(each)} processes)' if len(each) > 1 else ''}" for name, each in first)
    return f"By program, all its processes together: {', '.join(said)}."
