"""Git: what real repositories have to say, what in a repository could run programs and does not, and taking a commit back and forth."""

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
from nlsh.plan.errors import NlshError, NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.records import Note, Record
from nlsh.plan.steps import Step, step_from_data
from nlsh.testing import Scene, snapshot
from nlsh.world import World, git

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
WHO = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}
READS = ("git.status", "git.log", "git.branches", "git.diff")


def do(folder: Path, *arguments: str) -> str:
    """Run git as a user would."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env={**os.environ, **WHO, "GIT_CONFIG_NOSYSTEM": "1"}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


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
    commit(folder, "Start", a__txt="a\n", b__txt="b\n")
    return folder


def steps(action: str, **written: Any) -> tuple[Step, ...]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return tuple(unit.steps(args, unit.look(args, World())))


def records(action: str, **written: Any) -> list[Record]:
    """Ask as in a worker: what was found travels as JSON."""
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    seen = json.loads(json.dumps(unit.look(args, World())))
    assert unit.needs(args, seen)
    return list(unit.observe(args, seen, World()))


def run(*found: Step) -> None:
    for step in found:
        received = step_from_data(json.loads(json.dumps(step.as_data())))
        assert received == step
        received.check()
        received.apply()


def changes(repo: Path, **written: Any) -> dict[str, tuple[str, str]]:
    found = records("git.status", path=written.get("path", str(repo)))
    return {os.path.relpath(r.path, repo): (r.staged, r.unstaged) for r in found if not isinstance(r, Note)}  # type: ignore[attr-defined]


def notes(action: str, path: Path) -> str:
    return " ".join(r.text for r in records(action, path=str(path)) if isinstance(r, Note))


def test_status(repo: Path) -> None:
    assert changes(repo) == {} and notes("git.status", repo) == "On branch main."
    (repo / "a.txt").write_text("A\n")
    (repo / "new").mkdir()
    (repo / "new" / "x").write_text("x")
    (repo / "c.txt").write_text("c")
    do(repo, "add", "c.txt")
    (repo / "c.txt").write_text("c, changed")
    do(repo, "rm", "-q", "b.txt")
    (repo / ".gitignore").write_text("*.log\n")
    (repo / "x.log").write_text("ignored")
    assert changes(repo) == {
        "a.txt": ("", "modified"), "b.txt": ("deleted", ""), "c.txt": ("added", "modified"), "new": ("", "untracked"), ".gitignore": ("", "untracked"),
    }  # fmt: skip
    assert changes(repo, path=str(repo / "new")) == {"new": ("", "untracked")}
    commit(repo, "Long", a__txt="a\n" * 50)
    do(repo, "mv", "a.txt", "z.txt")
    found = next(r for r in records("git.status", path=str(repo)) if not isinstance(r, Note) and r.staged == "renamed")  # type: ignore[attr-defined]
    assert (os.path.basename(found.path), os.path.basename(found.was)) == ("z.txt", "a.txt")  # type: ignore[attr-defined]


def test_a_conflict(repo: Path) -> None:
    do(repo, "switch", "-q", "-c", "other")
    commit(repo, "Theirs", a__txt="theirs\n")
    do(repo, "switch", "-q", "main")
    commit(repo, "Ours", a__txt="ours\n")
    subprocess.run(["git", "merge", "other"], cwd=repo, env={**os.environ, **WHO}, capture_output=True, check=False)
    assert changes(repo) == {"a.txt": ("conflict", "conflict")}
    with pytest.raises(Refused, match="merge is under way"):
        steps("git.undo_commit", path=str(repo))


@pytest.mark.parametrize("name", ["a b", "-x", "new\nline", "'q\"", "tab\there", "文件", os.fsdecode(b"\xff\xfe"), "*?[x]", ":(top)a"])
def test_odd_names(repo: Path, name: str) -> None:
    (repo / name).write_text("x\n")
    assert changes(repo) == {name: ("", "untracked")}
    commit(repo, "Odd")
    (repo / name).write_text("y\n")
    (repo / "a.txt").write_text("A\n")
    assert changes(repo, path=str(repo / name)) == {name: ("", "modified")}
    lines = [r.text for r in records("git.diff", path=str(repo / name))]  # type: ignore[attr-defined]
    assert "+y" in lines and "+A" not in lines
    (first,) = records("git.log", path=str(repo / name))
    assert first.subject == "Odd"  # type: ignore[attr-defined]
    do(repo, "checkout", "-q", ".")
    (step,) = steps("git.undo_commit", path=str(repo))
    assert step.files == (name,)  # type: ignore[attr-defined]


def test_log_and_branches(repo: Path, home: Path) -> None:
    for n in range(5):
        commit(repo, f"Commit {n}: “odd” \x1b[31m", a__txt=f"{n}\n")
    found = records("git.log", path=str(repo), limit="2")
    assert [r.subject for r in found] == ["Commit 4: “odd” \x1b[31m", "Commit 3: “odd” \x1b[31m"] and found[0].author == "Ada"  # type: ignore[attr-defined]
    do(home, "clone", "-q", str(repo), "clone")
    clone = home / "clone"
    commit(clone, "Mine", c__txt="c")
    do(clone, "branch", "side")
    do(clone, "branch", "-q", "--track", "gone", "origin/main")
    do(clone, "config", "branch.gone.merge", "refs/heads/nowhere")
    commit(repo, "Theirs")
    do(clone, "fetch", "-q")
    rows = {r.name: (r.current, r.upstream, r.ahead, r.behind) for r in records("git.branches", path=str(clone))}  # type: ignore[attr-defined]
    assert rows["main"] == (True, "origin/main", 1, 1) and rows["side"] == (False, "", None, None)
    assert notes("git.status", clone) == "On branch main, 1 ahead of and 1 behind origin/main."


def test_a_repository_without_commits(home: Path) -> None:
    (home / "new").mkdir()
    do(home / "new", "init", "-q", "-b", "main")
    assert notes("git.log", home / "new") == "There are no commits yet." and "no commits yet" in notes("git.status", home / "new")
    assert records("git.branches", path="new") == [] and records("git.diff", path="new") == []
    (home / "new" / "x").write_text("x\n")
    do(home / "new", "add", "x")
    assert "+x" in [r.text for r in records("git.diff", path="new")]  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="no commit"):
        steps("git.undo_commit", path="new")


def test_diff_is_of_staged_and_unstaged(repo: Path) -> None:
    assert records("git.diff", path=str(repo)) == []
    (repo / "a.txt").write_text("A\n")
    do(repo, "add", "a.txt")
    (repo / "b.txt").write_text("B\n")
    assert {"-a", "+A", "-b", "+B"} <= {r.text for r in records("git.diff", path=str(repo))}  # type: ignore[attr-defined]


@pytest.fixture
def inside(repo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a repository, in which one stands, with a change beside it."""
    (repo / "sub").mkdir()
    commit(repo, "Sub", **{"sub/x": "x\n"})
    (repo / "a.txt").write_text("A\n")
    monkeypatch.chdir(repo / "sub")
    return repo


