"""The grammar of plans: every walk through it is a plan, every plan is a walk, and nothing else is."""

from __future__ import annotations

import random

import pytest

from nlsh.plan.errors import BadPlan
from nlsh.planner.grammar import Grammar, State
from nlsh.planner.lexer import lex
from nlsh.planner.vocabulary import MAX_CALLS, REFUSAL, Slot, catalogue, control_tokens, decode

END = "<eos>"
SMALL = {
    "a.find": (Slot("kind", ("pdf",), True, False, False, False), Slot("under", (), True, True, False, False)),
    "a.move": (Slot("what", (), False, True, True, True), Slot("to", (), True, False, False, True), Slot("all", ("true",), False, False, False, False)),
    REFUSAL: (Slot("reason", ("chat",), False, False, False, True),),
}


def grammar(actions: dict, words: int, *, last: bool) -> tuple[Grammar, dict[str, int]]:
    control = {token: number for number, token in enumerate(control_tokens(actions))}
    return Grammar(actions, words, last=last, control=control, end=control[END]), control


def follow(written: str, words: int = 2, *, last: bool = False) -> bool:
    """Return whether tokens, without their angle brackets, are a whole plan."""
    rules, control = grammar(SMALL, words, last=last)
    state = rules.start
    for token in [f"<{t}>" for t in written.split()]:
        if token not in control or control[token] not in rules.allowed(state):
            return False
        state = rules.after(state, control[token])
    return bool(written) and control[END] in rules.allowed(state)


@pytest.mark.parametrize(
    "written",
    [
        "a.find",
        "a.find kind= =pdf",
        "a.find kind= w0 w1 under= w1 w1",
        "a.find under= w0 w0",
        "a.move what= r1 to= w0 w1",
        "a.move what= r1 what= r2 what= r1 to= w0 w1 all= =true",
        "a.find a.find kind= =pdf a.find a.move what= r3 to= w0 w0",
        f"{REFUSAL} reason= =chat",
    ],
)
def test_a_plan_can_be_written(written: str) -> None:
    assert follow(written)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "a.find kind=",
        "a.find kind= w0",
        "a.find kind= w0 w2",  # the request has two words
        "a.find kind= r1",
        "a.find kind= =true",
        "a.find kind= =pdf kind= =pdf",
        "a.find under= w0 w0 kind= =pdf",
        "a.find what= r1",
        "a.find under= r0",  # there is no last result
        "a.move to= w0 w0",
        "a.move what= r1",
        "a.move what= w0 w0 to= w0 w0",
        "a.move what= r1 to= w0 w0 all= =true all= =true",
        " ".join(["a.find"] * (MAX_CALLS + 1)),
        f"a.find {REFUSAL} reason= =chat",
        f"{REFUSAL} reason= =chat a.find",
        REFUSAL,
        "w0 w0",
        "pad",
    ],
)
def test_anything_else_cannot(written: str) -> None:
    assert not follow(written)


def test_it_is_narrowed_to_the_request() -> None:
    assert follow("a.find under= r0", last=True)
    assert not follow("a.find kind= w0 w0", words=0) and follow("a.find kind= =pdf", words=0)


def test_what_it_lets_through_are_plans_of_the_catalogue() -> None:
    actions = catalogue()
    request = "move the pdfs in Downloads to backup"
    words = lex(request)
    rules, control = grammar(actions, len(words), last=True)
    text = {number: token for token, number in control.items()}
    chance = random.Random(5)

    def sensible(token: str, written: list[str], state: State) -> bool:
        """Leave out what only reading a plan can tell: spans that run backwards, references to what comes later."""
        if token.startswith("<w") and token[2:-1].isdigit() and written[-1].startswith("<w") and rules.allowed(state) == rules.allowed((1, -1, -1, 2)):
            return int(token[2:-1]) >= int(written[-1][2:-1])
        return not (token.startswith("<r") and token[2:-1].isdigit()) or int(token[2:-1]) < state[0]

    for _ in range(300):
        state, written = rules.start, list[str]()
        while True:
            allowed = rules.allowed(state)
            if control[END] in allowed and (chance.random() < 0.3 or len(allowed) == 1):
                break
            open_to = [t for t in allowed if t != control[END] and sensible(text[t], written, state)]
            if not open_to:
                break  # a reference that nothing comes before
            token = chance.choice(open_to)
            written.append(text[token])
            state = rules.after(state, token)
        if control[END] not in rules.allowed(state):
            continue
        try:
            plan = decode(written, actions, request, words)
        except BadPlan as error:
            assert "stands twice" in str(error)  # a result among several values: left to what reads the plan, too
            continue
        for call in plan.calls:
            slots = {s.name: s for s in actions[call.action]}
            assert set(call.args) <= set(slots)
            assert {s.name for s in slots.values() if s.required} <= set(call.args)


@pytest.mark.parametrize(
    ("skeleton", "shapes"),
    [
        ("a.find", {"a.find"}),
        ("a.find kind= =pdf under=", {"a.find kind= =pdf under= w w"}),
        ("a.find kind=", {"a.find kind= w w"}),
        ("a.find a.move what= r1 to=", {"a.find a.move what= r1 to= w w"}),
        (f"{REFUSAL} reason= =chat", {f"{REFUSAL} reason= =chat"}),
        ("a.join paths= to=", {"a.join paths= w w to= w w", "a.join paths= w w paths= w w to= w w"}),
        ("a.move to=", set()),  # lacks what it must have
    ],
)
def test_what_is_written_along_a_skeleton_has_it(skeleton: str, shapes: set[str]) -> None:
    joins = {"a.join": (Slot("paths", (), True, False, True, True), Slot("to", (), True, False, False, False))}
    rules, control = grammar({**SMALL, **joins}, 3, last=False)
    names = {number: token for token, number in control.items()}
    tokens = [control[f"<{t}>"] for t in skeleton.split()]
    found = set()
    for seed in range(60):
        rng, state, at, written = random.Random(seed), rules.start, 0, []
        while ways := rules.along(tokens, at, state):
            token, at = rng.choice(ways)
            assert token in rules.allowed(state)
            if token == control[END]:
                found.add(" ".join("w" if n[1] == "w" and n[2].isdigit() else n.strip("<>") for n in (names[t] for t in written)))
                break
            written.append(token)
            state = rules.after(state, token)
            if len(written) > 12:
                break
    assert {s for s in found if s.count("paths=") <= 2} == shapes
