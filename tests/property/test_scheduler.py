"""The scheduler, in simulated time: shares are kept, nothing that fits is passed by for ever, nothing runs beyond what there is; and every step of a call gets
exactly one last message over the bus, whatever its sender does."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlsh.kernel.bus import LAST, Closed, StepMessages
from nlsh.kernel.scheduler import AGE_S, MOST_PAUSED, PATIENCE_S, PRIORITIES, QUANTUM_S, Needs, Scheduler, Task
from nlsh.plan.errors import Denied, NlshError, NotPossible

CAPACITY = Needs(2.0, 1.0, 8, 4)
FAST = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@dataclass
class Machine:
    """What carries out a scheduler's decisions, by a clock of its own."""

    scheduler: Scheduler
    needs: Needs = CAPACITY
    now: float = 0.0
    left: dict[object, float] = field(default_factory=dict)
    tasks: dict[object, Task] = field(default_factory=dict)
    states: dict[object, str] = field(default_factory=dict)
    ended: dict[object, float] = field(default_factory=dict)
    served: dict[object, float] = field(default_factory=dict)

    def add(self, task: Task, seconds: float) -> None:
        self.scheduler.add(task, self.now)
        self.tasks[task.key], self.left[task.key], self.states[task.key] = task, seconds, "waiting"

    def step(self, most: float) -> None:
        """Go on to the next moment at which something may change, or for `most` seconds."""
        for what, key in self.scheduler.decide(self.now):
            assert (what, self.states[key]) in (("start", "waiting"), ("resume", "paused"), ("pause", "running"))
            self.states[key] = "paused" if what == "pause" else "running"
        running = [k for k, s in self.states.items() if s == "running"]
        started = [k for k, s in self.states.items() if s in ("running", "paused")]
        assert set(running) == set(self.scheduler.keys("running"))
        for name, keys in (("cores", running), ("io", running), ("memory", started), ("gpu_memory", started)):
            assert sum(getattr(self.tasks[k].needs, name) for k in keys) <= getattr(self.needs, name) + 1e-6, name
        assert len(started) - len(running) <= MOST_PAUSED + len(running)
        look = self.scheduler.next_look(self.now)
        passed = min([most, *(self.left[k] for k in running), *([max(look, 1e-4)] if look is not None else [])])
        self.now += passed
        for key in running:
            self.left[key] -= passed
            self.served[key] = self.served.get(key, 0.0) + passed
            if self.left[key] <= 1e-9:
                self.scheduler.ended(key, self.now)
                self.states[key], self.ended[key] = "ended", self.now

    def finish(self) -> None:
        idle = 0
        while any(s != "ended" for s in self.states.values()):
            before = self.now
            self.step(1e6)
            idle = idle + 1 if self.now == before else 0
            assert idle < 3 and self.now < 1e5, "what waits is never begun"


NEEDS = st.builds(Needs, st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 8), st.integers(0, 4))
WORK = st.tuples(
    st.sampled_from("abc"), st.sampled_from(sorted(PRIORITIES)), NEEDS, st.one_of(st.none(), st.floats(0, 50)), st.booleans(), st.floats(0.001, 3.0),
    st.floats(0.0, 0.5),
)  # fmt: skip


@FAST
@given(st.lists(WORK, max_size=40))
def test_everything_ends_and_nothing_runs_beyond_what_there_is(work: list[tuple]) -> None:
    machine = Machine(Scheduler(CAPACITY))
    for number, (client, priority, needs, deadline, preemptible, seconds, gap) in enumerate(work):
        machine.add(Task(number, client, priority, needs, deadline, preemptible), seconds)
        machine.step(gap)
    machine.finish()
    assert len(machine.ended) == len(work) and not machine.scheduler.keys()


@FAST
@given(st.floats(1.0, 9.0), st.integers(1, 3), st.booleans(), st.floats(0.05, 1.0))
def test_clients_get_their_shares(share: float, many: int, preemptible: bool, seconds: float) -> None:
    # One queues many times as much as the other: it gets no more for that.
    machine = Machine(Scheduler(Needs(1.0), shares={"a": share}), Needs(1.0))
    for number in range(round(15 / seconds) * many):
        machine.add(Task(("a", number), "a", preemptible=preemptible), seconds)
    for number in range(round(15 / seconds)):
        machine.add(Task(("b", number), "b", preemptible=preemptible), seconds)
    while machine.now < 12:
        machine.step(1.0)
    got = {c: sum(s for (client, _), s in machine.served.items() if client == c) for c in "ab"}
    # Stride scheduling is off by one turn at most; the longest turn is a task, or its longest slice.
    turn = max(seconds if not preemptible else min(seconds, 16 * QUANTUM_S), QUANTUM_S)
    assert abs(got["b"] - machine.now / (1 + share)) <= 2 * turn