def test_without_a_path_it_is_the_whole_repository(inside: Path) -> None:
    assert [r.path for r in records("git.status") if not isinstance(r, Note)] == [str(inside / "a.txt")]  # type: ignore[attr-defined]
    assert "+A" in [r.text for r in records("git.diff")]  # type: ignore[attr-defined]
    assert [r.subject for r in records("git.log")] == ["Sub", "Start"]  # type: ignore[attr-defined]
    assert [r.subject for r in records("git.search", text="start")] == ["Start"]  # type: ignore[attr-defined]
    assert "+a" in [r.text for r in records("git.show", commit="HEAD~1")]  # type: ignore[attr-defined]


def test_a_path_that_is_said_narrows_even_where_one_stands(inside: Path) -> None:
    assert [r for r in records("git.status", path=".") if not isinstance(r, Note)] == [] and records("git.diff", path=".") == []
    assert [r.subject for r in records("git.log", path=".")] == ["Sub"]  # type: ignore[attr-defined]
    (none,) = records("git.search", text="start", path=".")
    assert isinstance(none, Note) and none.text == "There is no such commit."
    assert records("git.show", commit="HEAD~1", path=".") == []


def test_diff_names_new_files(repo: Path) -> None:
    (repo / "new").write_text("n\n")
    assert notes("git.diff", repo) == "A new file is not in this, as git does not know it yet: new."
    (repo / "sub").mkdir()
    (repo / "sub" / "x").write_text("x\n")
    assert notes("git.diff", repo).endswith("them yet: new, sub.") and notes("git.diff", repo / "sub").endswith("it yet: sub.")
    do(repo, "add", "-A")
    assert not [r for r in records("git.diff", path=str(repo)) if isinstance(r, Note)]


