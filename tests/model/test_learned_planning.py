"""What the user teaches changes what is planned at once, with the shipped models: for the same words, and for like ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlsh.plan import registry
from nlsh.planner.answer import Context
from nlsh.planner.learned import Learned
from nlsh.planner.planner import Planner
from nlsh.settings import Settings

HERE = Context("/home/u", "/home/u")
SLANG = "give the old girl a rest"  # nobody else means this
PLAN = 'file.find(under="~/Downloads", larger="1GB")'


@pytest.fixture
def planner(tmp_path: Path) -> Planner:
    return Planner(Settings(), learned=Learned(tmp_path / "learned.jsonl"))


def first(planner: Planner, request: str) -> str:
    answer = planner.plan(request, HERE)
    return registry.format(answer.readings[0].plan) if answer.readings else answer.kind


def test_the_same_words_give_what_they_were_taught_to_mean(planner: Planner) -> None:
    assert first(planner, SLANG) != PLAN
    planner.learn(SLANG, registry.parse(PLAN))
    assert planner.plan(f"{SLANG.capitalize()}.", HERE).kind == "plan"
    assert first(planner, SLANG) == registry.format(registry.parse(PLAN))
    planner.learned.clear()  # type: ignore[union-attr]
    assert first(planner, SLANG) != PLAN


def test_like_words_find_the_meaning_with_their_own_values(planner: Planner) -> None:
    planner.learn("do the penguin dance with report.txt", registry.parse('file.hash("report.txt")'))
    answer = planner.plan("do the penguin dance with notes.txt", HERE)
    plans = [registry.format(r.plan) for r in answer.readings]
    assert registry.format(registry.parse('file.hash("notes.txt")')) in plans


def test_without_a_place_for_it_nothing_is_learned() -> None:
    planner = Planner(Settings())
    planner.learn(SLANG, registry.parse(PLAN))
    assert first(planner, SLANG) != PLAN
