"""Placement: which job runs on which cores, and which model on which graphics card, as mixed-integer programs. HiGHS solves them, by way of SciPy.

Where there are no control groups, a share of the machine can be had in two ways only: cores of one's own, which is exact, and a core shared with
others by priority, which is nearly so. `cores` finds the mixture that comes nearest to what was asked for.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from nlsh.plan.frozen import frozen

# How much of a core a process gets that competes: the kernel's weight of each nice value from 0 to 19.
WEIGHTS = (1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15)
_MOST_SHARED = 8  # cores that are shared at most: each is one more whole number to find
_TOO_MUCH = 0.5  # how bad a core too many is, where one too few is 1
_SHARING_COSTS = 1e-4  # of two that come as near, the one that shares fewer cores
_LEAST_PART = 0.01  # of a shared core: priorities give no less
_PATIENCE_S = 5.0


@frozen()
class Place:
    """Where a job runs: on `own` cores of its own, or on the shared core number `shared` (-1: none) with the part `part` of it."""

    own: int
    shared: int
    part: float

    @property
    def amount(self) -> float:
        return self.own + self.part


def cores(wanted: Mapping[str, float], count: int) -> dict[str, Place]:
    """Return a place for each job that comes nearest to the cores it wants, out of `count`. Raises ValueError where there are fewer cores than it takes.

    Nearest is: the least sum of what jobs have too little, and half of what they have too much.
    """
    jobs = list(wanted)
    bins = min(count, len(jobs), _MOST_SHARED)
    size = len(jobs)
    # Variables: own[j] | on[j, k] | part[j, k] | used[k] | over[j] | under[j]
    own, on, part = 0, size, size + size * bins
    used, over = part + size * bins, part + size * bins + bins
    under, total = over + size, over + 2 * size
    rows: list[tuple[dict[int, float], float, float]] = []
    for j, name in enumerate(jobs):
        shared = {on + j * bins + k: 1.0 for k in range(bins)}
        rows.append((shared, 0, 1))
        # Cores of its own, or a part of one: a process has one priority wherever it runs.
        rows.append(({own + j: 1.0, **{i: float(count) for i in shared}}, 0, count))
        rows.append(({own + j: 1.0, **shared}, 1, math.inf))
        parts = {part + j * bins + k: 1.0 for k in range(bins)}
        rows.append(({own + j: 1.0, **parts, over + j: -1.0, under + j: 1.0}, wanted[name], wanted[name]))
        for k in range(bins):
            rows.append(({part + j * bins + k: 1.0, on + j * bins + k: -1.0}, -math.inf, 0))
            rows.append(({part + j * bins + k: 1.0, on + j * bins + k: -_LEAST_PART}, 0, math.inf))
    for k in range(bins):
        # What nobody wants of a shared core, those on it have: the parts are the whole.
        rows.append(({**{part + j * bins + k: 1.0 for j in range(size)}, used + k: -1.0}, 0, 0))
        if k:
            rows.append(({used + k - 1: 1.0, used + k: -1.0}, 0, 1))
    rows.append(({**{own + j: 1.0 for j in range(size)}, **{used + k: 1.0 for k in range(bins)}}, 0, count))
    price = [0.0] * total
    for j in range(size):
        price[over + j], price[under + j] = _TOO_MUCH, 1.0
    for k in range(bins):
        price[used + k] = _SHARING_COSTS
    whole = [1] * (size + size * bins) + [0] * (size * bins) + [1] * bins + [0] * (2 * size)
    high = [float(count)] * size + [1.0] * (2 * size * bins + bins) + [math.inf] * (2 * size)
    values = _milp(price, rows, whole, high)
    if values is None:
        raise ValueError(f"{size} jobs cannot be placed on {count} cores")
    found = {}
    for j, name in enumerate(jobs):
        k = next((k for k in range(bins) if values[on + j * bins + k] > 0.5), -1)
        found[name] = Place(round(values[own + j]), k, values[part + j * bins + k] if k >= 0 else 0.0)
    return _in_proportion(found, wanted)


def _in_proportion(places: Mapping[str, Place], wanted: Mapping[str, float]) -> dict[str, Place]:
    """Return the places with each shared core split by what is wanted of it.

    To the program every split is as near that gives nobody less than it wants, or nobody more, and it takes any: the one who wants less might get more.
    """
    whole: dict[int, float] = defaultdict(float)
    for name, place in places.items():
        whole[place.shared] += max(wanted[name], _LEAST_PART)
    return {name: replace(place, part=max(wanted[name], _LEAST_PART) / whole[place.shared]) if place.shared >= 0 else place for name, place in places.items()}


def _nice(weight: float) -> int:
    """Return the nice value from 0 up whose weight, beside that of 0, comes nearest."""
    return min(range(20), key=lambda n: abs(math.log(WEIGHTS[n] / 1024) - math.log(weight)))


def nices(parts: Mapping[str, float], tasks: Mapping[str, int] | None = None) -> tuple[dict[str, int], dict[str, float]]:
    """Return nice values for jobs that share a core, and the parts of it these come to. `tasks`: how many of a job compete there, one if not said.

    The one with the largest part keeps 0: no other needs root rights to be put behind it.
    """
    heaviest = {name: max(part, 1e-3) / max((tasks or {}).get(name, 1), 1) for name, part in parts.items()}
    most = max(heaviest.values())
    found = {name: _nice(w / most) for name, w in heaviest.items()}
    weights = {name: WEIGHTS[n] * max((tasks or {}).get(name, 1), 1) for name, n in found.items()}
    return found, {name: w / sum(weights.values()) for name, w in weights.items()}


@frozen()
class Fit:
    """Where a model goes: the card, or several with the part of its layers that each holds; empty: nowhere whole. `part` is what does fit."""

    cards: tuple[tuple[str, float], ...]
    part: float


def models(needs: Mapping[str, int], free: Mapping[str, int], *, together: bool = False) -> dict[str, Fit]:
    """Return where each model fits, in bytes: each by itself, or `together` as many of them at once as can be, the largest part first.

    A model that fits on one card is not split; one that fits on none whole is spread over all, as far as they go.
    """
    if not together:
        return {name: next(iter(models({name: need}, free, together=True).values())) for name, need in needs.items()}
    names, cards = list(needs), list(free)
    pairs = list(product(range(len(names)), range(len(cards))))
    count = len(pairs)
    # Variables: on[i, j] | part[i, j] | whole[i]
    index = {pair: n for n, pair in enumerate(pairs)}
    rows: list[tuple[dict[int, float], float, float]] = []
    for i in range(len(names)):
        parts = {count + index[i, j]: 1.0 for j in range(len(cards))}
        rows.append((parts, 0, 1))
        rows.append(({**parts, 2 * count + i: -1.0}, 0, math.inf))
    for n in range(count):
        rows.append(({count + n: 1.0, n: -1.0}, -math.inf, 0))
    for j, card in enumerate(cards):
        # In units of the card, so that bytes do not drown the rest.
        rows.append(({count + index[i, j]: needs[name] / max(free[card], 1) for i, name in enumerate(names)}, 0, 1))
    largest = max(needs.values())
    # Whole models first, then as much as can be of the others, then on few cards, then the emptiest.
    price = [1e-3 + 1e-6 * free[cards[j]] / max(*free.values(), 1) for _, j in pairs] + [-0.05 * needs[names[i]] / largest / len(names) for i, _ in pairs]
    values = _milp(price + [-1.0] * len(names), rows, [1] * count + [0] * count + [1] * len(names), [1.0] * (2 * count + len(names)))
    if values is None:
        raise ValueError("there is no such program")
    found = {}
    for i, name in enumerate(names):
        parts_of = [(card, round(values[count + index[i, j]], 6)) for j, card in enumerate(cards)]
        placed = tuple((card, part) for card, part in parts_of if part > 1e-6)
        total = sum(part for _, part in placed)
        found[name] = Fit(placed if total > 1 - 1e-6 else (), min(total, 1.0))
    return found


def _milp(price: Sequence[float], rows: Sequence[tuple[dict[int, float], float, float]], whole: Sequence[int], high: Sequence[float]) -> list[float] | None:
    from scipy.optimize import Bounds, LinearConstraint, milp

    matrix = [[row.get(n, 0.0) for n in range(len(price))] for row, _, _ in rows]
    within = LinearConstraint(matrix, [low for _, low, _ in rows], [most for _, _, most in rows])
    found: Any = milp(price, constraints=[within], integrality=[1 if w else 0 for w in whole], bounds=Bounds(0, high), options={"time_limit": _PATIENCE_S})
    return None if found.x is None else [float(v) for v in found.x]
