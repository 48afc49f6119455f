"""Git: commit, switch, stash, restore, clone, pull and push in real repositories; what they refuse, take back, and never run."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.records import Record
from nlsh.plan.steps import Step, step_from_data
from nlsh.testing import Scene
from nlsh.world import World

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
WHO = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}


def do(folder: Path, *arguments: str) -> str:
    """Run git as a user would."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env={**os.environ, **WHO, "GIT_CONFIG_NOSYSTEM": "1"}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def commit(folder: Path, subject: str, **files: str) -> str:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    do(folder, "add", "-A")
    do(folder, "commit", "-q", "--allow-empty", "-m", subject)
    return do(folder, "rev-parse", "HEAD")


@pytest.fixture
def repo(home: Path) -> Path:
    folder = home / "code"
    folder.mkdir()
    do(folder, "init", "-q", "-b", "main")
    do(folder, "config", "user.name", "Ada")
    do(folder, "config", "user.email", "ada@example.org")
    commit(folder, "Start", a__txt="a\n", b__txt="b\n")
    return folder


def steps(action: str, **written: Any) -> tuple[Step, ...]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return tuple(unit.steps(args, unit.look(args, World())))


def run(*found: Step | None) -> list[Record]:
    records: list[Record] = []
    for step in found:
        assert step is not None
        received = step_from_data(json.loads(json.dumps(step.as_data())))
        assert received == step
        received.check()
        records += received.apply() or ()
    return records


def status(repo: Path) -> str:
    return do(repo, "status", "--porcelain", "--untracked-files=all")


def test_commit_takes_just_what_was_shown_and_goes_back(repo: Path) -> None:
    (repo / "a.txt").write_text("A\n")
    (repo / "b.txt").unlink()
    (repo / "-x*").write_text("new\n")
    (repo / ".gitignore").write_text("*.log\n")
    (repo / "x.log").write_text("ignored\n")
    first = do(repo, "rev-parse", "HEAD")
    (step,) = steps("git.commit", message="A “message”\n\nwith more", paths=str(repo))
    assert step.state() == "undone" and "-x*" in step.describe()
    run(step)
    assert do(repo, "log", "-1", "--format=%an %ae %P %B") == f"Ada ada@example.org {first} A “message”\n\nwith more\n".rstrip("\n")
    assert status(repo) == "" and do(repo, "show", "--name-only", "--format=").split() == ["-x*", ".gitignore", "a.txt", "b.txt"]
    assert step.state() == "done"
    with pytest.raises(StaleStep):
        run(step)
    run(step.inverse())
    assert do(repo, "rev-parse", "HEAD") == first and step.state() == "undone"
    assert (repo / "a.txt").read_text() == "A\n" and "M  a.txt" in status(repo)
    # And forward again: the same changes are still there.
    run(step)
    assert status(repo) == ""


def test_commit_of_some_files_leaves_what_is_staged(repo: Path) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (repo / name).write_text("new\n")
    do(repo, "add", "b.txt")
    run(*steps("git.commit", message="Only two", paths=(str(repo / "a.txt"), str(repo / "c.txt"))))
    assert do(repo, "show", "--name-only", "--format=").split() == ["a.txt", "c.txt"]
    assert status(repo) == "M  b.txt"


def test_commit_without_paths_takes_the_whole_repository_wherever_one_stands(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo / "sub").mkdir()
    (repo / "sub" / "new").write_text("n\n")
    (repo / "a.txt").write_text("A\n")
    monkeypatch.chdir(repo / "sub")
    unit = registry.get("git.commit")
    args = unit.Args.bind("git.commit", {"message": "Only here", "paths": "."})
    seen = unit.look(args, World())
    assert seen.steps[0].names == ("sub/new",) and unit.notes(args, seen) == ("Changed, and not in this commit: a.txt.",)
    run(*steps("git.commit", message="All of it"))
    assert status(repo) == "" and do(repo, "show", "--name-only", "--format=").split() == ["a.txt", "sub/new"]
    (repo / "b.txt").write_text("B\n")
    with pytest.raises(Refused, match=r"Nothing has changed in sub since the last commit\. b\.txt has\."):
        steps("git.commit", message="x", paths=".")


