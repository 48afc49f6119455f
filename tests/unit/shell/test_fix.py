"""/fix: what each rule proposes, and that it proposes nothing where it does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlsh.plan import registry
from nlsh.plan.plan import Call, Plan
from nlsh.shell.fix import Failure, is_mistyped, may_be_command, proposals


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "report.txt").write_text("r")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "bin").mkdir()
    for name in ("grep", "git", "python3"):
        (tmp_path / "bin" / name).write_text("")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def found(here: Path, command: str, status: int = 1, said: str = "") -> list[str]:
    failure = Failure(command, Plan((Call("shell.run", {"command": command}),)), status, ())
    return [p.command or registry.format(p.plan) for p in proposals(failure, said, str(here))]


@pytest.mark.parametrize(
    ("command", "status", "said", "first"),
    [
        ("cat docs/reprot.txt | wc -l", 1, "", "cat docs/report.txt | wc -l"),
        ("grpe x docs", 127, "", "grep x docs"),
        ("gti status", 127, "", "git status"),
        ("python x.py", 127, "", "python3 x.py"),
        ("./run.sh", 126, "", 'file.chmod("./run.sh", mode="executable")'),
        ("mkdir a/b", 1, "", "mkdir -p a/b"),
        ("cp docs copy", 1, "", "cp -r docs copy"),
        ("rm docs", 1, "", 'file.trash("docs")'),
        ("git comit -m x", 1, "", "git commit -m x"),
        ("git push", 128, "git push --set-upstream origin topic", "git push --set-upstream origin topic"),
        ("serve", 1, "OSError: [Errno 98] Address already in use: port 8080", 'process.kill(port="8080")'),
        ("make", 2, "No space left on device", "resource.disk()"),
        ("python3 x.py", 1, "ModuleNotFoundError: No module named 'requests'", 'package.install("requests", backend="pip")'),
    ],
)
def test_rules(here: Path, command: str, status: int, said: str, first: str) -> None:
    assert found(here, command, status, said)[:1] == [first]


@pytest.mark.parametrize(
    ("line", "is_one"),
    [("gti status", True), ("grpe -rn TODO docs", True), ("git status", False), ("gti the report to me", False), ("zzyzx -a", False), ("Gti status", False)],
)
def test_a_program_that_is_written_wrongly_is_told_from_a_sentence(here: Path, line: str, is_one: bool) -> None:
    assert is_mistyped(line) is is_one


@pytest.mark.parametrize(
    ("line", "may_be"),
    [("ls qwzx", True), ("cat one two", True), ("nosuchprogram one", False), ("cat is what I want", False), ("cat 文件", False)],
)
def test_what_may_be_a_command(line: str, may_be: bool) -> None:
    assert may_be_command(line) is may_be


def test_an_unknown_program_may_be_in_a_package(here: Path) -> None:
    assert found(here, "zzyzx -a", 127) == ['package.search("zzyzx")']


def test_what_is_not_known_is_not_guessed(here: Path) -> None:
    assert found(here, "grep nothing docs/report.txt") == []
    assert found(here, "make 'all'", 2) == []


@pytest.mark.parametrize(
    ("command", "said", "first"),
    [
        ("git push", "git push --set-upstream origin x;reboot", "git push --set-upstream origin 'x;reboot'"),
        ("git push", "git push --set-upstream --receive-pack=reboot topic", ""),
        ("docker cp a b", "Did you mean: x", "docker x a b"),
        ("docker cp a b", "The most similar command is\n\tx;reboot", "docker 'x;reboot' a b"),
    ],
)
def test_what_is_pasted_stays_one_word(here: Path, command: str, said: str, first: str) -> None:
    assert (found(here, command, 1, said) or [""])[0] == first


def test_a_files_name_stays_a_name_within_quotes(here: Path) -> None:
    (here / "a-long-name-of-$(reboot)-notes.txt").touch()
    assert found(here, "cat a-long-name-of-notes.txt", 1) == ["cat 'a-long-name-of-$(reboot)-notes.txt'"]
    assert found(here, 'cat "a-long-name-of-notes.txt"', 1) == []
    (here / "another-name.md").touch()
    assert found(here, 'cat "anohter-name.md"', 1) == ['cat "another-name.md"']


def test_what_is_pasted_stays_an_argument(here: Path) -> None:
    plan = registry.parse('file.move("docs/reprot.txt", to="file")')
    hostile = 'x"); file.delete("docs'
    for wrong, right, args in (
        ("reprot.txt", "report.txt", {"paths": "docs/report.txt", "to": "file"}),
        ("reprot.txt", hostile, {"paths": f"docs/{hostile}", "to": "file"}),
        ("file", "folder", {"paths": "docs/reprot.txt", "to": "folder"}),
    ):
        failure = Failure("r", plan, 1, (f"There is no “{wrong}” in here. Did you mean “{right}”?",))
        [proposal] = proposals(failure, "", str(here))
        [call] = proposal.plan.calls
        assert call.action == "file.move" and dict(call.args) == args


def test_the_nearest_name_that_an_error_gives(here: Path) -> None:
    plan = registry.parse('file.read("reprot.txt")')
    failure = Failure("read it", plan, 1, ("There is no “reprot.txt” in here. Did you mean “report.txt”?",))
    assert [registry.format(p.plan) for p in proposals(failure, "", str(here))] == ['file.read("report.txt")']
