"""Plan text: it round-trips, and nothing in it is ever evaluated."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlsh.plan.errors import BadPlan
from nlsh.plan.plan import Call, Plan, Ref, plan_from_data
from nlsh.plan.syntax import format_plan, parse_plan

names = st.from_regex(r"[a-z]{1,8}", fullmatch=True).filter(
    lambda n: (
        n
        not in {
            "true",
            "false",
            "if",
            "in",
            "is",
            "or",
            "and",
            "as",
            "not",
            "for",
            "def",
            "del",
            "try",
            "with",
            "else",
            "elif",
            "from",
            "pass",
            "class",
            "while",
            "async",
            "await",
            "break",
            "raise",
            "yield",
            "global",
            "import",
            "lambda",
            "return",
            "assert",
            "except",
            "finally",
            "continue",
            "nonlocal",
        }
    )
)
texts = st.text(st.characters(exclude_characters="\0"), max_size=30)  # a NUL is no part of any name, and refused
values = st.one_of(texts, st.booleans(), st.just(Ref("_")), st.lists(texts, max_size=3).map(tuple))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    calls, known = [], ["_"]
    for _ in range(draw(st.integers(1, 4))):
        args = draw(st.dictionaries(names, values, max_size=4))
        if draw(st.booleans()) and args:
            args[next(iter(args))] = Ref(draw(st.sampled_from(known)))
        result = draw(st.one_of(st.none(), names))
        if result in known:
            result = None
        if result:
            known.append(result)
        calls.append(Call(f"{draw(names)}.{draw(names)}", args, result))
    return Plan(tuple(calls))


@given(plans())
def test_text_round_trips(plan: Plan) -> None:
    assert parse_plan(format_plan(plan), lambda action: None) == plan


@given(plans())
def test_the_first_argument_may_stand_without_its_name(plan: Plan) -> None:
    def first(action: str) -> str | None:
        return next((next(iter(c.args), None) for c in plan.calls if c.action == action), None)

    assert parse_plan(format_plan(plan, first), first) == plan


@given(plans())
def test_data_round_trips_through_json(plan: Plan) -> None:
    assert plan_from_data(json.loads(json.dumps(plan.as_data()))) == plan


@pytest.mark.parametrize(
    "text",
    [
        "", "__import__('os').system('true')", "file.find(under=open('/etc/passwd'))", "x = 5", "file.find(**{})", "file.find('a', 'b')", "import os",
        "file.find(f'{1}')", "a.b.c()", "file.find(under=1+1)", "file.find(under='x', under='y')", "lambda: 0", "file.find(under=None)",
        "file.move(a)", "a = file.find()\na = file.find()",
        "_ = file.find()", "file.find(", "(" * 5000, "file.find(under=[1, [2]])", "file.find(under=b'x')",
    ],
)  # fmt: skip
def test_what_is_not_a_plan_is_refused(text: str) -> None:
    with pytest.raises(BadPlan):
        parse_plan(text, lambda action: "under")


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(text: str) -> None:
    with contextlib.suppress(BadPlan):
        parse_plan(text, lambda action: None)


@pytest.mark.parametrize("data", [None, 5, [{}], [{"action": "a.b", "args": {"x": 5}}], [{"action": "a.b", "args": []}], "text"])
def test_bad_data_is_refused(data: object) -> None:
    with pytest.raises(BadPlan):
        plan_from_data(data)