def test_the_first_commit_can_be_taken_back(home: Path, repo: Path) -> None:
    new = home / "new"
    new.mkdir()
    do(new, "init", "-q", "-b", "main")
    do(home, "config", "--global", "user.name", "Global")
    do(home, "config", "--global", "user.email", "g@example.org")
    (new / "x").write_text("x\n")
    (step,) = steps("git.commit", message="First", paths="new")
    run(step)
    assert do(new, "log", "--format=%an %s") == "Global First"
    run(step.inverse())
    assert subprocess.run(["git", "rev-parse", "-q", "--verify", "HEAD"], cwd=new, capture_output=True, check=False).returncode
    assert status(new) == "A  x"


def test_what_is_not_committed(home: Path, repo: Path) -> None:
    with pytest.raises(Refused, match="Nothing has changed"):
        steps("git.commit", message="x", paths=str(repo))
    (repo / "a.txt").write_text("A\n")
    (step,) = steps("git.commit", message="x", paths=str(repo))
    (repo / "a.txt").write_text("changed since\n")
    with pytest.raises(StaleStep):
        run(step)
    (step,) = steps("git.commit", message="x", paths=str(repo))
    (repo / "more.txt").write_text("came since\n")
    with pytest.raises(StaleStep):
        run(step)
    assert do(repo, "log", "--format=%s") == "Start" and do(repo, "diff", "--cached", "--name-only") == ""
    nested = repo / "inner"
    nested.mkdir()
    do(nested, "init", "-q")
    commit(nested, "Inner", x="x")
    with pytest.raises(Refused, match="repository of its own"):
        steps("git.commit", message="x", paths=str(repo))
    do(repo, "config", "--unset", "user.email")
    shutil.rmtree(nested)
    with pytest.raises(NotPossible, match="does not know your name"):
        steps("git.commit", message="x", paths=str(repo))


def test_what_was_pushed_is_not_taken_back(home: Path, repo: Path) -> None:
    do(home, "clone", "-q", "--bare", "code", "hub.git")
    do(repo, "remote", "add", "origin", "../hub.git")
    (repo / "a.txt").write_text("A\n")
    (made,) = steps("git.commit", message="Mine", paths=str(repo))
    run(made)
    (push,) = steps("git.push", path=str(repo))
    assert "“Mine”" in push.describe()
    assert push.inverse() is None and push.no_undo()
    run(push)
    assert do(home / "hub.git", "log", "-1", "--format=%s", "main") == "Mine"
    with pytest.raises(Refused, match="others may have it"):
        run(made.inverse())
    with pytest.raises(Refused, match="already"):
        steps("git.push", path=str(repo))


def test_switch_there_and_back(repo: Path) -> None:
    do(repo, "switch", "-q", "-c", "other")
    commit(repo, "Other", a__txt="other\n", new="n\n")
    do(repo, "switch", "-q", "main")
    (repo / "b.txt").write_text("not committed\n")
    (step,) = steps("git.switch", branch="other", path=str(repo))
    run(step)
    assert do(repo, "branch", "--show-current") == "other" and (repo / "a.txt").read_text() == "other\n"
    assert (repo / "b.txt").read_text() == "not committed\n"
    run(step.inverse())
    assert do(repo, "branch", "--show-current") == "main" and not (repo / "new").exists() and step.state() == "undone"
    # The same file on both sides: nothing is overwritten.
    (repo / "a.txt").write_text("mine\n")
    with pytest.raises(Refused, match="not committed"):
        steps("git.switch", branch="other", path=str(repo))
    with pytest.raises(Refused, match="not committed"):
        run(step)
    assert (repo / "a.txt").read_text() == "mine\n"


def test_a_new_branch_goes_with_undo_unless_it_was_used(repo: Path) -> None:
    (step,) = steps("git.switch", branch="idea", create="true", path=str(repo))
    run(step)
    run(step.inverse())
    assert do(repo, "branch", "--format=%(refname:short)") == "main"
    run(step)
    commit(repo, "On it", a__txt="idea\n")
    with pytest.raises(StaleStep, match="new commits"):
        run(step.inverse())
    for name in ("main", "-f", "a..b", "two words"):
        with pytest.raises(Refused):
            steps("git.switch", branch=name, create="true", path=str(repo))
    with pytest.raises(NotFound) as said:
        steps("git.switch", branch="idee", path=str(repo))
    assert said.value.hint.endswith("Did you mean idea?")


