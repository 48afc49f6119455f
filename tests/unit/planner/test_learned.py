"""What the user teaches the planner: kept, found by the same and by like words, forgotten; never anything else than this user's."""

from __future__ import annotations

import json
import os
import stat
from array import array
from pathlib import Path

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import NotFound
from nlsh.planner.learned import MOST, Learned, same, worth_learning
from nlsh.planner.vocabulary import catalogue, skeleton

VECTOR = [0.6, 0.8]


def add(learned: Learned, request: str, plan: str) -> None:
    calls = registry.parse(plan).calls
    learned.add(request, plan, "one", VECTOR, skeleton(calls, catalogue()), [c.action for c in calls])


def test_it_is_kept_and_read_back(tmp_path: Path) -> None:
    learned = Learned(tmp_path / "state" / "learned.jsonl")
    assert learned.all() == []
    add(learned, "tidy up", 'file.trash("*.tmp")')
    (found,) = Learned(learned.file).all()
    assert (found.request, found.plan, found.actions, found.skeleton) == ("tidy up", 'file.trash("*.tmp")', ("file.trash",), ("<file.trash>", "<paths=>"))
    assert list(found.vector) == pytest.approx(VECTOR)
    assert stat.S_IMODE(os.stat(learned.file).st_mode) == 0o600


def test_the_same_words_replace_what_was_known(tmp_path: Path) -> None:
    learned = Learned(tmp_path / "l")
    add(learned, "Tidy  up!", 'file.trash("*.tmp")')
    add(learned, "other", "resource.cpu()")
    add(learned, "tidy up", 'file.trash("*.log")')
    assert [(e.request, e.plan) for e in learned.all()] == [("other", "resource.cpu()"), ("tidy up", 'file.trash("*.log")')]
    assert same("Tidy  up!") == same("tidy up") != same("tidy ups")


def test_forgetting(tmp_path: Path) -> None:
    learned = Learned(tmp_path / "l")
    for word in ("one", "two", "three"):
        add(learned, word, "resource.cpu()")
    assert learned.forget(2).request == "two"
    assert [e.request for e in learned.all()] == ["one", "three"]
    for wrong in (0, 3):
        with pytest.raises(NotFound):
            learned.forget(wrong)
    assert learned.clear() == 2 and learned.all() == []


def test_a_damaged_line_is_left_out_and_the_rest_stays(tmp_path: Path) -> None:
    learned = Learned(tmp_path / "l")
    add(learned, "one", "resource.cpu()")
    good = learned.file.read_text()
    odd = "\udce9".encode("utf-8", "surrogatepass").decode("latin-1")
    learned.file.write_text("{\n" + json.dumps({"request": "x"}) + "\n" + good + odd + "\n", encoding="utf-8")
    assert [e.request for e in learned.all()] == ["one"]


def test_it_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST >= 1000
    monkeypatch.setattr("nlsh.planner.learned.MOST", 3)
    learned = Learned(tmp_path / "l")
    for number in range(5):
        add(learned, f"request {number}", "resource.cpu()")
    assert [e.request for e in learned.all()] == ["request 2", "request 3", "request 4"]


def test_vectors_of_another_encoder_are_made_anew_once(tmp_path: Path) -> None:
    learned = Learned(tmp_path / "l")
    add(learned, "one", "resource.cpu()")
    asked = []

    def embed(text: str) -> list[float]:
        asked.append(text)
        return [1.0, 0.0]

    for _ in range(2):
        (found,) = learned.made_by("two", embed)
        assert found.vector == array("f", [1.0, 0.0]) and found.encoder == "two"
    assert asked == ["one"]


def test_what_means_something_else_another_time_is_not_learned() -> None:
    assert worth_learning(registry.parse('file.trash("*.tmp")'))
    assert not worth_learning(registry.parse("file.trash(_)"))
    assert not worth_learning(registry.parse('shell.run("ls")'))
