"""What `[guard]` of a policy file may say, what it cannot, and who may change what is protected."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlsh.guard import demands, policy, protected, secrets
from nlsh.guard.grant import Grant
from nlsh.plan.effects import Effect
from nlsh.plan.errors import Denied, SettingsError


def write(folder: Path, text: str) -> None:
    (folder / "policy.toml").parent.mkdir(parents=True, exist_ok=True)
    (folder / "policy.toml").write_text(text)


def own(home: Path) -> Path:
    return home / ".config" / "nlsh"


@pytest.mark.parametrize(
    "text",
    [
        'guard = "x"', "[guard]\nhide = 3", '[guard]\nhide = ["relative"]', '[guard]\nhide = [3]', '[guard]\nprotect = ["/"]', '[guard]\nhide = ["~/."]',
        '[guard]\nrequire = "L4"', "[guard]\nrequire = 3", "[guard]\nrequire = []", "[guard]\nunhide = []",
    ],
)  # fmt: skip
def test_a_wrong_demand_is_an_error_that_names_the_file(home: Path, text: str) -> None:
    write(own(home), text)
    for read in (policy.load, demands.found, secrets.hidden, lambda: Grant.of([Effect("fs.read", str(home / "x"))])):
        with pytest.raises(SettingsError, match=r"policy\.toml"):
            read()


def test_both_files_add_and_the_stricter_level_holds(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = set(secrets.hidden())
    write(own(home), '[guard]\nhide = ["~/diary"]\nprotect = ["~/a"]\nrequire = "L2"\n')
    write(home / "project" / ".nlsh", '[guard]\nhide = ["/srv/keys"]\nprotect = ["~/b"]\nrequire = "L1"\n')
    monkeypatch.chdir(home / "project")
    found = demands.found()
    assert (found.hide, found.protect, found.require) == ((f"{home}/diary", "/srv/keys"), (f"{home}/a", f"{home}/b"), "L2")
    assert set(secrets.hidden()) == shipped | set(found.hide)
    # An empty list takes nothing away, and elsewhere the project says nothing.
    write(home / "project" / ".nlsh", "[guard]\nhide = []\nprotect = []\n")
    assert set(secrets.hidden()) == shipped | {f"{home}/diary"}
    monkeypatch.chdir(home)
    assert demands.found().require == "L2"


def test_what_is_hidden_is_refused_by_grant_and_policy(home: Path) -> None:
    (home / "diary").mkdir()
    grant = Grant.of([Effect("fs.read", str(home / "diary" / "x"))])
    assert grant.level_required == "L0"
    write(own(home), '[guard]\nhide = ["~/diary"]\nrequire = "L3"\n')
    for kind in ("fs.read", "fs.write", "fs.delete"):
        with pytest.raises(Denied):
            Grant.of([Effect(kind, str(home / "diary" / "x"))])
    assert Grant.of([Effect("fs.read", str(home / "x"))]).level_required == "L3"


def reach(home: Path, *named: str, programs: bool, commands: bool) -> set[str]:
    paths = [str(home / n) for n in named]
    found = protected.in_reach(paths, paths, [str(home)], programs=programs, commands=commands)
    return {str(Path(p).relative_to(home)) for p in found}


def test_what_exists_in_reach_is_protected_unless_it_is_named(home: Path) -> None:
    (home / ".bashrc").write_text("")
    (home / ".config" / "autostart").mkdir(parents=True)
    (home / "dotfiles").mkdir()
    (home / "dotfiles" / "profile").write_text("")
    (home / ".profile").symlink_to("dotfiles/profile")
    assert reach(home, ".", programs=True, commands=True) == {".bashrc", ".config/autostart", "dotfiles/profile"}
    assert reach(home, "dotfiles", programs=True, commands=True) == {"dotfiles/profile"}
    assert reach(home, ".config/autostart/x", programs=True, commands=True) == set()
    assert reach(home, ".", programs=False, commands=False) == set()
    assert reach(home, ".", ".bashrc", programs=True, commands=True) == {".config/autostart", "dotfiles/profile"}
    grant = Grant.of([Effect("fs.write", str(home / "notes"))])
    assert set(grant.protect) == {str(home / n) for n in (".bashrc", ".config/autostart", "dotfiles/profile")}
    assert Grant.from_data(grant.as_data()) == grant and Grant.of([Effect("fs.write", str(home / ".bashrc"))]).digest() != grant.digest()


def test_a_repository_is_found_in_and_around_its_folder(home: Path) -> None:
    for name in ("hooks", "objects"):
        (home / "repo" / ".git" / name).mkdir(parents=True)
    for name in ("HEAD", "config"):
        (home / "repo" / ".git" / name).write_text("")
    (home / "worktree").mkdir()
    (home / "worktree" / ".git").write_text("gitdir: ../repo/.git")
    assert reach(home, "repo", programs=True, commands=True) == {"repo/.git/config", "repo/.git/hooks"}
    assert reach(home, "repo/.git", programs=True, commands=True) == {"repo/.git/config", "repo/.git/hooks"}
    assert reach(home, "repo/.git", programs=True, commands=False) == set()
    assert reach(home, "repo", programs=True, commands=False) == {"repo/.git/config", "repo/.git/hooks"}
    assert reach(home, "worktree", programs=True, commands=True) == {"worktree/.git"}