def test_log_says_that_there_is_more_where_nobody_said_how_many(repo: Path) -> None:
    for n in range(19):
        commit(repo, f"Commit {n}")
    assert len(records("git.log", path=str(repo))) == 20
    commit(repo, "One more")
    *commits, last = records("git.log", path=str(repo))
    assert len(commits) == 20 and isinstance(last, Note) and "there are more" in last.text
    assert len(records("git.log", path=str(repo), limit="20")) == 20 and len(records("git.log", path=str(repo), limit="30")) == 21


def test_search_finds_all_unless_a_number_is_said(repo: Path) -> None:
    for n in range(55):
        commit(repo, f"Tidy {n}")
    assert len(records("git.search", text="tidy", path=str(repo))) == 55
    assert [r.subject for r in records("git.search", text="tidy", path=str(repo), limit="2")] == ["Tidy 54", "Tidy 53"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["f(a[0]) == {x|y}?", "a.b*c+^$", "back\\slash", "-dash", "ümlaut ]}"])
def test_search_in_changes_finds_lines_that_stayed_in_number(repo: Path, text: str) -> None:
    commit(repo, "Brought", c__txt=f"1 {text}\n")
    commit(repo, "Moved and changed", c__txt=f"other\n2 {text} more\n")
    commit(repo, "Beside it", c__txt=f"other still\n2 {text} more\n")
    commit(repo, "Took", c__txt="other still\n")
    found = [r.subject for r in records("git.search", text=text, where="change", path=str(repo))]  # type: ignore[attr-defined]
    assert found == ["Took", "Moved and changed", "Brought"]


def test_search_in_changes_for_several_lines(repo: Path) -> None:
    commit(repo, "Brought", c__txt="one\ntwo\n")
    commit(repo, "Apart", c__txt="one\nand\ntwo\n")
    assert [r.subject for r in records("git.search", text="one\ntwo", where="change", path=str(repo))] == ["Apart", "Brought"]  # type: ignore[attr-defined]


def test_search_in_changes_for_bytes_that_are_no_text(repo: Path) -> None:
    (repo / "latin").write_bytes(b"caf\xe9\n")
    commit(repo, "Brought")
    assert [r.subject for r in records("git.search", text="caf\udce9", where="change", path=str(repo))] == ["Brought"]  # type: ignore[attr-defined]


def test_a_subject_with_a_carriage_return_is_one_commit(repo: Path) -> None:
    tree = do(repo, "rev-parse", "HEAD^{tree}")
    who = "Ada <ada@example.org> 1700000000 +0000"
    whole = f"tree {tree}\nauthor {who}\ncommitter {who}\n\nodd\rsubject\r\n\r\nbody\r\n"
    made = subprocess.run(["git", "hash-object", "-w", "-t", "commit", "--stdin"], cwd=repo, input=whole.encode(), capture_output=True, check=True)
    do(repo, "update-ref", "refs/heads/main", made.stdout.decode().strip())
    commit(repo, "After")
    first, second = records("git.log", path=str(repo))
    assert first.subject == "After" and second.subject.startswith("odd subject")  # type: ignore[attr-defined]


def test_branches_that_only_a_remote_has(repo: Path, home: Path) -> None:
    do(repo, "branch", "other")
    do(repo, "branch", "mine")
    do(home, "clone", "-q", str(repo), "clone")
    do(home / "clone", "branch", "-q", "--track", "called-otherwise", "origin/mine")
    *found, note = records("git.branches", path="clone")
    assert [(r.name, r.current) for r in found] == [("called-otherwise", False), ("main", True), ("origin/other", False)]  # type: ignore[attr-defined]
    assert isinstance(note, Note) and "only on a remote" in note.text and "origin/other." in note.text
    # It is called so for switching to it, and the second time it is there.
    for _ in range(2):
        do(home / "clone", "config", "user.name", "Ada")
        (step,) = steps("git.switch", branch="origin/other", path="clone")
        run(step)
        assert do(home / "clone", "branch", "--show-current") == "other"
        do(home / "clone", "switch", "-q", "main")
    assert not [r for r in records("git.branches", path="clone") if isinstance(r, Note)]
    with pytest.raises(Refused, match="on main already"):
        steps("git.switch", branch="origin/main", path="clone")


