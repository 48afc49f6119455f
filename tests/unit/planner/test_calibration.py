"""The fit of confidence, and the thresholds it sets."""

from __future__ import annotations

import random
from collections.abc import Sequence

from nlsh.modelkit import evaluate as ev
from nlsh.plan import registry
from nlsh.plan.plan import Plan
from nlsh.plan.syntax import parse_plan
from nlsh.planner.answer import Answer
from nlsh.planner.planner import Calibration, Evidence, Planner
from nlsh.settings import Settings

CHANGE, LOOK = registry.parse('file.trash("a")'), registry.parse('file.read("a")')


def outcome(rng: random.Random) -> ev.Outcome:
    """A made-up outcome: the surer the decoder and the less is left over, the likelier it is right."""
    plan = rng.choice([CHANGE, LOOK])
    here = rng.choice([0, 0, 1, 2])
    evidence = Evidence(-rng.expovariate(2), -rng.expovariate(3), rng.choice([0, 0, 0, 1]), rng.choice([0, 0, 1, 2]), 0, here=here)
    right = rng.random() < 0.99 / (1 + (0.8 * evidence.decoder**2 + 2 * evidence.named + 0.3 * evidence.unknown) / (1 + here))
    case = ev.Case("x", plan, "en", "made-up")
    return ev.Outcome(case, [(plan, evidence, right), (LOOK, Evidence(evidence.decoder - 3, -1.0), not right)], Answer("plan"), 1.0)


def test_the_thresholds_keep_what_they_promise_and_the_weights_point_the_right_way() -> None:
    rng = random.Random(1)
    fitted_on, strangers = ([outcome(rng) for _ in range(1500)] for _ in range(2))
    fitted = ev.calibrate(fitted_on, strangers)
    assert fitted.decoder > 0 and fitted.named < 0 and fitted.unknown < 0 and fitted.here > 0
    for changes, threshold, most in ((CHANGE, fitted.sure_change, ev.MOST_WRONG_CHANGES), (LOOK, fitted.sure, ev.MOST_WRONG_LOOKS)):
        wrong = [o for o in strangers if o.best == changes and o.rank != 0 and ev.confidence(o, fitted) >= threshold]
        assert len(wrong) <= most * len(strangers)
        offered = [o for o in strangers if o.best == changes and ev.confidence(o, fitted) >= threshold]
        assert len(offered) > 50  # it does not keep it by never offering anything


class Weighs(Planner):
    calibration = Calibration(decoder=1.0, retrieval=0.0, named=-5.0)

    def answer(self, found: Sequence[tuple[Plan, Evidence]], trace: tuple[str, ...]) -> Answer:
        return Answer("plan", message=str(len(found)))


def test_readings_are_put_in_order_by_the_new_weights() -> None:
    case = ev.Case("x", LOOK, "en", "made-up")
    one = ev.Outcome(case, [(CHANGE, Evidence(-0.1, 0.0, named=1), False), (LOOK, Evidence(-1.0, 0.0), True)], Answer("plan"), 1.0)
    assert one.rank == 1
    (again,) = ev.weighed_again(Weighs(Settings()), [one])
    assert again.rank == 0 and again.best == LOOK and again.answer.message == "2"


def test_three_to_choose_from_differ() -> None:
    said = ['file.read("a")', 'file.read("b")', 'file.read("c")', 'file.trash("a")', 'none.refuse(reason="chat")', 'none.refuse(reason="outside")']
    found = [(parse_plan(text, lambda _: "paths"), Evidence(-float(n), 0.0)) for n, text in enumerate(said)]
    assert [said[-int(e.decoder)] for _, e in Weighs(Settings()).ordered(reversed(found))] == [said[n] for n in (0, 3, 1, 2, 4, 5)]
    # A refusal is nothing to choose: it does not take the place of another plan.
    beside = [*found[:3], (found[4][0], Evidence(-2.5, 0.0)), (found[3][0], Evidence(-9.0, 0.0))]
    assert [plan.calls[0].action for plan, _ in Weighs(Settings()).ordered(beside)[:3]] == ["file.read", "file.trash", "file.read"]
    refused = Weighs(Settings()).ordered(found[4:])
    assert [plan.calls[0].args["reason"] for plan, _ in refused] == ["chat", "outside"]
    assert Weighs(Settings()).ordered([]) == []


def test_readings_compete_with_one_another_and_with_none_of_them() -> None:
    calibration = Calibration(bias=2.0)
    (alone,) = calibration.confidences([Evidence(-0.1, -0.1)])
    first, second = calibration.confidences([Evidence(-0.1, -0.1), Evidence(-0.2, -0.1)])
    assert 0.5 < alone < 1 and first > second and first + second < 1 and first < 0.6
    assert calibration.confidences([]) == []