def test_stash_and_unstash_take_each_other_back(repo: Path) -> None:
    (repo / "a.txt").write_text("A\n")
    (repo / "dir").mkdir()
    (repo / "dir" / "new").write_text("n\n")
    (put,) = steps("git.stash", path=str(repo), message="half “done”")
    run(put)
    assert status(repo) == "" and put.state() == "done" and "half “done”" in do(repo, "stash", "list")
    run(put.inverse())
    assert (repo / "a.txt").read_text() == "A\n" and (repo / "dir" / "new").exists() and do(repo, "stash", "list") == ""
    run(*steps("git.stash", path=str(repo), message="half “done”"))
    (back,) = steps("git.unstash", path=str(repo))
    assert "half “done”" in back.describe() and "dir/new" in back.describe()
    run(back)
    assert (repo / "dir" / "new").read_text() == "n\n"
    run(back.inverse())
    assert status(repo) == ""
    (repo / "a.txt").write_text("other work\n")
    with pytest.raises(Refused, match="not committed"):
        steps("git.unstash", path=str(repo))
    assert (repo / "a.txt").read_text() == "other work\n" and do(repo, "stash", "list")


def test_a_stash_is_never_mixed_with_what_came_after(repo: Path) -> None:
    (repo / "a.txt").write_text("A\n")
    (repo / "x.log").write_text("put away\n")
    run(*steps("git.stash", path=str(repo)))
    commit(repo, "Meanwhile", b__txt="later\n", __gitignore="*.log\n")
    run(*steps("git.unstash", path=str(repo)))  # the twin: other files went on
    assert (repo / "a.txt").read_text() == "A\n" and (repo / "x.log").read_text() == "put away\n"
    (repo / "x.log").unlink()
    run(*steps("git.stash", path=str(repo)))
    commit(repo, "The same file", a__txt="other\n")
    with pytest.raises(Refused, match="merged"):
        steps("git.unstash", path=str(repo))
    assert (repo / "a.txt").read_text() == "other\n" and do(repo, "stash", "list")


def test_restore_keeps_what_it_replaces(repo: Path) -> None:
    commit(repo, "Second", a__txt="second\n")
    do(repo, "rm", "-q", "b.txt")
    commit(repo, "Third")
    (repo / "a.txt").write_bytes(b"binary \0 mess")
    os.chmod(repo / "a.txt", 0o600)
    before = os.stat(repo / "a.txt")
    (step,) = steps("git.restore", path=str(repo / "a.txt"), commit="HEAD~2")
    run(step)
    assert (repo / "a.txt").read_text() == "a\n" and os.stat(repo / "a.txt").st_mode == before.st_mode
    (repo / "a.txt").write_text("edited since\n")
    with pytest.raises(StaleStep):
        run(step.inverse())
    (repo / "a.txt").write_text("a\n")
    run(step.inverse())
    assert (repo / "a.txt").read_bytes() == b"binary \0 mess" and os.stat(repo / "a.txt").st_mtime_ns == before.st_mtime_ns
    (gone,) = steps("git.restore", path=str(repo / "b.txt"), commit="HEAD~1")
    run(gone)
    assert (repo / "b.txt").read_text() == "b\n"
    run(gone.inverse())
    assert not (repo / "b.txt").exists()
    os.symlink("/etc/passwd", repo / "link")
    with pytest.raises(NlshError):
        steps("git.restore", path=str(repo / "link"))


def test_search_and_show(repo: Path) -> None:
    commit(repo, "Add [regex] tea", a__txt="a\ncoffee\n")
    commit(repo, "Tidy", a__txt="a\n")

    def found(**written: Any) -> list[str]:
        unit = registry.get("git.search")
        args = unit.Args.bind("git.search", {"path": str(repo), **written})
        return [r.subject for r in unit.observe(args, unit.look(args, World()), World()) if hasattr(r, "subject")]

    assert found(text="[REGEX]") == ["Add [regex] tea"] and found(text=".*") == []
    assert found(text="coffee", where="change") == ["Tidy", "Add [regex] tea"]
    assert found(author="ada@") == ["Tidy", "Add [regex] tea", "Start"] and found(author="bob") == []
    unit = registry.get("git.show")
    for odd in ("--output=x", "-p", "nothing"):
        args = unit.Args.bind("git.show", {"path": str(repo), "commit": odd})
        with pytest.raises(NotFound):
            unit.look(args, World())


# --- what a repository could run -------------------------------------------------------------------------------------