# --- what a repository could run -------------------------------------------------------------------------------------


def planted(home: Path, name: str) -> tuple[str, Path]:
    """Return a command that leaves a mark, and the mark."""
    mark = home / f"ran-{name}"
    program = home / f"evil-{name}"
    program.write_text(f"#!/bin/sh\n: > '{mark}'\ncat\n")
    program.chmod(0o755)
    return str(program), mark


def evil(name: str) -> Callable[[Path, str], None]:
    def config(*pairs: str, attributes: str = "", hooks: tuple[str, ...] = ()) -> Callable[[Path, str], None]:
        def plant(repo: Path, program: str) -> None:
            for key in pairs:
                do(repo, "config", key, program)
            if attributes:
                (repo / ".git" / "info").mkdir(exist_ok=True)
                (repo / ".git" / "info" / "attributes").write_text(f"* {attributes}\n")
            for hook in hooks:
                target = repo / ".git" / "hooks" / hook
                target.parent.mkdir(exist_ok=True)
                shutil.copy(program, target)

        return plant

    return {
        "fsmonitor": config("core.fsmonitor"),
        "external diff": config("diff.external"),
        "diff driver": config("diff.evil.command", attributes="diff=evil"),
        "textconv": config("diff.evil.textconv", attributes="diff=evil"),
        "clean": config("filter.evil.clean", attributes="filter=evil"),
        "odd filter": config("filter.a=b.c.clean", attributes="filter=a=b.c"),
        "process": config("filter.evil.process", attributes="filter=evil"),
        "pager": config("core.pager", "pager.log", "pager.diff", "pager.status", "pager.branch"),
        "hooks": config(hooks=("reference-transaction", "post-index-change", "post-checkout", "post-rewrite", "fsmonitor-watchman")),
        "signature": config("gpg.program", "gpg.ssh.program"),
        "editor": config("core.editor", "sequence.editor"),
        "ssh": config("core.sshCommand", "core.askPass", "credential.helper"),
    }[name]


EVIL = ["fsmonitor", "external diff", "diff driver", "textconv", "clean", "odd filter", "process", "pager", "hooks", "signature", "editor", "ssh"]
# What the user's own git runs with these settings: the twins that show that the traps work.
SPRUNG = {
    "fsmonitor": ("status",), "external diff": ("diff",), "diff driver": ("diff",), "textconv": ("diff",), "clean": ("add", "-A"), "odd filter": ("add", "-A"),
    "hooks": ("update-ref", "refs/heads/x", "HEAD"), "process": ("add", "-A"),
}  # fmt: skip


@pytest.mark.parametrize("name", EVIL)
def test_nothing_that_a_repository_sets_up_is_run(repo: Path, home: Path, name: str) -> None:
    commit(repo, "Second", a__txt="second\n")
    program, mark = planted(home, name.replace(" ", "-"))
    evil(name)(repo, program)
    do(repo, "config", "log.showSignature", "true")
    mark.unlink(missing_ok=True)

    def touch() -> None:
        # Of another size and time: now git has to read it.
        (repo / "a.txt").write_text(f"changed {os.urandom(4).hex()}\n")

    touch()
    for action in READS:
        records(action, path=str(repo))
        assert not mark.exists(), action
    found = steps("git.undo_commit", path=str(repo))
    run(*found)
    run(found[0].inverse())  # type: ignore[arg-type]
    assert not mark.exists()
    if name in ("clean", "process", "odd filter"):
        assert "were not run" in notes("git.status", repo)
    if name in SPRUNG:
        touch()
        subprocess.run(["git", *SPRUNG[name]], cwd=repo, env={**os.environ, **WHO}, capture_output=True, check=False)
        assert mark.exists(), "the trap does not work, so the test shows nothing"


