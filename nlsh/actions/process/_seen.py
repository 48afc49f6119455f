"""Which processes a looking call means, and what only their owner may see; the base of the actions that show one process after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nlsh.actions.process._chosen import Pids, by_number, own
from nlsh.plan.action import Action, BaseArgs, arg
from nlsh.plan.amounts import Processes
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotFound, NotPossible
from nlsh.plan.values import Name
from nlsh.world import World, processes
from nlsh.world.processes import Running


class Shows(Action):
    """Base of the actions that look at chosen processes."""

    effects = ("proc.read",)

    class Args(BaseArgs):
        what = arg(Processes(), "processes found by an earlier call")
        name = arg(Name(), "the name of a program")
        pid = arg(Pids(), "process ids")
        need_one_of = ("what", "name", "pid")

    def look(self, args: Any, world: World) -> list[dict[str, Any]]:
        return noted(meant(args))

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("proc.read", "*"),)


def meant(args: Any, *, ours: bool = True) -> list[Running]:
    """Return the processes that `what`, `pid` and `name` all mean; where no program has the name, those it is part of.

    `ours` false: without nlsh itself. Raises NotFound, NotPossible for one that has ended.
    """
    sets: list[list[Running]] = []
    numbers = tuple(dict.fromkeys((*(getattr(args, "what", None) or ()), *(getattr(args, "pid", None) or ()))))
    if numbers:
        sets.append([by_number(n) for n in numbers])
    if getattr(args, "name", None):
        everyone = processes.every()
        found = processes.named(args.name, everyone) or processes.resembling(args.name, everyone)
        if not found:
            raise NotFound(f"No process called “{args.name}” is running.", hint="Nothing was changed. process.list() shows what runs.")
        sets.append(found)
    wanted = set.intersection(*({p.pid for p in s} for s in sets))
    hidden = frozenset() if ours else own()
    chosen = [p for p in sets[0] if p.pid in wanted and p.pid not in hidden]
    if not chosen:
        raise NotFound("No process is all of that at once." if len(sets) > 1 else "That is nlsh itself.", hint="Nothing was changed.")
    return chosen


def noted(found: list[Running]) -> list[dict[str, Any]]:
    """Return who these processes are, as data."""
    return [{"pid": p.pid, "started": p.started, "name": p.called} for p in found]


def still(seen: list[dict[str, Any]]) -> Iterator[Running]:
    """Yield the processes that are still there. Raises NotFound where none is."""
    left = 0
    for item in seen:
        found = processes.read(item["pid"])
        if found is not None and found.started == item["started"] and found.state not in "ZX":
            left += 1
            yield found
    if not left:
        names = ", ".join(f"{item['pid']} ({item['name']})" for item in seen[:5])
        raise NotFound(f"Process {names} has ended.", hint="Nothing was changed.")


@contextmanager
def shown_to_owner(process: Running, what: str) -> Iterator[None]:
    """Turn the kernel's refusal to show `what` of another user's process into a sentence."""
    try:
        yield
    except PermissionError as error:
        owner = processes.user_name(processes.user_ids(process.pid)[1])
        hint = "Nothing was changed. It is shielded from this system." if os.geteuid() == 0 else f"Nothing was changed. Run nlsh as root, or ask {owner}."
        raise NotPossible(f"{what} of process {process.pid} ({process.called}) can be seen by {owner} and root only.", hint=hint) from error
