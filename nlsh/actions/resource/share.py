"""resource.share: who gets how much of the processor and the memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.process._chosen import Pids
from nlsh.actions.resource import _held
from nlsh.actions.resource._jobs import Job, Names, Shares, Sizes, each, jobs
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Processes
from nlsh.plan.errors import BadArgument, NotPossible
from nlsh.plan.plan import Until
from nlsh.plan.steps import Step
from nlsh.resources import allocate, inventory, limits
from nlsh.world import World, machine, processes

_LEAST_FIRST = 0.1  # the part of the machine that is kept for what must stay responsive, at least
_HEADROOM = 1.5  # times what it uses now
_LOOK_S = 0.2
# The kernel weighs groups against their neighbours: beside a terminal's session stands the user's systemd as a whole, with the usual weight.
_AMONG = (
    "No more than this is had. While everything is busy it is promised among what your own systemd runs; what is started from another session, as from"
    " this terminal, may have as much as all of that together."
)


class Share(Action):
    """Share out the processor and the memory among running programs, and keep some of them responsive.

    What is asked for must go into the machine, else nothing is done and it says what to ask less of. A share is a limit too: no more is had.
    """

    name = "resource.share"
    effects = ("proc.tune", "fs.write", "bus.call", "sys.control", "priv.root")

    class Args(BaseArgs):
        name = arg(Names(), "the exact names of programs, each with all its processes")
        what = arg(Processes(), "processes found by an earlier call, each by itself")
        pid = arg(Pids(), "process ids, each by itself")
        share = arg(Shares(), "the most of the whole processor for each of them, or one for all alike; left out: even parts of what is left")
        memory = arg(Sizes(), "the most memory for each of them, or one for all alike")
        first = arg(Names(), "programs that must stay responsive: they are served first")
        need_one_of = ("name", "what", "pid")

    def look(self, args: Any, world: World) -> list[dict[str, Any]]:
        found = jobs(args.name or (), (*(args.what or ()), *(args.pid or ())), "limit")
        front = jobs(args.first or (), (), "tune")
        if both := {p for j in found for p in j.pids} & {p for j in front for p in j.pids}:
            raise BadArgument(f"Process {min(both)} cannot be limited and come first.", hint="Nothing was changed. Name it once.")
        if not args.share and not args.memory and not front and len(found) == 1:
            raise BadArgument("resource.share needs a share, a memory size, or another program.", hint='For example share="half".')
        owned = inventory.read()
        shares = each(args.share, len(found), "share")
        kept = {j.name: max(_LEAST_FIRST * owned.capacity, _HEADROOM * _uses(j)) for j in front}
        cores = _cores(found, shares, kept, owned, wanted=bool(args.share or not args.memory))
        sizes = _sizes(found, each(args.memory, len(found), "memory"), owned)
        parts = [
            _held.Part(j, cores.get(j.name), sizes.get(j.name), _weight(cores.get(j.name), owned), last=False) for j in found
        ] + [_held.Part(j, weight=10_000, first=True) for j in front]  # fmt: skip
        open_ = {j.name for j, s in zip(found, shares, strict=True) if s is None and j.name not in sizes}
        return [_for(item, found, front, open_) for item in _held.held(parts, owned)]

    def notes(self, args: Any, seen: Any) -> tuple[str, ...]:
        return (_AMONG,) if any(item["beside"] for item in seen) else ()

    def until(self, args: Any, seen: Any) -> tuple[Until, ...]:
        over: dict[tuple[str, ...], Until] = {}
        for item in seen:
            if item["for"]:
                of = tuple(_pids(item))
                names, them = tuple(item["for"]["names"]), tuple((pid, started) for pid, started in item["for"]["processes"])
                known = over.get((item["of"], *names))
                over[item["of"], *names] = Until(names, them, item["of"], tuple(dict.fromkeys((*(known.of if known else ()), *of))))
        return tuple(over.values())

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from _held.steps(seen)

    examples = (
        Example(
            say=(
                "give nlsh-idle half the machine",
                "reserve half of the processor for nlsh-idle",
                "nlsh-idle gets 50% of the cpu",
                "share the processor: half of it for nlsh-idle",
                "把一半的处理器给nlsh-idle",
                "让nlsh-idle用一半的CPU",
            ),
            plan='resource.share("nlsh-idle", share="half")',
            processes=("nlsh-idle",),
        ),
        Example(
            say=(
                "give nlsh-idle half the machine and keep nlsh-web responsive",
                "nlsh-idle gets half the cpu, but nlsh-web must stay fast",
                "half of the machine for nlsh-idle without slowing down nlsh-web",
                "给nlsh-idle一半的机器，同时保证nlsh-web响应快",
            ),
            plan='resource.share("nlsh-idle", share="half", first="nlsh-web")',
            processes=("nlsh-idle", "nlsh-web"),
        ),
        Example(
            say=(
                "divide the processor evenly between nlsh-idle and nlsh-web",
                "nlsh-idle and nlsh-web should each get the same share of the cpu",
                "让nlsh-idle和nlsh-web平分处理器",
            ),
            plan='resource.share(["nlsh-idle", "nlsh-web"])',
            processes=("nlsh-idle", "nlsh-web"),
        ),
        Example(
            say=("give nlsh-idle 80% and nlsh-web 60% of the processor", "nlsh-idle用80%的CPU，nlsh-web用60%"),
            plan='resource.share(["nlsh-idle", "nlsh-web"], share=["80%", "60%"])',
            processes=("nlsh-idle", "nlsh-web"),
            refused="world.not-possible",
        ),
        Example(say=("give process 1 half the machine",), plan='resource.share(pid="1", share="half")', refused="action.refused"),
    )


def _pids(item: dict[str, Any]) -> list[int]:
    return [m[0] for m in item["members"]] if "members" in item else [item["pid"]]


def _for(item: dict[str, Any], found: list[Job], front: list[Job], open_: set[str]) -> dict[str, Any]:
    """Return what is done to a job with whom it is done for: a share that was named is its own; who comes first, or has what is left, makes room."""
    job = next(j for j in (*found, *front) if set(_pids(item)) <= set(j.pids))
    others = found if job in front else [j for j in (*found, *front) if j is not job] if job.name in open_ else []
    them = [[p.pid, p.started] for j in others for p in j.processes]
    beside = item.get("bus") == "session" and limits.in_a_session()
    return {**item, "of": job.name, "for": {"names": [j.name for j in others], "processes": them} if others else None, "beside": beside}


def _uses(job: Job) -> float:
    """Return how many cores a job uses now."""
    return sum(p.cpu_percent or 0.0 for p in processes.sampled(job.processes, _LOOK_S)) / 100


def _weight(cores: float | None, owned: inventory.Inventory) -> int | None:
    # Far above the usual 100, so that what is promised is had; `cores` keeps it from having more.
    return None if cores is None else max(1, round(10_000 * cores / owned.capacity))


def _cores(found: list[Job], shares: tuple[float | None, ...], kept: dict[str, float], owned: inventory.Inventory, *, wanted: bool) -> dict[str, float]:
    """Return how many cores each job gets. Raises NotPossible, saying what to ask less of."""
    if not wanted:
        return {}
    capacity = owned.capacity
    open_ = [j for j, s in zip(found, shares, strict=True) if s is None]
    left = max(capacity - sum(kept.values()), 0.0) / max(len(open_), 1)
    demands = [
        allocate.Job(j.name, left if s is None else s / 100 * capacity, cost={"machine": 1.0}) for j, s in zip(found, shares, strict=True)
    ] + [allocate.Job(name, amount, weight=10.0, cost={"machine": 1.0}) for name, amount in kept.items()]  # fmt: skip
    try:
        given = allocate.allocate(demands, {"machine": capacity})
    except allocate.Infeasible as error:
        asked = ", ".join(f"{d.name} {100 * d.demand / capacity:.0f}%" for d in demands)
        total = 100 * sum(d.demand for d in demands) / capacity
        raise NotPossible(
            f"This does not go into the processor: {asked} make {total:.0f}%, which is {total - 100:.0f}% too much.",
            hint=f"Nothing was changed. {_give_up(error, lambda amount: f'{100 * amount / capacity:.0f}%')}",
        ) from error
    return {j.name: given[j.name, "machine"] for j in found}


def _sizes(found: list[Job], sizes: tuple[int | None, ...], owned: inventory.Inventory) -> dict[str, int]:
    """Return how much memory each job may have at most. Raises NotPossible where it is more than there is, or less than it holds."""
    demands = [allocate.Job(j.name, float(s), cost={"memory": 1.0}) for j, s in zip(found, sizes, strict=True) if s is not None]
    try:
        if demands:
            allocate.allocate(demands, {"memory": float(owned.memory)})
    except allocate.Infeasible as error:
        asked = ", ".join(f"{d.name} {machine.amount(d.demand)}" for d in demands)
        raise NotPossible(
            f"There is not so much memory: {asked} are more than the {machine.amount(owned.memory)} that there are.",
            hint=f"Nothing was changed. {_give_up(error, machine.amount)}",
        ) from error
    for job, size in zip(found, sizes, strict=True):
        job.check_memory(size)
    return {j.name: s for j, s in zip(found, sizes, strict=True) if s is not None}


def _give_up(error: allocate.Infeasible, words: Any) -> str:
    """Say which demands to lower, and to what: the least that does, then what else would do by itself."""
    least = " and ".join(_less(r, words) for r in error.least)
    other = [r for r in error.alone if r.kind == "demand" and (len(error.least) > 1 or r.name != error.least[0].name)]
    alone = " or ".join(_less(r, words) for r in other[:3])
    return f"It would do to give {least}" + (f"; or else {alone}." if alone else ".")


def _less(what: allocate.Relaxation, words: Any) -> str:
    left = words(what.of - what.by)
    return f"{what.name} {left if left != words(0) else 'nothing'} instead of {words(what.of)}"