def test_submodules_are_not_entered(repo: Path, home: Path) -> None:
    inner = home / "inner"
    inner.mkdir()
    do(inner, "init", "-q", "-b", "main")
    commit(inner, "Inner", x="x\n")
    do(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "sub")
    commit(repo, "With a submodule")
    program, mark = planted(home, "sub")
    do(repo / "sub", "config", "core.fsmonitor", program)
    mark.unlink(missing_ok=True)
    (repo / "sub" / "x").write_text("changed\n")
    assert changes(repo) == {} and records("git.diff", path=str(repo)) == []
    assert not mark.exists()
    # In it, it is a repository of its own, whose data lies in the outer one's.
    assert "modified" in changes(repo / "sub", path=str(repo / "sub"))["x"]


def test_files_elsewhere_are_refused(repo: Path, home: Path) -> None:
    (home / "other").mkdir()
    do(repo, "config", "core.worktree", str(home / "other"))
    with pytest.raises(NlshError, match=r"elsewhere|not take"):
        records("git.status", path=str(repo))


def test_a_bare_repository_in_a_folder_is_none(home: Path) -> None:
    do(home, "init", "-q", "--bare", "bare.git")
    with pytest.raises(NotFound):
        records("git.status", path="bare.git")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another owner")
def test_whose_repository_it_is_is_asked_and_said(repo: Path, home: Path) -> None:
    for path in (repo, *repo.rglob("*")):
        os.lchown(path, 65534, 65534)
    for action in (*READS, "git.undo_commit"):
        with pytest.raises(NotPossible, match="does not trust"):
            steps(action, path=str(repo))
    # The twin: the user says that it is trusted.
    do(home, "config", "--global", "--add", "safe.directory", str(repo))
    assert changes(repo) == {}


def test_the_users_own_ignored_files_are_ignored(repo: Path, home: Path) -> None:
    (repo / "x.swp").write_text("x")
    assert "x.swp" in changes(repo)
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".config" / "git" / "ignore").write_text("*.swp\n")
    assert "x.swp" not in changes(repo)
    (home / "mine").write_text("*.bak\n")
    do(home, "config", "--global", "core.excludesFile", "~/mine")
    (repo / "x.bak").write_text("x")
    assert set(changes(repo)) == {"x.swp"}


# --- taking a commit back --------------------------------------------------------------------------------------------


