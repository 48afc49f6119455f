"""Who gets how much: never more than there is, all that is asked for where it can be had, and no more given up than must be, against brute force."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlsh.resources import placement
from nlsh.resources.allocate import Infeasible, Job, allocate

pytest.importorskip("scipy")
NEAR = 1e-5
few = settings(max_examples=25, deadline=None)


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[Job], dict[str, float]]:
    """Jobs that may use some places and not others."""
    capacity = {f"p{n}": float(draw(st.integers(0, 8))) for n in range(draw(st.integers(1, 3)))}
    jobs = []
    for n in range(draw(st.integers(1, 4))):
        closed = draw(st.sets(st.sampled_from(sorted(capacity)), max_size=len(capacity) - 1))
        cost = {p: float(draw(st.integers(0, 5))) for p in capacity}
        jobs.append(Job(f"j{n}", float(draw(st.integers(0, 6))), high=dict.fromkeys(closed, 0.0), cost=cost))
    return jobs, capacity


def lacking(jobs: list[Job], capacity: dict[str, float]) -> float:
    """Return what is lacking: the worst of all sets of jobs, as Hall's theorem says."""
    worst = 0.0
    for size in range(1, len(jobs) + 1):
        for some in combinations(jobs, size):
            open_ = {p for j in some for p in capacity if p not in j.high}
            worst = max(worst, sum(j.demand for j in some) - sum(capacity[p] for p in open_))
    return worst


@few
@given(problems())
def test_what_is_given_holds_every_constraint_and_what_is_given_up_is_the_least(problem: tuple[list[Job], dict[str, float]]) -> None:
    jobs, capacity = problem
    short = lacking(jobs, capacity)
    try:
        given_ = allocate(jobs, capacity)
    except Infeasible as error:
        assert short > 0
        assert sum(r.by for r in error.least) == pytest.approx(short, abs=NEAR)
        eased = {r.name: r.by for r in error.least}
        assert lacking([Job(j.name, j.demand - eased.get(j.name, 0), high=j.high) for j in jobs], capacity) <= NEAR
        for one in error.alone:
            for by, enough in ((one.by + NEAR, True), (one.by - 0.01, False)):
                asked = [Job(j.name, j.demand - by * (one.kind == "demand" and j.name == one.name), high=j.high) for j in jobs]
                there = {p: c + by * (one.kind == "capacity" and p == one.name) for p, c in capacity.items()}
                assert (lacking(asked, there) <= NEAR) == enough, one
        return
    assert short == 0
    assert all(amount >= -NEAR for amount in given_.values())
    for job in jobs:
        assert sum(given_[job.name, p] for p in capacity) >= job.demand - NEAR
        assert all(given_[job.name, p] <= NEAR for p in job.high)
    for place, most in capacity.items():
        assert sum(given_[j.name, place] for j in jobs) <= most + NEAR


@few
@given(
    st.lists(st.integers(0, 3), min_size=2, max_size=2),
    st.lists(st.integers(2, 4), min_size=2, max_size=2),
    st.lists(st.integers(0, 5), min_size=4, max_size=4),
)
def test_the_cost_is_the_least_there_is(demands: list[int], sizes: list[int], costs: list[int]) -> None:
    capacity = {"a": float(sizes[0]), "b": float(sizes[1])}
    jobs = [Job(str(n), float(d), cost={"a": float(costs[2 * n]), "b": float(costs[2 * n + 1])}) for n, d in enumerate(demands)]
    # Of whole numbers, the best is whole.
    ways = [
        x
        for x in product(range(4), repeat=4)
        if x[0] + x[1] >= demands[0] and x[2] + x[3] >= demands[1] and x[0] + x[2] <= sizes[0] and x[1] + x[3] <= sizes[1]
    ]
    if not ways:
        with pytest.raises(Infeasible):
            allocate(jobs, capacity)
        return
    found = allocate(jobs, capacity)
    spent = sum(amount * jobs[int(j)].cost[p] for (j, p), amount in found.items())
    assert spent == pytest.approx(min(sum(c * n for c, n in zip(costs, x, strict=True)) for x in ways), abs=1e-4)


def off(wanted: dict[str, float], had: dict[str, float]) -> float:
    return sum(max(wanted[n] - had[n], 0) + 0.5 * max(had[n] - wanted[n], 0) for n in wanted)


def nearest(wanted: list[float], count: int) -> float | None:
    """Return how near one can come, by trying every way: cores of one's own, or a core that is shared, of which no more is wasted than must be."""
    best = None
    for way in product([("own", n) for n in range(1, count + 1)] + [("shared", k) for k in range(len(wanted))], repeat=len(wanted)):
        bins = {k for kind, k in way if kind == "shared"}
        if sum(n for kind, n in way if kind == "own") + len(bins) > count:
            continue
        total = sum(max(w - n, 0) + 0.5 * max(n - w, 0) for w, (kind, n) in zip(wanted, way, strict=True) if kind == "own")
        for k in bins:
            here = sum(w for w, (kind, at) in zip(wanted, way, strict=True) if (kind, at) == ("shared", k))
            total += here - 1 if here >= 1 else 0.5 * (1 - here)
        best = total if best is None else min(best, total)
    return best


@few
@given(st.lists(st.integers(1, 30).map(lambda n: n / 10), min_size=1, max_size=3), st.integers(1, 4))
def test_cores_come_as_near_as_can_be_and_are_given_once(amounts: list[float], count: int) -> None:
    wanted = {f"j{n}": a for n, a in enumerate(amounts)}
    found = placement.cores(wanted, count)
    bins = {p.shared for p in found.values()} - {-1}
    assert sum(p.own for p in found.values()) + len(bins) <= count
    for name, place in found.items():
        assert (place.own >= 1) != (place.shared >= 0), name
    for k in bins:
        assert sum(p.part for p in found.values() if p.shared == k) == pytest.approx(1, abs=NEAR)
    for one, other in ((a, b) for a in found for b in found if found[a].shared == found[b].shared >= 0):
        assert found[one].part * wanted[other] == pytest.approx(found[other].part * wanted[one], rel=NEAR), "a shared core is split by what is wanted of it"
    best = nearest(amounts, count)
    assert best is not None and off(wanted, {n: p.amount for n, p in found.items()}) <= best + 0.03


@few
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.lists(st.integers(1, 40), min_size=1, max_size=3))
def test_as_many_models_as_can_be_are_placed_and_no_card_is_overfull(needs: list[int], free: list[int]) -> None:
    models, cards = {f"m{n}": v * 2**30 for n, v in enumerate(needs)}, {f"g{n}": v * 2**30 for n, v in enumerate(free)}
    found = placement.models(models, cards, together=True)
    for card, size in cards.items():
        assert sum(models[m] * part for m, fit in found.items() for c, part in fit.cards if c == card) <= size * (1 + NEAR)
    # Smallest first: as models may be split over cards, only their sum counts.
    most = max(k for k in range(len(needs) + 1) if sum(sorted(needs)[:k]) <= sum(free))
    assert sum(bool(fit.cards) for fit in found.values()) == most
    for name, fit in placement.models(models, cards).items():
        assert len(fit.cards) == 1 if models[name] <= max(cards.values()) else len(fit.cards) != 1


@given(st.floats(0.05, 0.95))
def test_priorities_come_to_the_parts_asked_for(part: float) -> None:
    values, had = placement.nices({"a": part, "b": 1 - part})
    assert min(values.values()) == 0 and abs(had["a"] - part) < 0.05
