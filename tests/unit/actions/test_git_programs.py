"""Git: programs that a repository sets up after it was looked at, or that another repository has, and that are not run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import Refused, StaleStep
from nlsh.plan.steps import Step, step_from_data
from nlsh.testing import Scene
from nlsh.world import World, git, git_changes

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
WHO = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}
Planted = Callable[[str], tuple[str, Path]]


def do(folder: Path, *arguments: str) -> str:
    """Run git as a user would."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env={**os.environ, **WHO, "GIT_CONFIG_NOSYSTEM": "1"}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def commit(folder: Path, subject: str, **files: str) -> str:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    do(folder, "add", "-A")
    do(folder, "commit", "-q", "--allow-empty", "-m", subject)
    return do(folder, "rev-parse", "HEAD")


def begin(folder: Path) -> Path:
    folder.mkdir()
    do(folder, "init", "-q", "-b", "main")
    do(folder, "config", "user.name", "Ada")
    do(folder, "config", "user.email", "ada@example.org")
    commit(folder, "Start", a__txt="a\n", b__txt="b\n")
    return folder


@pytest.fixture
def repo(home: Path) -> Path:
    return begin(home / "code")


@pytest.fixture
def planted(tmp_path: Path) -> Planted:
    """Make a program that passes on what it is given, and leaves a mark; return it and the mark."""

    def plant(name: str) -> tuple[str, Path]:
        program, mark = tmp_path / f"evil-{name}", tmp_path / f"ran-{name}"
        program.write_text(f"#!/bin/sh\n: > '{mark}'\ncat\n")
        program.chmod(0o755)
        return str(program), mark

    return plant


def steps(action: str, **written: Any) -> tuple[Step, ...]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return tuple(unit.steps(args, unit.look(args, World())))


def run(*found: Step | None) -> None:
    for step in found:
        assert step is not None
        received = step_from_data(json.loads(json.dumps(step.as_data())))
        received.check()
        list(received.apply() or ())


def touch(file: Path) -> None:
    """Have git read a file again, though it is the same."""
    os.utime(file, ns=(1, os.stat(file).st_mtime_ns + 1_000_000_000))


def pulled(home: Path, program: str) -> tuple[Path, str]:
    """Return a clone that takes settings from a tracked file, and what pulls: that file and attributes, which set up a filter."""
    hub, mine = begin(home / "hub"), home / "mine"
    commit(hub, "Settings", project__gitconfig="")
    do(home, "clone", "-q", "hub", "mine")
    do(mine, "config", "include.path", "../project.gitconfig")
    # What was pulled is on disk before the filter is known, so that it goes through none.
    (hub / "project.gitconfig").write_text(f'[filter "ev"]\n\tclean = {program}\n')
    commit(hub, "Trap", __gitattributes="*.txt filter=ev\n", c="new\n")
    return mine, 'git.pull("mine")'


def switched(home: Path, program: str) -> tuple[Path, str]:
    """Return a repository in which settings with a filter count on one branch only, and what goes there."""
    mine = begin(home / "mine")
    do(mine, "switch", "-q", "-c", "evil")
    commit(mine, "Other", c="c\n")
    do(mine, "switch", "-q", "main")
    do(mine, "config", "includeIf.onbranch:evil.path", "evil.inc")
    (mine / ".git" / "evil.inc").write_text(f'[filter "ev"]\n\tclean = {program}\n')
    (mine / ".git" / "info").mkdir(exist_ok=True)
    (mine / ".git" / "info" / "attributes").write_text("*.txt filter=ev\n")
    return mine, 'git.switch("evil", path="mine")'


@pytest.mark.parametrize("scene_of", [pulled, switched])
def test_undo_runs_no_filter_that_came_with_what_it_takes_back(tmp_path: Path, planted: Planted, scene_of: Callable[[Path, str], tuple[Path, str]]) -> None:
    program, mark = planted("clean")
    with Scene(tmp_path / "scene", {}) as scene:
        mine, plan = scene_of(scene.home, program)
        first = do(mine, "rev-parse", "HEAD")
        played = scene.play(plan)
        assert played.error is None, played.error
        assert do(mine, "rev-parse", "HEAD") != first
        mark.unlink(missing_ok=True)
        touch(mine / "a.txt")
        # The twin: the trap works, for whoever looks at what has changed.
        do(mine, "status")
        assert mark.exists()
        mark.unlink()
        touch(mine / "a.txt")
        undone = scene.play("history.undo()")
        assert undone.error is None, undone.error
        assert do(mine, "rev-parse", "HEAD") == first and not mark.exists()


def test_a_filter_that_comes_between_two_looks_is_not_run(repo: Path, planted: Planted) -> None:
    found = git.find(str(repo))
    assert found.filters == ()
    program, mark = planted("late")
    do(repo, "config", "filter.late.clean", program)
    do(repo, "config", "filter.late.required", "true")
    (repo / ".git" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "info" / "attributes").write_text("a.txt filter=late\n")
    # As large as before: git has to read them.
    (repo / "a.txt").write_text("A\n")
    (repo / "b.txt").write_text("B\n")
    assert git_changes.changed(found) == {"a.txt": " M", "b.txt": " M"} and not mark.exists()
    with pytest.raises(Refused, match="filter “late”"):
        git_changes.refuse_filtered(found, ("a.txt",))
    git_changes.refuse_filtered(found, ("b.txt",))