HOOKS = (
    "pre-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "post-checkout",
    "reference-transaction",
    "post-index-change",
    "pre-push",
    "post-merge",
)


@pytest.fixture
def mark(home: Path) -> Path:
    return home / "ran"


@pytest.fixture
def program(home: Path, mark: Path) -> str:
    file = home / "evil"
    file.write_text(f"#!/bin/sh\n: > '{mark}'\ncat >/dev/null\n")
    file.chmod(0o755)
    return str(file)


def test_no_hook_is_run_and_that_is_said(home: Path, repo: Path, mark: Path, program: str) -> None:
    do(home, "clone", "-q", "--bare", "code", "hub.git")
    do(repo, "remote", "add", "origin", "../hub.git")
    for folder in (repo / ".git" / "hooks", home / "hub.git" / "hooks"):
        folder.mkdir(exist_ok=True)
        for hook in (*HOOKS, "pre-receive", "update", "post-receive", "post-update"):
            shutil.copy(program, folder / hook)
    do(repo, "config", "commit.gpgSign", "true")
    do(repo, "config", "gpg.program", program)
    mark.unlink(missing_ok=True)
    (repo / "a.txt").write_text("A\n")
    (made,) = steps("git.commit", message="Mine", paths=str(repo))
    assert "without running its pre-commit and" in made.describe() and "not signed" in made.describe()
    run(made)
    (there,) = steps("git.switch", branch="idea", create="true", path=str(repo))
    assert "without running its post-checkout" in there.describe()
    run(there, there.inverse())
    (repo / "a.txt").write_text("B\n")
    (put,) = steps("git.stash", path=str(repo))
    run(put, put.inverse())
    run(*steps("git.restore", path=str(repo / "a.txt")))
    run(*steps("git.push", path=str(repo)))
    run(*steps("git.pull", path=str(repo)))
    (home / "work").mkdir()
    run(*steps("git.clone", url="hub.git", to="work"))
    assert not mark.exists()
    # The twin: the traps work.
    subprocess.run(
        ["git", "-c", "commit.gpgSign=false", "commit", "--allow-empty", "-m", "x"], cwd=repo, env={**os.environ, **WHO}, capture_output=True, check=False
    )
    assert mark.exists()


def test_filters_are_refused_not_skipped(repo: Path, mark: Path, program: str) -> None:
    commit(repo, "Second", a__txt="second\n")
    do(repo, "config", "filter.evil.clean", program)
    do(repo, "config", "filter.evil.smudge", program)
    (repo / ".git" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "info" / "attributes").write_text("*.txt filter=evil\n")
    (repo / "a.txt").write_text("A\n")
    (repo / "plain").write_text("x\n")
    for action, written in (
        ("git.commit", {"message": "x", "paths": str(repo)}), ("git.stash", {"path": str(repo)}), ("git.restore", {"path": str(repo / "a.txt")}),
    ):  # fmt: skip
        with pytest.raises(Refused, match="filter"):
            steps(action, **written)
    # The twin: what goes through no filter is committed.
    run(*steps("git.commit", message="plain", paths=str(repo / "plain")))
    assert not mark.exists() and do(repo, "show", "--name-only", "--format=") == "plain"


# --- other repositories ----------------------------------------------------------------------------------------------


def test_pull_goes_forward_only(home: Path, repo: Path) -> None:
    do(home, "clone", "-q", "code", "mine")
    mine = home / "mine"
    do(mine, "config", "user.name", "Ada")
    do(mine, "config", "user.email", "ada@example.org")
    first = do(mine, "rev-parse", "HEAD")
    second = commit(repo, "Theirs", a__txt="theirs\n")
    (mine / "b.txt").write_text("not committed\n")
    (step,) = steps("git.pull", path=str(mine))
    (note,) = run(step)
    assert do(mine, "rev-parse", "HEAD") == second and (mine / "b.txt").read_text() == "not committed\n"
    assert "1 commits" in note.text  # type: ignore[attr-defined]
    run(step.inverse())
    assert do(mine, "rev-parse", "HEAD") == first and (mine / "b.txt").read_text() == "not committed\n"
    do(mine, "checkout", "-q", "b.txt")
    commit(mine, "Ours", b__txt="ours\n")
    (step,) = steps("git.pull", path=str(mine))
    with pytest.raises(Refused, match="both gone on"):
        run(step)
    assert do(mine, "log", "-1", "--format=%s") == "Ours"
    do(mine, "reset", "-q", "--hard", first)
    (mine / "a.txt").write_text("in the way\n")
    (step,) = steps("git.pull", path=str(mine))
    with pytest.raises(Refused, match="not committed"):
        run(step)
    assert (mine / "a.txt").read_text() == "in the way\n"


