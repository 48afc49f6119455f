"""A text that is interrupted for others, at any token, is the text that it would have been: with the shipped model, the likeliest and drawn ones."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from nlsh.plan.errors import ModelError
from nlsh.planner.engine import Engine, _decode
from nlsh.planner.turns import Text, Turns
from nlsh.shipped import models_dir

LONGEST = 12
ENDLESS = r"root ::= [^\n]{300}"  # a plan's model would soon come to an end


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    found = Engine(models_dir() / "planner" / "planner.gguf", context=512, threads=1, sequences=1)
    yield found
    found.close()


def prompts(engine: Engine) -> list[list[int]]:
    chance = random.Random(5)
    return [[chance.randrange(engine.size) for _ in range(length)] for length in (40, 7, 120)]


@pytest.mark.parametrize("seeds", [(None, None, None), (None, 7, 8)])
def test_interrupted_texts_are_the_same(engine: Engine, seeds: tuple[int | None, ...]) -> None:
    turns, wanted = Turns(engine), []

    def text(number: int) -> Text:
        # Drawn at a high temperature, since then the smallest difference shows.
        return Text(turns, prompts(engine)[number], longest=LONGEST, seed=seeds[number], temperature=3.0, grammar=ENDLESS)

    for number in range(3):
        alone = text(number)
        assert alone.write() and len(alone.tokens) == LONGEST
        wanted.append(alone.tokens)
        alone.close()
    chance = random.Random(3)
    for _ in range(2):
        texts = [text(number) for number in range(3)]
        while left := [t for t in texts if not t.done]:
            chance.choice(left).write(stop=lambda: chance.random() < 0.4)
            if chance.random() < 0.2:
                # Whoever borrows the engine leaves nothing as it was.
                with turns.lent() as free:
                    free.lib.llama_memory_clear(free.memory, True)
                    _decode(free, [(t, i, 0, i == 4) for i, t in enumerate(prompts(engine)[0][5:10])])
        assert [t.tokens for t in texts] == wanted
        for one in texts:
            one.close()


def test_another_seed_is_another_text_and_what_is_too_long_is_refused(engine: Engine) -> None:
    turns = Turns(engine)
    drawn = [Text(turns, prompts(engine)[0], longest=LONGEST, seed=seed, temperature=3.0) for seed in (1, 2)]
    assert [t.write() for t in drawn] == [True, True] and drawn[0].tokens != drawn[1].tokens
    ruled = Text(turns, prompts(engine)[0], longest=LONGEST, seed=1, temperature=3.0, grammar='root ::= "zzz"')
    assert not ruled.write(stop=lambda: True) or ruled.tokens != drawn[0].tokens
    for one in (*drawn, ruled):
        one.close()
    with pytest.raises(ModelError):
        Text(turns, [1] * 600, longest=1)
    with pytest.raises(ModelError, match="grammar"):
        Text(turns, [1], longest=1, grammar="root ::= (")
