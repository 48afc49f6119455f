"""process.count: how many processes are running."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._chosen import others
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record, Tally
from nlsh.plan.values import Name
from nlsh.world import World, processes


class Count(Action):
    """Count running processes; the kernel's own threads are left out."""

    name = "process.count"
    effects = ("proc.read",)

    class Args(BaseArgs):
        name = arg(Name(), "only those of this program; where none has the name, those whose name contains it")
        user = arg(Name(), "only those of this user")

    def look(self, args: Any, world: World) -> dict[str, Any]:
        return {"user": processes.user_id(args.user) if args.user else None}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("proc.read", "*"),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        found = [p for p in others() if not p.kernel_thread and p.state not in "ZX"]
        called = f" called {args.name}" if args.name else ""
        if args.name:
            exact, found = processes.named(args.name, found), processes.resembling(args.name, found)
            if exact:
                found = exact
            elif found:
                called = f" with {args.name} in their name ({', '.join(sorted({p.called for p in found})[:5])})"
        if seen["user"] is not None:
            found = [p for p in found if processes.user_ids(p.pid)[1] == seen["user"]]
        whose = f" of {processes.user_name(seen['user'])}" if seen["user"] is not None else ""
        yield Tally(len(found), f"processes{called}{whose}")

    examples = (
        Example(say=("how many processes are running", "count the processes", "有多少个进程在运行"), plan="process.count()", result=(None,)),
        Example(
            say=("how many nlsh-idle processes are there", "how often does nlsh-idle run", "有几个nlsh-idle在运行"),
            plan='process.count(name="nlsh-idle")',
            processes=("nlsh-idle", "nlsh-other"),
            result=(1,),
        ),
        Example(say=("count the processes called nlsh-absent",), plan='process.count(name="nlsh-absent")', result=(0,)),
        Example(say=("how many processes has user nlsh-nobody",), plan='process.count(user="nlsh-nobody")', refused="world.not-found"),
    )
