"""Scripts: what their lines are, what arguments can and cannot do, and with which status they end."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlsh.cli import main
from nlsh.plan import registry
from nlsh.shell.script import Script, Statement, statements_of


def test_lines_comments_continuations_and_plans() -> None:
    text = '#!/usr/bin/env nlsh\n\n# no\nls \\\n  -la\na = file.list(".")\nfile.trash(a)\n\nfile.list("x")\nwith every("1h"): file.list("y")\nlist my files\n'
    assert statements_of(text) == [
        Statement(4, "ls   -la"),
        Statement(6, 'a = file.list(".")\nfile.trash(a)', plan=True),
        Statement(9, 'file.list("x")', plan=True),
        Statement(10, 'with every("1h"): file.list("y")', plan=True),
        Statement(11, "list my files"),
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("cat $1", "cat 'a b;rm x'"),
        ('cat "$1"', 'cat "a b;rm x"'),
        ("cat '$1'", "cat '$1'"),
        ("cat \\$1", "cat \\$1"),
        ('echo "$2"', 'echo "\\$(id)\\`"'),
        ("cat $@", "cat 'a b;rm x' '$(id)`'"),
        ("echo $# ${1} $HOME", "echo 2 'a b;rm x' $HOME"),
    ],
)
def test_what_an_argument_holds_is_never_another_command(line: str, says: str) -> None:
    assert Script("s", ["a b;rm x", "$(id)`"]).in_command(line) == says


def test_what_an_argument_holds_is_never_another_call() -> None:
    script = Script("s", ['x"); file.delete("y', "b"])
    plan = script.filled(registry.parse('file.trash("$@")\nfile.create("$1/$2")'))
    assert [c.action for c in plan.calls] == ["file.trash", "file.create"]
    assert plan.calls[0].args == {"paths": ('x"); file.delete("y', "b")}
    assert plan.calls[1].args == {"paths": 'x"); file.delete("y/b'}


def script(home: Path, text: str, *words: str) -> int:
    (home / "s.nlsh").write_text(text)
    return main(["--yes", "--plain", "-q", "s.nlsh", *words])


def test_a_script_runs_its_lines_with_one_undo_for_each_plan(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (home / "d").mkdir()
    status = script(home, '#!/usr/bin/env nlsh\ncd $1\nfile.create("$2.txt", text="$#")\n!cat "$2.txt"\nexit 7\n!echo never\n', "d", "one two")
    out = capfd.readouterr().out
    assert status == 7 and (home / "d/one two.txt").read_text().strip() == "2"
    assert "2\n" in out and "never" not in out


def test_it_ends_at_the_first_failure_unless_told_to_go_on(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert script(home, "!(exit 3)\n!echo never\n") == 3
    said = capfd.readouterr()
    assert "never" not in said.out and "s.nlsh:1 ended with status 3; the rest was not run" in said.err
    assert script(home, "set +e\n!(exit 3)\n!echo on\n") == 5
    assert "on" in capfd.readouterr().out
    assert script(home, "!true\n") == 0


@pytest.mark.parametrize(
    ("text", "says"), [("!echo $2\n", "s.nlsh:2 uses $2, and there are 1 argument"), ('file.nothing("x")\n', "s.nlsh:1: There is no action")]
)
def test_what_is_wrong_is_found_before_anything_runs(home: Path, capfd: pytest.CaptureFixture[str], text: str, says: str) -> None:
    assert script(home, 'file.create("made")\n' + text, "one") == 2
    assert says in capfd.readouterr().err.replace("\n", " ") and not (home / "made").exists()
