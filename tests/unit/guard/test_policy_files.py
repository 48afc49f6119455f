"""Policy files: which layers there are, whose word counts over whose, and files that somebody else could have written."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from nlsh.guard import files, policy
from nlsh.plan.errors import SettingsError
from tests.unit.guard.test_policy import decide, user_policy

ASK = '[[rule]]\nname = "admin"\nanswer = "{}"\neffect = ["fs.write"]\ntarget = ["~/x"]\nreason = "the administrator says so"\n'


@pytest.fixture
def system(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The administrator's file, in a folder of this test's own."""
    path = tmp_path / "etc" / "policy.toml"
    path.parent.mkdir(mode=0o755)
    monkeypatch.setattr(files, "SYSTEM", path)
    return path


@pytest.mark.parametrize(("answer", "users", "wanted"), [
    ("deny", "allow", "deny"), ("ask", "allow", "ask"), ("allow", "", "allow"), ("allow", "ask", "ask"), ("allow", "deny", "deny"), ("", "allow", "allow"),
])  # fmt: skip
def test_the_strictest_of_administrator_and_user_wins(home: Path, system: Path, answer: str, users: str, wanted: str) -> None:
    if answer:
        system.write_text(ASK.format(answer))
    if users:
        user_policy(home, ASK.format(users).replace("admin", "mine"))
    assert decide(("fs.write", home / "x")).answer == wanted
    assert decide(("fs.write", home / "y")).answer == "ask"


def test_a_session_answers_the_users_own_question_and_not_the_administrators(home: Path, system: Path) -> None:
    user_policy(home, ASK.format("ask").replace("admin", "mine"))
    assert decide(("fs.write", home / "x"), allow=("fs.write",)).answer == "allow"
    system.write_text(ASK.format("ask"))
    decision = decide(("fs.write", home / "x"), allow=("fs.write",))
    assert (decision.answer, decision.rule, decision.layer, decision.file) == ("ask", "admin", "system", str(system))


def test_a_decision_says_whose_rule_it_was(home: Path) -> None:
    path = user_policy(home, ASK.format("deny"))
    assert (decide(("fs.write", home / "x")).layer, decide(("fs.write", home / "x")).file) == ("user", str(path))
    assert decide(("fs.write", home / "y")).layer == "shipped"
    assert decide(("fs.write", home / "y"), allow=("fs.write",)).layer == "session"


@pytest.mark.parametrize("what", ["file", "folder", "above", "group", "owner", "link"])
@pytest.mark.parametrize("layer", ["system", "user"])
def test_a_file_that_others_can_write_is_refused(home: Path, system: Path, layer: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = system if layer == "system" else user_policy(home, "")
    path.write_text(ASK.format("deny"))
    path.chmod(0o644)
    assert decide(("fs.write", home / "x")).answer == "deny"
    if what == "file":
        path.chmod(0o646)
    elif what == "group":
        if os.geteuid():
            pytest.skip("only root gives a file to another group")
        os.chown(path, -1, 4711)
        path.chmod(0o664)
    elif what == "owner":
        if os.geteuid():
            pytest.skip("only root gives a file away")
        os.chown(path, 4711, -1)
    elif what == "link":
        (home / "open").mkdir()
        path.rename(home / "open" / "real.toml")
        path.symlink_to(home / "open" / "real.toml")
        assert decide(("fs.write", home / "x")).answer == "deny"
        (home / "open").chmod(0o777)
    else:
        (path.parent if what == "folder" else path.parent.parent).chmod(0o777)
    with pytest.raises(SettingsError, match="not obeyed") as caught:
        policy.load()
    assert str(path) in str(caught.value) and "chmod" in str(caught.value)


def test_a_folder_like_tmp_above_it_is_fine(home: Path, system: Path) -> None:
    system.write_text(ASK.format("deny"))
    system.parent.parent.chmod(0o1777)
    assert decide(("fs.write", home / "x")).answer == "deny"


def test_an_access_list_is_seen(home: Path) -> None:
    path = user_policy(home, ASK.format("deny"))
    try:
        done = subprocess.run(["setfacl", "-m", "u:4711:rw", str(path)], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no setfacl")
    if done.returncode:
        pytest.skip("this file system has no access lists")
    with pytest.raises(SettingsError, match="not obeyed"):
        policy.load()


def test_the_projects_file_may_be_anybodys(home: Path) -> None:
    (home / ".nlsh").mkdir()
    (home / ".nlsh" / "policy.toml").write_text(ASK.format("deny"))
    (home / ".nlsh" / "policy.toml").chmod(0o666)
    assert decide(("fs.write", home / "x")).answer == "deny"


@pytest.mark.parametrize(("written", "said"), [
    ("exat = true", "exact"), ('withn = "/x"', "within"), ('comand = "x"', "command"), ("exact = 1", "true or false"), ('within = "x"', "begins with"),
    ("exact = true", "no targets|there are none"),
])  # fmt: skip
def test_keys_are_checked(home: Path, written: str, said: str) -> None:
    user_policy(home, f'[[rule]]\nanswer = "ask"\neffect = ["fs.write"]\n{written}\n')
    with pytest.raises(SettingsError, match=said):
        policy.load()


def test_an_exact_target_is_no_pattern_and_no_tree(home: Path) -> None:
    user_policy(home, f'[[rule]]\nanswer = "allow"\neffect = ["fs.write"]\nexact = true\ntarget = ["{home}/a*", "{home}/dir"]\n')
    (home / "dir").mkdir()
    assert decide(("fs.write", home / "a*")).answer == "allow"
    assert decide(("fs.write", home / "dir")).answer == "allow"
    for other in ("ab", "a", "dir/x", "a*/x"):
        assert decide(("fs.write", home / other)).answer == "ask", other
    assert decide(("fs.write", home / "a*"), ("fs.write", home / "ab")).answer == "ask"


def test_a_rule_holds_within_its_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user_policy(home, '[[rule]]\nanswer = "allow"\neffect = ["fs.write"]\nwithin = "~/p"\n')
    for name, wanted in (("p", "allow"), ("p/in", "allow"), ("pq", "ask")):
        (home / name).mkdir()
        monkeypatch.chdir(home / name)
        assert decide(("fs.write", home / "x")).answer == wanted, name


def test_a_link_in_an_allowed_folder_does_not_lead_out_of_it(home: Path) -> None:
    user_policy(home, '[[rule]]\nanswer = "allow"\neffect = ["fs.*"]\ntarget = ["~/scratch"]\n')
    (home / "scratch").mkdir()
    (home / "docs").mkdir()
    (home / "scratch" / "way").symlink_to(home / "docs")
    assert decide(("fs.write", home / "scratch" / "x")).answer == "allow"
    assert decide(("fs.write", home / "scratch" / "way" / "x")).answer == "ask"
