"""The requests the first release must get right, and five rewordings of each: the shipped models, as they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlsh.modelkit.evaluate import meaning_of
from nlsh.plan.registry import parse
from nlsh.planner.answer import Context
from nlsh.planner.planner import Planner
from nlsh.settings import Settings


def blocks() -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in (Path(__file__).parent / "rewordings.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            found.append((line[2:], []))
        elif line and not line.startswith("#"):
            found[-1][1].append(line)
    return found


@pytest.fixture(scope="module")
def planner() -> Planner:
    return Planner(Settings())


@pytest.mark.parametrize(("plans", "requests"), blocks(), ids=[r[0] for _, r in blocks()])
def test_the_request_and_four_of_five_rewordings(home: Path, planner: Planner, plans: str, requests: list[str]) -> None:
    wanted = [meaning_of(parse(p.replace("; ", "\n"))) for p in plans.split(" || ")]
    # People name what is there.
    for name in ("logs", "Downloads", "Documents"):
        (home / name).mkdir(exist_ok=True)
    context = Context(str(home), str(home))
    right = {}
    for request in requests:
        answer = planner.plan(request, context)
        right[request] = any(meaning_of(r.plan) in wanted for r in answer.readings[:1])
    assert right[requests[0]], f"the request itself: {requests[0]}"
    assert sum(right[r] for r in requests[1:]) >= 4, f"wrong: {[r for r in requests[1:] if not right[r]]}"


@pytest.mark.parametrize("request_", ["write me a poem about autumn", "order a pizza", "wipe the entire hard drive", "今天天气怎么样", "do the thing"])
def test_what_is_no_request_for_an_action_gets_no_plan(home: Path, planner: Planner, request_: str) -> None:
    assert planner.plan(request_, Context(str(home), str(home))).kind in ("refusal", "question")
