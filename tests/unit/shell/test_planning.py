"""A sentence that is known to come is planned while the rest is set up: once, and what is wrong is still said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nlsh.plan.errors import ModelError
from nlsh.planner.answer import Answer, Context
from nlsh.planner.planner import Planner
from nlsh.settings import Settings
from nlsh.shell.planning import Planning

SENTENCE = "find pdfs in my downloads folder"


@pytest.fixture
def planned(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """What planners of this process have planned, and after what."""
    texts: list[tuple[str, str | None]] = []
    plan = Planner.plan

    def noted(self: Planner, request: str, context: Context) -> Answer:
        texts.append((request, context.last_action))
        return plan(self, request, context)

    monkeypatch.setattr(Planner, "plan", noted)
    return texts


def here(**more: object) -> Context:
    return Context(os.getcwd(), os.path.expanduser("~"), **more)  # type: ignore[arg-type]


def test_what_was_begun_is_what_counts(planned: list[tuple[str, str | None]]) -> None:
    begun = Planning(Settings(daemon="off"))
    begun.begin(SENTENCE)
    assert begun.plan(SENTENCE, here()) == Planning(Settings(daemon="off")).plan(SENTENCE, here())
    assert planned == [(SENTENCE, None)] * 2  # once each


@pytest.mark.parametrize(("text", "context"), [("how full are my disks", {}), (SENTENCE, {"last_action": "file.find"})])
def test_something_else_is_planned_anew(planned: list[tuple[str, str | None]], text: str, context: dict[str, str]) -> None:
    begun = Planning(Settings(daemon="off"))
    begun.begin(SENTENCE)
    assert begun.plan(text, here(**context)) == Planning(Settings(daemon="off")).plan(text, here(**context))
    assert planned.count((text, context.get("last_action"))) == 2


def test_what_is_wrong_is_said_by_who_waits_for_it(home: Path) -> None:
    begun = Planning(Settings(daemon="off", encoder=str(home / "none.gguf")))
    begun.begin(SENTENCE)
    with pytest.raises(ModelError):
        begun.plan(SENTENCE, here())
