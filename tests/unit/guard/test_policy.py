"""Policy: the shipped rules, layering, files that are not valid, and what `--allow` may do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlsh.guard import policy
from nlsh.guard.policy import Decision
from nlsh.plan.effects import Effect
from nlsh.plan.errors import SettingsError
from nlsh.plan.plan import Call, Plan, Preview, PreviewedCall
from nlsh.plan.steps import Step
from nlsh.steps.command import ReadCommand, RunCommand
from nlsh.steps.times import RestoreTimes


def preview(*effects: tuple[str, object], no_undo: str = "", steps: tuple[Step, ...] = ()) -> Preview:
    """A preview of one call with these effects."""
    found = tuple(Effect(k, str(t)) for k, t in effects) + tuple(e for s in steps for e in s.effects())
    return Preview(Plan((Call("file.test"),)), (PreviewedCall(Call("file.test"), steps, found, no_undo),))


def decide(*effects: tuple[str, object], allow: tuple[str, ...] = (), **more: object) -> Decision:
    """What the policy says to one call."""
    return policy.load().with_session(allow).decide(preview(*effects, **more))  # type: ignore[arg-type]


def user_policy(home: Path, text: str) -> Path:
    """Write the user's policy."""
    path = home / ".config" / "nlsh" / "policy.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("kind", ["proc.read", "net.read", "dev.read", "sys.read"])
def test_facts_are_allowed(home: Path, kind: str) -> None:
    assert decide((kind, "*")).answer == "allow"


def test_reading_is_allowed_but_secrets(home: Path) -> None:
    for place in (home, home / "docs", "/etc/hosts", "/"):
        assert decide(("fs.read", place)).answer == "allow"
    for place in (home / ".ssh", home / ".ssh/id", home / ".aws/credentials", home / ".mozilla/firefox/x"):
        assert (decide(("fs.read", place)).answer, decide(("fs.read", place)).rule) == ("deny", "secrets")


@pytest.mark.parametrize("kind", ["fs.write", "fs.delete", "fs.meta"])
def test_changes_ask_once(home: Path, kind: str) -> None:
    decision = decide((kind, home / "x"), ("fs.read", home))
    assert (decision.answer, decision.rule, decision.each_time) == ("ask", "changes", False)
    assert decision.asked == (Effect(kind, str(home / "x")),)


def test_what_cannot_be_undone_says_so(home: Path) -> None:
    assert decide(("fs.delete", home / "x"), no_undo="it is gone").reason == "it cannot be undone"
    # Trash and move take something away too, but can be undone.
    assert decide(("fs.delete", home / "x"), ("fs.write", home / ".local/share/Trash/files/x")).rule == "changes"


@pytest.mark.parametrize("target", ["/etc/hosts", "/usr/bin/ls", "/boot/x", "/var/lib/x", "/lib/x"])
def test_system_paths_ask_with_their_own_reason(home: Path, target: str) -> None:
    decision = decide(("fs.write", target))
    assert (decision.answer, decision.rule, decision.each_time) == ("ask", "system-files", True)
    assert "system" in decision.reason


def test_a_link_does_not_hide_a_system_path(home: Path) -> None:
    (home / "way").symlink_to("/etc")
    assert decide(("fs.write", home / "way" / "hosts")).rule == "system-files"


@pytest.mark.parametrize("kind", ["fs.write", "fs.delete", "fs.meta"])
def test_whole_roots_are_denied(home: Path, kind: str) -> None:
    for target in ("/", home, home.parent, f"{home}/x/.."):
        assert (decide((kind, target)).answer, decide((kind, target)).rule) == ("deny", "roots"), target


def test_undo_may_put_back_the_home_folder_s_time(home: Path) -> None:
    assert decide(steps=(RestoreTimes(((str(home), 1),)),)).answer == "ask"
    # But not under its cover anything else.
    assert decide(("fs.write", home), steps=(RestoreTimes(((str(home), 1),)),)).answer == "deny"


@pytest.mark.parametrize("kind", ["fs.read", "fs.write", "fs.delete", "fs.meta"])
def test_nlsh_s_own_is_denied(home: Path, kind: str) -> None:
    (home / ".config").mkdir(exist_ok=True)
    (home / "way").symlink_to(home / ".config")
    for place in (".config/nlsh/policy.toml", ".local/state/nlsh/journal.db", ".config/nlsh", "way/nlsh/policy.toml", "x/../.config/nlsh"):
        decision = decide((kind, home / place), allow=(kind, f"{kind}:{home}"))
        assert (decision.answer, decision.rule) == ("deny", "own-files"), place


