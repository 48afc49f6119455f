"""A text that is interrupted for others, at any token, is the text that it would have been; whose turn it is goes by priority; nobody is left waiting."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from nlsh.kernel import scheduler
from nlsh.planner import turns, writing
from nlsh.planner.engine import Engine, Stopped, Written, _decode
from nlsh.planner.turns import Turns
from nlsh.shipped import models_dir

LONGEST = 12
RULES = r"root ::= [^\n]{3,40}"  # so loose that the model is never sure: other texts are tried as well


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    found = Engine(models_dir() / "planner" / "planner.gguf", context=512, threads=1, sequences=1)
    yield found
    found.close()


def prompts(engine: Engine) -> list[list[int]]:
    chance = random.Random(5)
    return [[chance.randrange(engine.size) for _ in range(length)] for length in (40, 7, 120)]


def text(engine: Engine, number: int) -> list[Written]:
    return writing.write(engine, prompts(engine)[number], RULES, best=3, longest=LONGEST)


def waiting(order: Turns, count: int) -> None:
    """Return once so many wait for their turn."""
    while len(order._scheduler.keys("waiting")) < count:
        time.sleep(0.001)


def test_texts_that_interrupt_one_another_are_the_same_to_the_last_bit(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    # A slice is over at each look at the clock: how often a text is interrupted is not for the machine's speed to say.
    monkeypatch.setattr(scheduler, "_LONGEST_SLICE", 1)
    looks = itertools.count()
    monkeypatch.setattr(turns, "time", SimpleNamespace(monotonic=lambda: next(looks) / 1000))
    alone = [text(engine, number) for number in range(3)]
    assert len({tuple(w.tokens for w in found) for found in alone}) == 3
    order = Turns(quantum=0.001)
    found: dict[int, list[Written]] = {}
    rests: dict[int, int] = {}

    def write(number: int, priority: str) -> None:
        with order.turn(f"client {number}", priority, rests=True) as turn:
            found[number], rests[number] = text(engine, number), turn.rests

    with order.turn("first"):
        them = [threading.Thread(target=write, args=(n, p)) for n, p in enumerate(("low", "normal", "normal"))]
        for thread in them:
            thread.start()
        waiting(order, 3)  # who comes once the others are done has nobody to interrupt
    for thread in them:
        thread.join(60)
    # Tokens and their log-probabilities.
    assert [found[n] for n in range(3)] == alone and sum(rests.values()) > 3, rests


def test_what_is_saved_is_all_that_matters_also_where_it_is_drawn(engine: Engine) -> None:
    lib, prompt = engine.lib, prompts(engine)[0]

    def drawn(*, interrupted: bool) -> list[int]:
        sampler = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        # At a high temperature, since then the smallest difference shows.
        for one in (lib.llama_sampler_init_temp(3.0), lib.llama_sampler_init_dist(7)):
            lib.llama_sampler_chain_add(sampler, one)
        lib.llama_memory_clear(engine.memory, True)
        _decode(engine, [(t, i, 0, i == len(prompt) - 1) for i, t in enumerate(prompt)])
        tokens = [lib.llama_sampler_sample(sampler, engine.context, -1)]
        while len(tokens) < 2 * LONGEST:
            if interrupted:
                state = turns.saved(engine)
                lib.llama_memory_clear(engine.memory, True)
                _decode(engine, [(t, i, 0, i == 4) for i, t in enumerate(prompt[5:10])])
                turns.put_back(engine, state)
            _decode(engine, [(tokens[-1], len(prompt) + len(tokens) - 1, 0, True)])
            tokens.append(lib.llama_sampler_sample(sampler, engine.context, -1))
        lib.llama_sampler_free(sampler)
        return tokens

    assert drawn(interrupted=True) == drawn(interrupted=False)


def test_who_matters_more_goes_first_and_who_is_gone_is_not_waited_for() -> None:
    order, told = Turns(), []
    gone = threading.Event()

    def one(name: str, priority: str, **more: Any) -> None:
        try:
            with order.turn(name, priority, **more):
                told.append(name)
        except Stopped:
            told.append(f"{name} gone")

    them = [threading.Thread(target=one, args=(name, p)) for name, p in (("typed", "low"), ("script", "normal"), ("person", "high"))]
    left = threading.Thread(target=one, args=("left", "high"), kwargs={"gone": gone.is_set})
    with order.turn("first", "low"):
        for count, thread in enumerate([*them, left], start=1):
            thread.start()
            waiting(order, count)
        gone.set()
        left.join(10)
    for thread in them:
        thread.join(10)
    assert told == ["left gone", "person", "script", "typed"]
    # One that fails gives the models back.
    with pytest.raises(RuntimeError), order.turn("bad"):
        raise RuntimeError
    with order.turn("next"):
        pass


def test_one_who_has_left_stops_writing(engine: Engine) -> None:
    count = iter(range(1000))
    with pytest.raises(Stopped), Turns().turn("left", rests=True, gone=lambda: next(count) > 4):
        text(engine, 0)
    assert next(count) < 10
