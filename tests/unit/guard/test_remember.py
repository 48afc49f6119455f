"""What an approval is remembered as: never more than what was shown, and only where the policy lets it be remembered."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlsh.guard import files, policy, remember
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible, SettingsError
from nlsh.plan.plan import Call, Plan, Preview, PreviewedCall
from nlsh.steps.command import RunCommand
from tests.unit.guard.test_policy import user_policy

NAMES = ("a", "b", "a*", "a?", "**", "=a", "{home}", "~", "a/b", "a b", "\n", "-", "ä")
KINDS = ("fs.write", "fs.delete", "fs.meta", "fs.log", "tool.run", "sys.control")
COMMANDS = ("make", "make *", "rm *", "*", "=make", "make test", "make\ttest")


def preview(*calls: tuple[list[tuple[str, str]], bool]) -> Preview:
    """A preview of calls, each with its effects and whether it cannot be undone."""
    made = []
    for effects, lost in calls:
        made.append(PreviewedCall(Call("file.test"), (), tuple(Effect(k, t) for k, t in effects), "it is gone" if lost else ""))
    return Preview(Plan(tuple(c.call for c in made)), tuple(made))


def command(line: str, folder: str) -> tuple[list[tuple[str, str]], bool]:
    return [(e.kind, e.target) for e in RunCommand(line, folder).effects()], True


def decided(shown: Preview, *rules: policy.Rule) -> policy.Decision:
    return policy.load().with_rules(rules).decide(shown)


def remembered(shown: Preview, scope: str = "always") -> tuple[policy.Rule, ...]:
    now = policy.load()
    return remember.rules_of(shown, now.decide(shown), now, scope)


@st.composite
def calls(draw: st.DrawFn) -> tuple[list[tuple[str, str]], bool]:
    if draw(st.booleans()):
        return command(draw(st.sampled_from(COMMANDS)), f"/h/{draw(st.sampled_from(('p', 'q')))}")
    found = draw(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(NAMES)), min_size=1, max_size=4))
    return [(k, f"/h/{t}" if k.startswith("fs.") else t) for k, t in found], draw(st.booleans())


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(approved=st.lists(calls(), min_size=1, max_size=2), other=st.lists(calls(), min_size=1, max_size=2), scope=st.sampled_from(remember.SCOPES))
def test_what_is_allowed_then_was_approved(home: Path, approved: list, other: list, scope: str) -> None:
    shown, later = preview(*approved), preview(*other)
    before = policy.load()
    try:
        rules = remember.rules_of(shown, before.decide(shown), before, scope)
    except NotPossible:
        return
    after = before.with_rules(rules)
    assert after.decide(shown).answer == "allow"
    if before.decide(later).answer == "allow" or after.decide(later).answer != "allow":
        return
    # Whatever is allowed now and was not before has only effects that were shown, no command of another text, and loses nothing that was kept.
    asked = set(before.decide(shown).asked)
    assert set(before.decide(later).asked) <= asked
    for effects, lost in other:
        changes = {Effect(k, t) for k, t in effects if Effect(k, t) in set(before.decide(later).asked)}
        line = {e.target for e in changes if e.kind == "exec"}
        for effect in changes:
            same = [(e, gone) for e, gone in approved if (effect.kind, effect.target) in e]
            alike = [(e, gone) for e, gone in same if effect.kind == "exec" or line <= {t for k, t in e if k == "exec"}]
            assert alike
            assert not lost or any(gone for _, gone in alike)


def test_the_rule_is_written_shown_and_obeyed(home: Path) -> None:
    shown = preview(([("fs.delete", f"{home}/a*"), ("fs.write", f"{home}/.local/share/Trash/a")], False))
    rules = remembered(shown)
    assert remember.write(rules) == str(files.user_file())
    text = files.user_file().read_text()
    assert text.strip() == remember.as_toml(rules).strip()
    assert files.user_file().stat().st_mode & 0o077 == 0
    decision = policy.load().decide(shown)
    assert (decision.answer, decision.layer, decision.file) == ("allow", "user", str(files.user_file()))
    for other in ("ab", "a", "a*/x"):
        assert policy.load().decide(preview(([("fs.delete", f"{home}/{other}")], False))).answer == "ask"
    # What could be taken back was approved, not its loss.
    assert policy.load().decide(preview(([("fs.delete", f"{home}/a*")], True))).answer == "ask"


def test_what_a_command_may_do_is_allowed_to_it_alone(home: Path) -> None:
    (home / "p").mkdir()
    (home / "q").mkdir()
    rules = remembered(preview(command("make", f"{home}/p")))
    assert decided(preview(command("make", f"{home}/p")), *rules).answer == "allow"
    for other in (command("make all", f"{home}/p"), command("make", f"{home}/q"), ([("fs.delete", f"{home}/p")], True), ([("fs.write", f"{home}/p/x")], False)):
        assert decided(preview(other), *rules).answer == "ask", other


def test_for_a_project_it_holds_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "p").mkdir()
    shown = preview(([("fs.write", f"{home}/x")], False))
    monkeypatch.chdir(home / "p")
    remember.write(remembered(shown, "project"))
    assert policy.load().decide(shown).answer == "allow"
    monkeypatch.chdir(home)
    assert policy.load().decide(shown).answer == "ask"


@pytest.mark.parametrize(("effect", "said"), [
    (("net.connect", "example.org:443"), "each time"), (("priv.root", "x"), "each time"), (("fs.write", "/etc/hosts"), "each time"),
    (("proc.signal", "999999"), "next time"), (("bus.call", "system"), "next time"), (("dev.control", "/dev/x"), "next time"),
    (("fs.read", "/etc/hosts"), "allow"), (("fs.read", "/etc/shadow"), "deny"), (("dev.format", "/dev/x"), "deny"),
])  # fmt: skip
def test_what_is_not_remembered(home: Path, effect: tuple[str, str], said: str) -> None:
    with pytest.raises(NotPossible, match=said) as caught:
        remembered(preview(([effect], False)))
    assert "Nothing was written" in str(caught.value)
    # The control: an ordinary change is.
    assert remembered(preview(([("fs.write", f"{home}/x")], False)))


def test_a_projects_or_administrators_question_stays(home: Path) -> None:
    (home / ".nlsh").mkdir()
    (home / ".nlsh" / "policy.toml").write_text('[[rule]]\nanswer = "ask"\neffect = ["fs.write"]\n')
    shown = preview(([("fs.write", f"{home}/x")], False))
    now = policy.load()
    with pytest.raises(NotPossible, match="still ask"):
        # As it would be written: the user's file does not answer a project.
        remember.rules_of(shown, now.decide(shown), now, "always")
    assert remember.rules_of(shown, now.decide(shown), now, "session")


def test_what_stands_in_the_file_stays(home: Path) -> None:
    path = user_policy(home, '# mine\n[guard]\nhide = ["~/diary"]\n\n[[rule]]\nanswer = "ask"\neffect = ["fs.read"]\ntarget = ["~/q"]')
    remember.write(remembered(preview(([("fs.write", f"{home}/x")], False))))
    assert path.read_text().startswith("# mine\n[guard]\n")
    assert [r.answer for r in policy.load().rules if r.scope == "user"] == ["ask", "allow"]


@pytest.mark.parametrize("text", ["rule = []\n", "nonsense", "[[rule]]\nanswer = 1\n"])
def test_a_file_that_cannot_take_it_is_left_alone(home: Path, text: str) -> None:
    rules = remembered(preview(([("fs.write", f"{home}/x")], False)))
    path = user_policy(home, text)
    with pytest.raises(SettingsError):
        remember.write(rules)
    assert path.read_text() == text and os.listdir(path.parent) == ["policy.toml"]


def test_a_name_that_is_not_utf8_is_not_written(home: Path) -> None:
    rules = remembered(preview(([("fs.write", f"{home}/\udcff")], False)))
    with pytest.raises(NotPossible, match="UTF-8"):
        remember.write(rules)
    assert not files.user_file().exists()


def test_a_name_with_control_characters_comes_back_as_it_is(home: Path) -> None:
    shown = preview(([("fs.write", f'{home}/a"\n[[rule]]\nanswer = "allow"\neffect = ["*"]\n\x1b[2J\u202e')], False))
    remember.write(remembered(shown))
    assert policy.load().decide(shown).answer == "allow"
    assert len([r for r in policy.load().rules if r.scope == "user"]) == 1
    assert policy.load().decide(preview(([("fs.write", f"{home}/b")], False))).answer == "ask"


def test_too_many_are_not_remembered(home: Path) -> None:
    with pytest.raises(NotPossible, match="too many"):
        remembered(preview(([("fs.write", f"{home}/{n}") for n in range(remember.MOST_TARGETS + 1)], False)))


def test_a_changed_rule_would_be_noticed(home: Path) -> None:
    """The property above means something: rules a little wider break it."""
    shown = preview(([("fs.write", f"{home}/a")], False))
    (rule,) = remembered(shown)
    assert decided(preview(([("fs.write", f"{home}/b")], False)), rule).answer == "ask"
    assert decided(preview(([("fs.write", f"{home}/b")], False)), replace(rule, target=())).answer == "allow"