def test_processes(home: Path) -> None:
    child = os.fork()
    if child == 0:
        os.execvp("sleep", ["sleep", "100"])
    try:
        assert decide(("proc.signal", child)).rule == "changes"
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    for own in (1, os.getpid()):
        assert (decide(("proc.signal", own)).answer, decide(("proc.signal", own)).rule) == ("deny", "own-process")


def test_another_user_s_process_asks_with_its_own_reason(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    child = os.fork()
    if child == 0:
        os.execvp("sleep", ["sleep", "100"])
    try:
        decision = decide(("proc.tune", child))
        assert (decision.answer, decision.rule, decision.each_time) == ("ask", "other-peoples-processes", True)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


@pytest.mark.parametrize(("kind", "target", "rule"), [("priv.root", "the clock", "root"), ("net.connect", "a:1", "network"), ("net.listen", "80", "network")])
def test_the_grave_ask_each_time(home: Path, kind: str, target: str, rule: str) -> None:
    decision = decide((kind, target), ("fs.write", home / "x"))
    assert (decision.answer, decision.rule, decision.each_time) == ("ask", rule, True)


def test_raw_commands(home: Path) -> None:
    assert decide(steps=(ReadCommand("ls", str(home)),)).answer == "allow"
    (home / "in").mkdir()
    decision = decide(steps=(RunCommand("make", str(home / "in")),), no_undo="not journalled")
    assert (decision.answer, decision.rule) == ("ask", "cannot-undo")


def test_nothing_needs_nothing(home: Path) -> None:
    assert policy.load().decide(Preview(Plan((Call("a.b"),)), ())).answer == "allow"


# --- session, user and project


def test_allow_turns_an_ask_into_an_allow(home: Path) -> None:
    (home / "in").mkdir()
    assert decide(("fs.write", home / "in/x"), allow=("fs.write:~/in",)).answer == "allow"
    assert decide(("fs.write", home / "in/x"), allow=("fs.write",)).answer == "allow"
    assert decide(("fs.write", home / "in/x"), allow=("fs.write:in",)).answer == "allow"  # as written from here
    assert decide(("fs.write", home / "inside"), allow=("fs.write:~/in",)).answer == "ask"
    assert decide(("fs.delete", home / "in/x"), allow=("fs.write:~/in",)).answer == "ask"
    assert decide(("proc.signal", "99999999"), allow=("proc.signal:99999999",)).answer == "allow"


def test_allow_never_turns_a_deny(home: Path) -> None:
    for target in ("~/.ssh/id", "/", "~"):
        assert decide(("fs.write", os.path.expanduser(target)), allow=(f"fs.write:{target}", "fs.write")).answer == "deny"


def test_allow_of_an_unknown_effect_names_the_nearest(home: Path) -> None:
    with pytest.raises(SettingsError, match=r"fs\.write"):
        policy.load().with_session(["fs.writ:~/x"])


def test_the_user_may_allow_and_deny(home: Path) -> None:
    allowed = '[[rule]]\nname="scratch"\nanswer="allow"\neffect=["fs.*"]\ntarget=["~/scratch"]\n'
    user_policy(home, allowed + '[[rule]]\nanswer="deny"\neffect=["fs.*"]\ntarget=["~/keep"]\nreason="mine"')
    assert decide(("fs.write", home / "scratch/x")).answer == "allow"
    assert (decide(("fs.delete", home / "keep/x")).answer, decide(("fs.delete", home / "keep/x")).reason) == ("deny", "mine")
    assert decide(("fs.delete", home / "keep/x"), allow=("fs.delete",)).answer == "deny"


def test_a_project_may_only_tighten(home: Path) -> None:
    (home / ".nlsh").mkdir()
    project = home / ".nlsh" / "policy.toml"
    project.write_text('[[rule]]\nanswer="ask"\neffect=["fs.read"]\ntarget=["{cwd}/private"]\nreason="private"')
    assert decide(("fs.read", home / "private/x")).answer == "ask"
    user_policy(home, '[[rule]]\nanswer="allow"\neffect=["fs.read"]')
    assert decide(("fs.read", home / "private/x")).answer == "ask"
    assert decide(("fs.read", home / "private/x"), allow=("fs.read",)).answer == "allow"
    project.write_text('[[rule]]\nanswer="allow"\neffect=["fs.write"]')
    with pytest.raises(SettingsError, match="tighten"):
        policy.load()


@pytest.mark.parametrize(("text", "said"), [
    ("[[rule]", "not valid TOML"),
    ('[[rule]]\nanser="ask"\neffect=["exec"]', "answer"),
    ('[[rule]]\nanswer="maybe"\neffect=["exec"]', "maybe"),
    ('[[rule]]\nanswer="ask"\neffect=["fs.writ"]', r"fs\.write"),
    ('[[rule]]\nanswer="ask"', "effect"),
    ('[[rule]]\nanswer="ask"\neffect="exec"', "list"),
    ('[[rule]]\nanswer="ask"\neffect=["exec"]\nwhen="never"', "when"),
    ('[rules]\n', "rule"),
    ('rule = 1', "rule"),
    ('[[rule]]\nanswer="deny"\neffect=["fs.write"]\ntarget=["~/a"]\nmatch=["fs.write:~/b"]', "does not match"),
    ('[[rule]]\nanswer="deny"\neffect=["fs.write"]\ntarget=["~/a"]\nnot_match=["fs.write:~/a/b"]', "does match"),
    ('[[rule]]\nanswer="deny"\neffect=["fs.write"]\nmatch=["~/b"]', "example"),
    ('[[rule]]\nanswer="deny"\neffect=["fs.write"]\ntarget=["**/**/**/**/x"]', "wildcards"),
    ('[[rule]]\nanswer="deny"\neffect=["fs.write"]\nbut=["/a*a*a*a*b"]', "wildcards"),
])  # fmt: skip
def test_a_broken_policy_is_an_error_of_one_line(home: Path, text: str, said: str) -> None:
    path = user_policy(home, text)
    with pytest.raises(SettingsError, match=said) as caught:
        policy.load()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


def test_every_shipped_rule_has_its_examples_and_reason(home: Path) -> None:
    for rule in policy.load().rules:
        assert rule.match, rule.name
        assert rule.not_match, rule.name
        assert rule.reason, rule.name


def test_large_plans_are_decided_on(home: Path) -> None:
    assert decide(*(("fs.delete", home / f"x{n}") for n in range(3000))).asked[0].kind == "fs.delete"


def test_a_pattern_may_have_a_few_wildcards(home: Path) -> None:
    user_policy(home, '[[rule]]\nanswer="deny"\neffect=["fs.write"]\ntarget=["**/secret*/*.key"]\nmatch=["fs.write:~/a/secret1/b.key"]')
    policy.load()


FORMAT = ("dev.format", "/dev/sdb1")


def test_formatting_is_denied_and_says_how_to_be_asked(home: Path) -> None:
    decision = decide(FORMAT, no_undo="all that was on it is lost")
    assert (decision.answer, decision.rule) == ("deny", "format")
    assert 'effect = ["dev.format"]' in decision.reason and str(home / ".config/nlsh/policy.toml") in decision.reason
    # An option on the command line is no knowing change of a policy.
    assert decide(FORMAT, allow=("dev.format",)).answer == "deny"
    assert decide(FORMAT, allow=("dev.format:/dev/sdb1",)).answer == "deny"
    # The control: other orders to the device are asked about.
    assert decide(("dev.control", "/dev/sdb1")).answer == "ask"


@pytest.mark.parametrize("answer", ["ask", "allow"])
def test_the_users_own_rule_makes_a_question_of_formatting(home: Path, answer: str) -> None:
    user_policy(home, f'[[rule]]\neffect = ["dev.format"]\nanswer = "{answer}"\n')
    decision = decide(FORMAT, no_undo="all that was on it is lost")
    assert (decision.answer, decision.rule, decision.each_time) == ("ask", "format", True)
    assert "policy.toml" not in decision.reason
    # Whatever else is allowed, it is asked each time.
    assert decide(FORMAT, allow=("dev.format",)).answer == "ask"


def test_formatting_is_lifted_for_the_named_device_only(home: Path) -> None:
    user_policy(home, '[[rule]]\neffect = ["dev.format"]\ntarget = ["/dev/sdb1"]\nanswer = "ask"\n')
    assert decide(FORMAT).answer == "ask"
    assert decide(("dev.format", "/dev/sda1")).answer == "deny"
    assert decide(FORMAT, ("dev.format", "/dev/sda1")).answer == "deny"


@pytest.mark.parametrize("effect", ["dev.*", "*", "dev.f*"])
def test_a_rule_for_many_effects_does_not_lift_it(home: Path, effect: str) -> None:
    user_policy(home, f'[[rule]]\neffect = ["{effect}"]\nanswer = "allow"\n')
    assert decide(FORMAT).answer == "deny"


def test_a_project_cannot_lift_it_and_may_forbid_it_again(home: Path) -> None:
    project = home / ".nlsh"
    project.mkdir()
    (project / "policy.toml").write_text('[[rule]]\neffect = ["dev.format"]\nanswer = "ask"\n')
    assert decide(FORMAT).answer == "deny"
    user_policy(home, '[[rule]]\neffect = ["dev.format"]\nanswer = "ask"\n')
    assert decide(FORMAT).answer == "ask"
    (project / "policy.toml").write_text('[[rule]]\neffect = ["dev.format"]\nanswer = "deny"\n')
    assert decide(FORMAT).answer == "deny"


def test_no_other_deny_is_lifted(home: Path) -> None:
    user_policy(home, '[[rule]]\neffect = ["fs.read"]\nanswer = "allow"\n')
    assert decide(("fs.read", home / ".ssh/id")).answer == "deny"
    user_policy(home, '[[rule]]\neffect = ["fs.read"]\nanswer = "deny"\nlift = true\n')
    with pytest.raises(SettingsError, match="lift is for the shipped rules"):
        policy.load()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_folder_is_judged_at_once_as_each_of_its_files_is_by_itself(home_folder: Path, data: st.DataObject) -> None:
    """Whatever the rules say, it does not matter whether a file is judged by itself or with its neighbours."""
    home = home_folder
    names = st.sampled_from(["a", "b", ".nlsh", "policy.toml", ".ssh", "key.pem", "link", "in", "..", "x y"])
    path = st.lists(names, min_size=1, max_size=3).map(lambda parts: f"{home}/{'/'.join(parts)}") | st.sampled_from(["/etc/hosts", "/tmp/x", "/", str(home)])
    kinds = st.sampled_from(["fs.read", "fs.write", "fs.delete", "fs.meta", "fs.log", "sys.control"])
    pattern = st.sampled_from(["~/a", "=~/a", "~/in", "~/in/b", "**/key.pem", "~/*", "=~/in/?", "/etc", "~/link/b", "**/.nlsh/*"])
    answers = st.sampled_from(["allow", "ask", "deny"])
    rules = [
        policy.Rule(f"r{n}", data.draw(answers), ("fs.*",), "a reason", tuple(data.draw(st.lists(pattern, max_size=2))), scope="user")
        for n in range(data.draw(st.integers(0, 3)))
    ]
    found = policy.Policy((*policy.load().rules, *rules), str(home))
    effects = tuple(Effect(*pair) for pair in data.draw(st.lists(st.tuples(kinds, path), min_size=1, max_size=12)))
    together = found.decide(Preview(Plan((Call("file.move"),)), (PreviewedCall(Call("file.move"), (), effects),)))
    alone = [found.decide(Preview(Plan((Call("file.move"),)), (PreviewedCall(Call("file.move"), (), (e,)),))) for e in effects]
    gravest = max((a.answer for a in alone), key=("allow", "ask", "deny").index)
    assert together.answer == gravest
    if gravest != "allow":
        assert set(together.asked) == {e for e, a in zip(effects, alone, strict=True) if a.answer == gravest}
        assert together.rule in {a.rule for a in alone if a.answer == gravest}
        assert together.each_time == any(a.each_time for a in alone if a.answer == gravest)
    # And by itself, one that could be judged with its neighbours is judged as if it had none.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy._Folders, "key", lambda *_: None)
        assert [found.decide(Preview(Plan((Call("file.move"),)), (PreviewedCall(Call("file.move"), (), (e,)),))) for e in effects] == alone


@pytest.fixture
def home_folder(home: Path) -> Path:
    for folder in ("in", ".ssh", "a"):
        (home / folder).mkdir()
    (home / "link").symlink_to("in")
    (home / "in" / "b").symlink_to("/etc/hosts")
    return home


def test_a_yes_to_a_command_holds_only_for_the_programs_that_it_ran_then(home: Path) -> None:
    step = RunCommand("make", str(home / "p"))
    both = 'effect = ["exec", "fs.write", "fs.delete", "fs.meta", "proc.read"]\n'

    def said(rule: str, *carried: str) -> str:
        user_policy(home, f"[[rule]]\n{rule}{both}")
        call = PreviewedCall(Call("shell.run"), (step,), step.effects(), "it cannot", carried=carried)
        return policy.load().decide(Preview(Plan((call.call,)), (call,))).answer

    for rule in ('answer = "allow"\ncommand = "make"\n', f'answer = "allow"\ntarget = ["make", "{home}/p"]\n'):
        assert (said(rule), said(rule, "PATH")) == ("allow", "ask"), rule
    # What names no command was not meant for one's programs, and what forbids one still does.
    assert said('answer = "allow"\n', "PATH") == "allow"
    assert said('answer = "deny"\ncommand = "make"\n', "PATH") == "deny"