def test_before_approval_git_reads_no_file(repo: Path, planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is set up, and were it at the last moment: what is looked at outside a worker needs no filter."""
    do(repo, "switch", "-q", "-c", "other")
    commit(repo, "Other", a__txt="other\n")
    do(repo, "switch", "-q", "main")
    (switch,) = steps("git.switch", branch="other", path=str(repo))
    (repo / "b.txt").write_text("B\n")
    (put,) = steps("git.stash", path=str(repo))
    (made,) = steps("git.commit", message="Mine", paths=str(repo))
    monkeypatch.setattr(git.Repository, "programs", lambda self: ())
    program, mark = planted("late")
    do(repo, "config", "filter.late.clean", program)
    (repo / ".git" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "info" / "attributes").write_text("* filter=late\n")
    touch(repo / "a.txt")
    for step in (switch, put, made):
        step.drift()
        assert not mark.exists()
    (repo / "new").write_text("came since\n")
    for step in (put, made):
        with pytest.raises(StaleStep):
            step.drift()
    assert not mark.exists()
    # The twin: a worker's look is a full one, and would run it.
    switch.check()
    assert mark.exists()


def test_what_changed_is_seen_before_approval_too(repo: Path) -> None:
    do(repo, "switch", "-q", "-c", "other")
    commit(repo, "Other", a__txt="other\n", new="n\n")
    do(repo, "switch", "-q", "main")
    (step,) = steps("git.switch", branch="other", path=str(repo))
    touch(repo / "a.txt")
    (repo / "b.txt").write_text("not in the way\n")
    step.drift()
    (repo / "a.txt").write_bytes(b"a\r\n")  # as git may have written it
    step.drift()
    for name, text in (("a.txt", "mine\n"), ("new", "mine\n")):
        (repo / name).write_text(text)
        with pytest.raises(Refused, match=f"{name} has changes"):
            step.drift()
        (repo / name).unlink()
        do(repo, "checkout", "-q", "a.txt")
    (repo / "a.txt").unlink()
    with pytest.raises(Refused):
        step.drift()


# --- hooks as settings -----------------------------------------------------------------------------------------------


def test_hooks_in_settings_are_switched_off_and_told_of(home: Path, repo: Path) -> None:
    assert git_changes.hooks(git.find(str(repo)), "pre-commit") == ()
    do(repo, "config", "hook.my lint.event", "pre-commit")
    do(repo, "config", "hook.my lint.command", "evil")
    found = git.find(str(repo))
    assert found.output("config", "--get", "hook.my lint.enabled").strip() == "false"
    assert git_changes.hooks(found, "pre-commit", "post-commit") == ("pre-commit",) and found.filters == ()
    do(home, "clone", "-q", "--bare", "code", "hub.git")
    do(repo, "remote", "add", "origin", "../hub.git")
    steps("git.push", path=str(repo))  # the twin
    do(home / "hub.git", "config", "hook.x.command", "evil")
    with pytest.raises(Refused, match="hook"):
        steps("git.push", path=str(repo))


# --- other repositories ----------------------------------------------------------------------------------------------


def test_a_setting_with_a_space_turns_no_address_unseen(home: Path, repo: Path) -> None:
    do(home, "clone", "-q", "--bare", "code", "hub.git")
    hub = str(home / "hub.git")
    do(repo, "remote", "add", "origin", hub)
    do(repo, "config", "url./elsewhere/of no use.insteadOf", "/nowhere/")
    (step,) = steps("git.pull", path=str(repo))  # the twin: it turns another one
    assert hub in step.describe()
    do(home, "clone", "-q", "--bare", "code", "hid den")
    do(repo, "config", f"url.{home}/hid den.insteadOf", hub)
    # As shown by git, it is the other one already; so it is when that is turned into a third one.
    do(repo, "config", "remote.origin.url", f"file://{hub}")
    with pytest.raises(Refused, match="another address"):
        steps("git.pull", path=str(repo))


def test_the_other_repository_runs_nothing(home: Path, repo: Path, planted: Planted) -> None:
    do(home, "clone", "-q", "code", "hub")
    hub = home / "hub"
    do(repo, "remote", "add", "origin", "../hub")
    program, mark = planted("hub")
    Path(program).write_text(f"#!/bin/sh\n: > '{mark}'\n")  # one that waits for nothing: what it would read from is git's
    do(home, "clone", "-q", "--bare", "code", "store.git")
    (hub / ".git" / "objects" / "info").mkdir(exist_ok=True)
    (hub / ".git" / "objects" / "info" / "alternates").write_text(f"{home}/store.git/objects\n")
    for key, value in (
        ("core.alternateRefsCommand", program), ("core.fsmonitor", program), ("filter.ev.clean", program), ("filter.ev.smudge", program),
        ("receive.denyCurrentBranch", "updateInstead"),
    ):  # fmt: skip
        do(hub, "config", key, value)
    (hub / ".git" / "info").mkdir(exist_ok=True)
    (hub / ".git" / "info" / "attributes").write_text("*.txt filter=ev\n")
    commit(repo, "Mine", a__txt="mine\n")
    do(repo, "switch", "-q", "-c", "new")
    mark.unlink(missing_ok=True)
    run(*steps("git.push", path=str(repo)))  # allowed: no branch that is checked out there
    do(repo, "switch", "-q", "main")
    (step,) = steps("git.push", path=str(repo))
    with pytest.raises(Exception, match="did not take it"):
        run(step)
    assert do(hub, "for-each-ref", "--format=%(refname:short)", "refs/heads").split() == ["main", "new"]
    assert (hub / "a.txt").read_text() == "a\n" and not mark.exists()
    # The twin: the traps work.
    subprocess.run(["git", "push", "-q", "origin", "main"], cwd=repo, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    assert mark.exists()
