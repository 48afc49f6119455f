"""What every action of the catalogue owes its readers, its users and the planner."""

from __future__ import annotations

import re

import pytest

from nlsh.plan import registry
from nlsh.plan.action import Action
from nlsh.plan.effects import KINDS
from nlsh.plan.values import ValueType

ACTIONS = registry.all_actions()
# Only what a person types about the journal or as a raw command has examples of another kind.
RAW = {"shell.run"}


@pytest.fixture(params=ACTIONS, ids=lambda a: a.name)
def action(request: pytest.FixtureRequest) -> Action:
    return request.param


def test_name_is_its_place(action: Action) -> None:
    assert type(action).__module__ == f"nlsh.actions.{action.name}"
    assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", action.name)


def test_summary_is_one_sentence(action: Action) -> None:
    summary = action.summary()
    assert summary[0].isupper() and summary.endswith(".") and ". " not in summary, summary


def test_arguments_are_typed_and_documented(action: Action) -> None:
    for name, argument in action.Args.fields.items():
        assert isinstance(argument.type, ValueType), name
        assert argument.help.strip() and "\n" not in argument.help, name


def test_effects_are_known(action: Action) -> None:
    # What is done with a result that stands on the screen touches nothing.
    assert (action.effects or action.name.startswith("result.")) and set(action.effects) <= set(KINDS)


def test_what_reads_only_has_only_reading_effects(action: Action) -> None:
    looks = "observe" in vars(type(action)) or any("observe" in vars(c) for c in type(action).__mro__ if c is not Action)
    if action.reads_only():
        assert looks, "an action that only reads defines observe"
        assert not any(KINDS[k][1] for k in action.effects)
    else:
        assert any(KINDS[k][1] for k in action.effects)


def test_never_undone_says_why(action: Action) -> None:
    if action.undo is not None:
        assert not action.reads_only()
        assert action.undo.reason and not action.undo.reason.endswith(".")


def test_has_an_example_that_runs_and_one_that_is_refused(action: Action) -> None:
    assert action.examples
    if action.name.startswith("history."):
        return  # there is nothing to take back in a scene: its tests are the kernel's
    assert any(not e.refused for e in action.examples), "no example runs"
    if not action.reads_only() and action.name not in RAW:
        assert any(e.refused for e in action.examples), "no example is refused"


def test_examples_say_it_in_several_ways(action: Action) -> None:
    said = [s for e in action.examples for s in e.say]
    assert len(said) >= 3 and len(set(said)) == len(said), said
    if action.name not in RAW:
        assert any(re.search(r"[一-鿿]", s) for s in said), "none of them is Chinese"


def test_plans_of_examples_parse_and_round_trip(action: Action) -> None:
    for example in action.examples:
        plan = registry.parse(example.plan)
        assert registry.parse(registry.format(plan)) == plan
        assert any(c.action == action.name for c in plan.calls)


def test_examples_use_only_names_that_the_scene_gives(action: Action) -> None:
    for example in action.examples:
        for _, name in re.findall(r"\{(pid|port):([^}]+)\}", example.plan):
            assert name in example.processes