def test_undo_commit_and_back(repo: Path) -> None:
    first = do(repo, "rev-parse", "HEAD")
    second = commit(repo, "Second “thing”", a__txt="A\n", c__txt="c\n")
    (repo / "b.txt").write_text("not committed\n")
    files = {k: v for k, v in snapshot(repo).items() if not k.startswith(".git")}
    (step,) = steps("git.undo_commit", path=str(repo))
    assert step.describe() == f"take back commit {second[:10]} “Second “thing”” and keep its changes to a.txt, c.txt"
    assert step.state() == "undone"
    run(step)
    assert do(repo, "rev-parse", "HEAD") == first and step.state() == "done"
    assert changes(repo) == {"a.txt": ("modified", ""), "b.txt": ("", "modified"), "c.txt": ("added", "")}
    assert {k: v for k, v in snapshot(repo).items() if not k.startswith(".git")} == files
    with pytest.raises(StaleStep):
        run(step)
    run(step.inverse())  # type: ignore[arg-type]
    assert do(repo, "rev-parse", "HEAD") == second and do(repo, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert changes(repo) == {"b.txt": ("", "modified")} and step.state() == "undone"


def test_what_cannot_be_taken_back_is_refused(repo: Path, home: Path) -> None:
    with pytest.raises(Refused, match="first commit"):
        steps("git.undo_commit", path=str(repo))
    do(repo, "switch", "-q", "-c", "side")
    commit(repo, "Side", s="s")
    do(repo, "switch", "-q", "main")
    commit(repo, "Main", m="m")
    do(repo, "merge", "-q", "--no-edit", "side")
    with pytest.raises(Refused, match="merge"):
        steps("git.undo_commit", path=str(repo))
    do(home, "clone", "-q", str(repo), "clone")
    commit(home / "clone", "Mine", n="n")
    assert steps("git.undo_commit", path="clone")
    do(home / "clone", "push", "-q", "origin", "HEAD:refs/heads/pushed")
    with pytest.raises(Refused, match="origin/pushed already"):
        steps("git.undo_commit", path="clone")
    with pytest.raises(NotFound):
        steps("git.undo_commit", path=str(home))


def test_a_commit_made_meanwhile_is_not_touched(repo: Path) -> None:
    commit(repo, "Second", a__txt="A\n")
    (step,) = steps("git.undo_commit", path=str(repo))
    third = commit(repo, "Third", a__txt="AA\n")
    with pytest.raises(StaleStep):
        run(step)
    # Even where it comes between the check and the change, git compares.
    with pytest.raises(NlshError):
        step.apply()
    assert do(repo, "rev-parse", "HEAD") == third


def test_without_a_branch_and_with_packed_ones(repo: Path) -> None:
    first, second = do(repo, "rev-parse", "HEAD"), commit(repo, "Second", a__txt="A\n")
    do(repo, "pack-refs", "--all")
    (step,) = steps("git.undo_commit", path=str(repo))
    run(step)
    assert do(repo, "rev-parse", "main") == first
    run(step.inverse())  # type: ignore[arg-type]
    do(repo, "checkout", "-q", second)
    (step,) = steps("git.undo_commit", path=str(repo))
    run(step)
    assert (repo / ".git" / "HEAD").read_text().strip() == first and do(repo, "rev-parse", "main") == second


def test_in_a_second_working_tree(repo: Path, home: Path) -> None:
    do(repo, "worktree", "add", "-q", "-b", "side", str(home / "tree"))
    second = commit(home / "tree", "Side", s="s")
    (step,) = steps("git.undo_commit", path="tree")
    assert {e.target for e in step.effects() if e.kind == "fs.write"} == {str(repo / ".git"), str(repo / ".git" / "worktrees" / "tree")}
    run(step)
    assert do(repo, "rev-parse", "side") != second and changes(home / "tree", path="tree") == {"s": ("added", "")}


def test_without_git_it_is_said(repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from nlsh.world import tools

    monkeypatch.setattr(tools, "SYSTEM_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotPossible, match="Not available here"):
        git.find(str(repo))


# --- confined --------------------------------------------------------------------------------------------------------


def test_confined_and_undone(tmp_path: Path) -> None:
    with Scene(tmp_path, {"code": None, ".gitconfig": "[user]\n\tname = Ada\n\temail = a@b\n"}) as scene:
        code = scene.home / "code"
        do(code, "init", "-q", "-b", "main")
        commit(code, "Start", a__txt="a\n")
        second = commit(code, "Second", a__txt="A\n")
        do(code, "worktree", "add", "-q", "-b", "side", str(scene.home / "tree"))
        ignored = Path(os.environ["XDG_CONFIG_HOME"], "git", "ignore")
        ignored.parent.mkdir(parents=True)
        ignored.write_text("*.swp\n")
        (code / "x.swp").write_text("x")
        (code / "b.txt").write_text("b")
        for where in ("code", "tree"):
            for plan in (f'git.status("{where}")', f'git.log(path="{where}")', f'git.branches("{where}")', f'git.diff("{where}")'):
                played = scene.play(plan)
                assert played.error is None, f"{plan}: {played.error}"
        assert [r.path for r in scene.play('git.status("code")').records] == [str(code / "b.txt")]  # type: ignore[attr-defined]
        before = {k: v for k, v in snapshot(scene.home).items() if "/logs" not in k}
        played = scene.play('git.undo_commit("code")')
        assert played.error is None, played.error
        assert do(code, "rev-parse", "HEAD") != second
        undone = scene.play("history.undo()")
        assert undone.error is None, undone.error
        after = {k: v for k, v in snapshot(scene.home).items() if "/logs" not in k}
        assert {k for k in before if before[k] != after.get(k)} <= {"code/.git/index"}
        assert do(code, "rev-parse", "HEAD") == second
        assert "nlsh: put the commit back" in do(code, "reflog", "-1")


def test_confined_a_filter_could_not_have_written_anyway(tmp_path: Path) -> None:
    """Should git run something all the same: the kernel lets it write nothing."""
    from nlsh.plan.action import Example

    with Scene(tmp_path, {"code": None}) as scene:
        code = scene.home / "code"
        do(code, "init", "-q", "-b", "main")
        commit(code, "Start", a__txt="a\n")
        before = snapshot(scene.home)
        scene.check(Example(("status",), 'git.status("code")'))
        scene.check(Example(("diff",), 'git.diff("code")'))
        assert snapshot(scene.home) == before