@FAST
@given(st.sampled_from([Needs(2.0, 0.0, 8), Needs(1.0), Needs(2.0), Needs(0.5, 1.0, 0, 4)]), st.sampled_from(sorted(PRIORITIES)), st.floats(0.05, 0.6))
def test_no_stream_of_others_starves_a_task(needs: Needs, priority: str, seconds: float) -> None:
    """For ever, small tasks of high priority come faster than they can be done; the one that is large, or low, is done within a bound."""
    machine = Machine(Scheduler(CAPACITY))
    machine.add(Task("first", "x", "high", Needs(0.5, 0.0, 1)), seconds)
    machine.add(Task("it", "y", priority, needs), 0.5)
    number = 0
    while "it" not in machine.ended:
        while len(machine.scheduler.keys("waiting")) < 8:
            number += 1
            machine.add(Task(number, "x", "high", Needs(0.5, 0.25, 2, 1), deadline=0.0), seconds)
        machine.step(0.1)
        # Its share of a seventeenth, what is kept for it, and what must end before.
        assert machine.now < 17 * (0.5 + seconds) * 2 + PATIENCE_S + 2 * seconds + 1, "it waits for ever"


def test_short_before_long_but_not_for_ever() -> None:
    machine = Machine(Scheduler(Needs(1.0)), Needs(1.0))
    machine.add(Task("long", preemptible=True), 20.0)
    for number in range(2000):
        machine.add(Task(number, preemptible=True), 0.05)
        machine.step(0.05)
        machine.step(0.05)
        if "long" in machine.ended:
            break
    first = [k for k in machine.ended if k != "long"][:10]
    assert first == list(range(10)), "short ones come first"
    # After so long, what comes new is later than it.
    assert 20.0 < machine.ended.get("long", 1e9) < 20 + AGE_S * 8 + 40


def test_deadlines_and_priorities_and_what_can_never_be() -> None:
    machine = Machine(Scheduler(CAPACITY))
    machine.add(Task("running", priority="low", needs=Needs(2.0), preemptible=True), 10.0)
    machine.step(0.05)
    for key, deadline in (("none", None), ("late", 5.0), ("soon", 1.0)):
        machine.add(Task(key, needs=Needs(2.0), deadline=deadline), 0.1)
    machine.add(Task("urgent", "other", "high", Needs(2.0)), 0.1)
    machine.finish()
    assert list(machine.ended) == ["urgent", "soon", "late", "none", "running"]
    with pytest.raises(NotPossible, match="9 of memory where there is 8"):
        machine.add(Task("big", needs=Needs(memory=9)), 1.0)


# --- one last message for each step ----------------------------------------------------------------------------------

MESSAGES = st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["start", "records", *LAST])), max_size=30)


@FAST
@given(st.integers(0, 6), MESSAGES, st.integers(1, 4), st.sampled_from([NlshError("gone", code="step.lost"), Denied("no")]))
def test_every_step_gets_one_last_message_and_nothing_after_it(count: int, sent: list[tuple[int, str]], room: int, error: NlshError) -> None:
    messages = StepMessages(count, room)

    def send() -> None:
        for step, kind in sent:
            assert messages.put({"type": kind, "step": step}) in (True, False)
        messages.end(error, rest=NlshError("not tried", code="step.skipped"))

    sender = threading.Thread(target=send)
    sender.start()
    got = list(messages)  # a sender that is faster waits: there is room for few
    sender.join()
    for step in range(count):
        mine = [m["type"] for m in got if m["step"] == step]
        assert sum(kind in LAST for kind in mine) == 1 and mine[-1] in LAST
        wanted = [kind for s, kind in sent if s == step]
        ends = next((i for i, kind in enumerate(wanted) if kind in LAST), None)
        assert mine == (wanted[: ends + 1] if ends is not None else [*wanted, mine[-1]])
    assert all(0 <= m["step"] < count for m in got)


def test_who_follows_no_longer_does_not_hold_up_the_sender() -> None:
    messages = StepMessages(2, 1)
    messages.put({"type": "start", "step": 0})
    outcome: list[type] = []

    def send() -> None:
        try:
            messages.put({"type": "done", "step": 0})
        except Closed as error:
            outcome.append(type(error))

    sender = threading.Thread(target=send)
    sender.start()
    messages.drop()
    sender.join(10)
    assert outcome == [Closed]
