"""Requests that take turns with one set of models: who plans next, and texts that are interrupted for others and go on with the very bytes they would have had.

The order is the scheduler's (`nlsh.kernel.scheduler`): by priority and between clients, nobody starving. What a model writes as a text takes seconds, so
it rests between two tokens where another's turn has come. llama.cpp's own state of the sequence (its keys and values) is saved then and put back later,
instead of reading the text again in one piece: in other batches the same sums round differently. The next token is decoded only after that, so that no
logits have to be kept.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from nlsh.plan.errors import ModelError

if TYPE_CHECKING:
    from nlsh.planner.engine import Engine

QUANTUM_S = 0.5  # of writing, before others of the same priority have their turn
_LOOKS_EVERY_S = 0.5  # whether who waits is still there
_MOST_RESTING = 4  # each keeps its state in memory
_LARGEST_STATE = 256 << 20  # bytes: with more, a text is not interrupted
_SEQUENCE = 0
_current: ContextVar[Turn | None] = ContextVar("turn", default=None)


class Turns:
    """Who has the models: one at a time. Any number of threads may wait for their turn."""

    def __init__(self, *, quantum: float = QUANTUM_S) -> None:
        from nlsh.kernel.scheduler import Needs, Scheduler

        self._scheduler = Scheduler(Needs(1.0), quantum=quantum)
        self._changed = threading.Condition()
        self._holder: int | None = None
        self._resting = 0
        self._numbers = itertools.count(1)

    @contextmanager
    def turn(self, client: str = "", priority: str = "normal", *, rests: bool = False, gone: Callable[[], bool] | None = None) -> Iterator[Turn]:
        """Within: the models are this thread's. `rests`: what it does with them calls `rest` now and then. Raises Stopped once nobody waits for it (`gone`)."""
        from nlsh.kernel.scheduler import Task

        turn = Turn(self, next(self._numbers), gone)
        with self._changed:
            self._scheduler.add(Task(turn.number, client, priority, preemptible=rests), time.monotonic())
        try:
            self.take(turn)
            before = _current.set(turn)
            try:
                yield turn
            finally:
                _current.reset(before)
        finally:
            with self._changed:
                self._scheduler.ended(turn.number, time.monotonic())
                self._holder = None if self._holder == turn.number else self._holder
                self._changed.notify_all()

    def take(self, turn: Turn) -> None:
        """Wait until the models are this turn's."""
        with self._changed:
            while not (self._due(turn) and self._holder is None):
                turn.check()
                self._changed.wait(_LOOKS_EVERY_S)
            self._holder = turn.number

    @property
    def rested(self) -> bool:
        """Whether somebody rests, who goes on with the models as they are."""
        return self._resting > 0

    def gives_way(self, turn: Turn) -> bool:
        """Return whether another's turn has come."""
        with self._changed:
            return not self._due(turn) and self._resting < _MOST_RESTING

    @contextmanager
    def lent(self, turn: Turn) -> Iterator[None]:
        """Let others have the models until it is this turn again; within: they have them."""
        with self._changed:
            self._holder, self._resting = None, self._resting + 1
            self._changed.notify_all()
        try:
            yield
            self.take(turn)
        finally:
            with self._changed:
                self._resting -= 1

    def _due(self, turn: Turn) -> bool:
        self._scheduler.decide(time.monotonic())
        return self._scheduler.state(turn.number) == "running"


class Turn:
    """The turn of one request."""

    def __init__(self, turns: Turns, number: int, gone: Callable[[], bool] | None) -> None:
        self.number = number
        self.rests = 0  # how often others went first in the middle
        self._turns, self._gone = turns, gone

    def check(self) -> None:
        """Raise Stopped where nobody waits for it any more."""
        from nlsh.planner.engine import Stopped

        if self._gone is not None and self._gone():
            raise Stopped

    def rest(self, engine: Engine) -> None:
        """Let others go first whose turn has come; what was read and written is there again afterwards. Raises ModelError and Stopped."""
        self.check()
        if not self._turns.gives_way(self) or state_bytes(engine) > _LARGEST_STATE:
            return
        state = saved(engine)
        with self._turns.lent(self):
            self.rests += 1
        put_back(engine, state)


def rest(engine: Engine) -> None:
    """Between two tokens of a text: let others go first whose turn has come, where this thread has the models by a turn."""
    if (turn := _current.get()) is not None:
        turn.rest(engine)


def state_bytes(engine: Engine) -> int:
    """Return how large the state of an engine's sequence is."""
    return int(engine.lib.llama_state_seq_get_size(engine.context, _SEQUENCE))


def saved(engine: Engine) -> Any:
    """Return the state of an engine's sequence. Raises ModelError."""
    size = state_bytes(engine)
    state = (ctypes.c_uint8 * size)()
    if engine.lib.llama_state_seq_get_data(engine.context, state, size, _SEQUENCE) != size:
        raise ModelError("The model's state could not be saved.", hint="Nothing was changed. Try again.")
    return state


def put_back(engine: Engine, state: Any) -> None:
    """Have an engine's sequence as it was saved, and nothing else. Raises ModelError."""
    engine.lib.llama_memory_clear(engine.memory, True)
    if engine.lib.llama_state_seq_set_data(engine.context, state, len(state), _SEQUENCE) == 0:
        raise ModelError("The model's state could not be put back.", hint="Nothing was changed. Try again.")
