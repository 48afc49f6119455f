"""Allocation: give jobs what they ask for at least cost, as a linear program; and where that cannot be, say what to give up, and how much of it.

With x[i, j] the amount that job i has of place j:  min Σ c[i, j]·x[i, j]  subject to  Σ_j x[i, j] ≥ demand[i],  Σ_i x[i, j] ≤ capacity[j],
low[i, j] ≤ x[i, j] ≤ high[i, j].  HiGHS solves it, by way of SciPy, which is imported only here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from nlsh.plan.frozen import frozen

_NEGLIGIBLE = 1e-7


@frozen(slots=False)
class Job:
    """One that wants something: at least `demand` in all; of single places at least `low` and at most `high`, at `cost` for each unit.

    `weight` is how bad it is to give it one unit less than it demands.
    """

    name: str
    demand: float
    weight: float = 1.0
    low: Mapping[str, float] = field(default_factory=dict)
    high: Mapping[str, float] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)


@frozen(slots=False)
class Relaxation:
    """A constraint to give up a part of: `kind` is "demand" (of the job `name`) or "capacity" (of the place), `by` how much, `of` how much."""

    kind: str
    name: str
    by: float
    of: float


class Infeasible(Exception):
    """Not all can be had. `least`: the cheapest relaxations that do together; `alone`: those that would each do by itself, the smallest first."""

    def __init__(self, least: tuple[Relaxation, ...], alone: tuple[Relaxation, ...]) -> None:
        super().__init__(least, alone)
        self.least, self.alone = least, alone


def allocate(jobs: Sequence[Job], capacity: Mapping[str, float]) -> dict[tuple[str, str], float]:
    """Return how much of each place each job has: (job, place) → amount. Raises Infeasible, and ValueError for what is no program."""
    places = list(capacity)
    if len({j.name for j in jobs}) < len(jobs) or any(v < 0 for v in (*capacity.values(), *(j.demand for j in jobs))):
        raise ValueError("jobs need names of their own, and amounts are not negative")
    solved = _solve(jobs, capacity, demands=(), places=())
    if solved is not None:
        return solved[0]
    everything = [j.name for j in jobs]
    relaxed = _solve(jobs, capacity, demands=everything, places=())
    # Bounds that contradict the capacities cannot be met by asking for less.
    relaxed = relaxed or _solve(jobs, capacity, demands=everything, places=places)
    if relaxed is None:
        raise ValueError("the lower bounds are above the upper ones")
    least = _relaxations(relaxed[1], jobs, capacity)
    alone: list[Relaxation] = []
    for kind, names in (("demand", everything), ("capacity", places)):
        for name in names:
            one = _solve(jobs, capacity, demands=[name] if kind == "demand" else (), places=[name] if kind == "capacity" else ())
            if one is not None:
                alone += _relaxations(one[1], jobs, capacity)
    raise Infeasible(least, tuple(sorted(alone, key=lambda r: r.by)))


def _relaxations(slack: Mapping[tuple[str, str], float], jobs: Sequence[Job], capacity: Mapping[str, float]) -> tuple[Relaxation, ...]:
    of = {**{("demand", j.name): j.demand for j in jobs}, **{("capacity", p): c for p, c in capacity.items()}}
    return tuple(Relaxation(*key, by=by, of=of[key]) for key, by in slack.items() if by > _NEGLIGIBLE)


def _solve(
    jobs: Sequence[Job], capacity: Mapping[str, float], *, demands: Sequence[str], places: Sequence[str]
) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]] | None:
    """Return amounts and slack: the cheapest amounts among those with the least weighted slack. None where nothing holds.

    Only the named `demands` and `places` may give way.
    """
    names = list(capacity)
    amounts = [(j, p) for j in jobs for p in names]
    slack = [("demand", n) for n in demands] + [("capacity", n) for n in places]
    weight = {j.name: j.weight for j in jobs}
    # More of a place is not to be had by asking less: it counts a thousandfold.
    prices = [weight[n] if kind == "demand" else 1000.0 * max(weight.values()) for kind, n in slack]
    bounds = [(j.low.get(p, 0.0), j.high.get(p)) for j, p in amounts] + [(0.0, None)] * len(slack)
    rows, right = [], []
    for job in jobs:
        rows.append([-1.0 if j is job else 0.0 for j, _ in amounts] + [-1.0 if s == ("demand", job.name) else 0.0 for s in slack])
        right.append(-job.demand)
    for place, most in capacity.items():
        rows.append([1.0 if p == place else 0.0 for _, p in amounts] + [-1.0 if s == ("capacity", place) else 0.0 for s in slack])
        right.append(most)
    if slack:
        first = _linear([0.0] * len(amounts) + prices, rows, right, bounds)
        if first is None:
            return None
        # No more slack than that; then the cheapest.
        rows, right = [*rows, [0.0] * len(amounts) + prices], [*right, float(first.fun) + _NEGLIGIBLE / 10]
    found = _linear([j.cost.get(p, 0.0) for j, p in amounts] + [0.0] * len(slack), rows, right, bounds)
    if found is None:
        return None
    values = [float(v) for v in found.x]
    given = {(j.name, p): v for (j, p), v in zip(amounts, values, strict=False)}
    return given, dict(zip(slack, values[len(amounts) :], strict=True))


def _linear(objective: list[float], rows: list[list[float]], right: list[float], bounds: list[tuple[float, float | None]]) -> Any:
    from scipy.optimize import linprog

    if any(high is not None and low > high for low, high in bounds):
        return None
    found = linprog(objective, A_ub=rows, b_ub=right, bounds=bounds, method="highs")
    return found if found.status == 0 else None