def test_push_is_never_by_force(home: Path, repo: Path) -> None:
    do(home, "clone", "-q", "--bare", "code", "hub.git")
    do(repo, "remote", "add", "origin", "../hub.git")
    do(home, "clone", "-q", "hub.git", "other")
    other = home / "other"
    commit(other, "Theirs", a__txt="theirs\n")
    do(other, "push", "-q")
    commit(repo, "Ours", a__txt="ours\n")
    (step,) = steps("git.push", path=str(repo))
    with pytest.raises(NotPossible, match="did not take it"):
        run(step)
    assert do(home / "hub.git", "log", "-1", "--format=%s", "main") == "Theirs"


@pytest.mark.parametrize(
    "url", ["git@example.org:a/b.git", "ssh://example.org/a.git", "ext::sh -c evil", "git://example.org/a", "fd::17", "https://u:p@example.org/a"]
)
def test_ways_that_are_not_gone(home: Path, repo: Path, url: str) -> None:
    (home / "work").mkdir()
    do(repo, "remote", "add", "origin", url)
    for action, written in (("git.clone", {"url": url, "to": "work"}), ("git.pull", {"path": str(repo)}), ("git.push", {"path": str(repo)})):
        with pytest.raises((NotPossible, Refused, NotFound)):
            steps(action, **written)


def test_an_address_that_settings_turn_into_another_is_refused(home: Path, repo: Path) -> None:
    do(repo, "remote", "add", "origin", "gh:a/b")
    do(repo, "config", "url.https://example.org/.insteadOf", "gh:")
    (step,) = steps("git.push", path=str(repo))  # the twin: it is shown where it goes
    assert "(https://example.org/a/b)" in step.describe()
    for key in ("insteadOf", "pushInsteadOf"):
        do(repo, "config", f"url.https://evil.example/.{key}", "https://example.org/")
        for action in ("git.push", "git.pull"):
            with pytest.raises(Refused, match="another address"):
                steps(action, path=str(repo))
        do(repo, "config", "--remove-section", "url.https://evil.example/")
    do(repo, "config", "remote.https://example.org/a/b.url", "https://evil.example/")
    with pytest.raises(Refused, match="another address"):
        steps("git.push", path=str(repo))


@pytest.fixture
def web(home: Path) -> Iterator[Callable[[str], str]]:
    """A web server on the loopback address that gives out the home folder."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(home))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield lambda path: f"http://127.0.0.1:{server.server_address[1]}/{path}"
        server.shutdown()


def test_a_clone_over_the_web_from_a_confined_worker(tmp_path: Path, home: Path, repo: Path, web: Callable[[str], str]) -> None:
    do(home, "clone", "-q", "--bare", "code", "hub.git")
    do(home / "hub.git", "update-server-info")
    with Scene(tmp_path / "scene", {"work": None}) as scene:
        played = scene.play(f'git.clone("{web("hub.git")}", to="work")')
        assert played.error is None, played.error
        clone = scene.home / "work" / "hub"
        assert (clone / "a.txt").read_text() == "a\n" and os.listdir(scene.home / "work") == ["hub"]
        (clone / "mine").write_text("x")
        assert scene.play("history.undo()").error is not None and clone.exists()
        (clone / "mine").unlink()
        assert scene.play("history.undo()").error is None and not clone.exists()
        # Nothing is left of one that fails.
        assert scene.play(f'git.clone("{web("gone.git")}", to="work")').error is not None
        assert os.listdir(scene.home / "work") == []


def test_a_clone_with_work_in_it_stays(home: Path, repo: Path) -> None:
    (home / "work").mkdir()
    (step,) = steps("git.clone", url="code", to="work")
    run(step)
    clone = home / "work" / "code"
    commit(clone, "Own work", a__txt="mine\n")
    with pytest.raises(StaleStep):
        run(step.inverse())
    with pytest.raises(NlshError):
        steps("git.clone", url="code", to="work")
    assert (clone / "a.txt").read_text() == "mine\n"
