"""Scripts: what their lines are, what arguments can and cannot do, and with which status they end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from nlsh.actions.shell._reading import only_reads
from nlsh.cli import main
from nlsh.plan import registry
from nlsh.servers import config
from nlsh.shell.script import Script, Statement, statements_of
from tests.unit.guard.test_policy import user_policy


def test_lines_comments_continuations_and_plans() -> None:
    text = '#!/usr/bin/env nlsh\n\n# no\nls \\\n  -la\na = file.list(".")\nfile.trash(a)\n\nfile.list("x")\nwith every("1h"): file.list("y")\nlist my files\n'
    assert statements_of(text) == [
        Statement(4, "ls   -la"),
        Statement(6, 'a = file.list(".")\nfile.trash(a)', plan=True),
        Statement(9, 'file.list("x")', plan=True),
        Statement(10, 'with every("1h"): file.list("y")', plan=True),
        Statement(11, "list my files"),
    ]


HOSTILE = ["a  b; touch pwned", "$(touch pwned)", "/dev/null; touch pwned", "`touch pwned`", '"; touch pwned; "', "\\'; touch pwned #", "* ~ {a,b}", "it's"]


@pytest.mark.parametrize("shell", ["bash", "sh"])
@pytest.mark.parametrize("value", HOSTILE)
def test_what_an_argument_holds_is_never_another_command(tmp_path: Path, shell: str, value: str) -> None:
    (tmp_path / "x").touch()

    def prints(line: str) -> str:
        command = Script("s;touch pwned", [value, "two"]).in_command(line)
        done = subprocess.run([shell, "-c", command], cwd=tmp_path, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=False)
        assert not (tmp_path / "pwned").exists(), command
        return done.stdout

    for line in ("printf '[%s]' $1", "printf '[%s]' \"$1\"", 'printf \'[%s]\' "$(printf %s "$1")"', "printf '[%s]' \"$(printf %s $1)\"", "cat <<E\n[$1]\nE"):
        assert prints(line).strip() == f"[{value}]", line
    for line in ("wc -l < $1", 'echo "$(wc -l < $1)"', "echo `basename $1`", 'echo "$(basename "$1")" $$$1', 'echo ${1:-$2} $((1)) "${x:-$1}" 2>/dev/null'):
        prints(line)
    assert prints("printf '[%s]' $@") == f"[{value}][two]"
    assert prints("echo $# ${2} '$1' \\$1 $0") == "2 two $1 $1 s;touch pwned\n"


def test_a_command_without_arguments_is_as_it_is_written_and_one_with_them_still_only_reads() -> None:
    script = Script("s", ["a b", "-o"])
    for line in ("ls -la", "awk '{print $1}' x", 'echo "$HOME"'):
        assert script.in_command(line) == line
    assert script.in_command("wc -l $1") == "set -- 'a b' -o; wc -l \"$1\""
    for line in ("wc -l $1", 'echo "$(basename "$1")" $0 ${10}', 'sort -- "$1"'):
        assert only_reads(script.in_command(line)), line
    for line in ("rm $1", 'sort "$2" x', "$1"):  # an argument may be an option, or a program
        assert not only_reads(script.in_command(line)), line
    assert not only_reads("set -x; ls")


def test_an_argument_runs_nothing_in_a_script(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (home / "d").mkdir()
    lines = 'cd d\n!echo "$(basename "$1")"\n!echo "$(wc -l < $2)"\nshell.run("wc -l $2")\n!echo "$(touch made)"\n'
    assert script(home, "set +e\n" + lines, "$(touch pwned1)", "/dev/null; touch pwned2") == 5
    assert "touch pwned1)" in capfd.readouterr().out
    # What the line itself says is done.
    assert [p.name for p in (home / "d").iterdir()] == ["made"]
    (home / "d/a b.txt").write_text("1\n2\n")
    os.chdir(home)
    assert script(home, 'cd d\n!echo "$(wc -l < $1)"\nshell.run("wc -l $1")\n', "a b.txt") == 0
    assert capfd.readouterr().out.split() == ["2", "2", "a", "b.txt"]


def test_a_script_and_a_plan_know_the_tools_of_servers(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(registry, "_PROVIDERS", {})
    config.write({"s": config.Server("s", ("/bin/false",), (), (config.Tool("do"),))})
    (home / "s.nlsh").write_text("mcp_s.do()\n")
    try:
        assert main(["-n", "--plain", "s.nlsh"]) == 0 and main(["plan", "-n", "--plain", "mcp_s.do()"]) == 0
        assert main(["plan", "-n", "mcp_t.do()"]) == 2 and "There is no action" in capfd.readouterr().err
    finally:
        registry.drop("mcp_")


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
    ("text", "says"),
    [
        ("!echo $2\n", "s.nlsh:2 uses $2, and there are 1 argument"), ('file.nothing("x")\n', "s.nlsh:1: There is no action"),
        ("exit foo\n", "s.nlsh:2: exit takes one number"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found_before_anything_runs(home: Path, capfd: pytest.CaptureFixture[str], text: str, says: str) -> None:
    assert script(home, 'file.create("made")\n' + text, "one") == 2
    assert says in capfd.readouterr().err.replace("\n", " ") and not (home / "made").exists()


def test_a_comment_behind_plan_text_and_a_mark_before_it_mean_nothing(home: Path) -> None:
    """Both come from editors; without this, the line is a sentence, and what it means is a guess."""
    text = 'file.create("a#1.txt")  # the first, don\'t worry\nwith every("1h"): file.list(".") # later\nwith the number #1 of them\n'
    assert [(s.text, s.plan) for s in statements_of(text)] == [
        ('file.create("a#1.txt")', True), ('with every("1h"): file.list(".")', True), ("with the number #1 of them", False),
    ]  # fmt: skip
    (home / "s.nlsh").write_bytes("\ufeff#!/usr/bin/env nlsh\r\n!true\r\n".encode())
    assert main([str(home / "s.nlsh")]) == 0


def test_a_script_cannot_bring_its_own_policy(home: Path) -> None:
    theirs = home / "clone" / "nlsh" / "policy.toml"
    theirs.parent.mkdir(parents=True)
    theirs.write_text('[[rule]]\nanswer = "allow"\neffect = ["fs.*", "exec", "tool.run"]\n')
    (home / "s.nlsh").write_text(f'export XDG_CONFIG_HOME={home}/clone\ncd .\nfile.create("made.txt")\n')
    assert main(["--plain", "-q", "s.nlsh"]) == 3
    assert not (home / "made.txt").exists()
    user_policy(home, theirs.read_text())
    assert main(["--plain", "-q", "s.nlsh"]) == 0
    assert (home / "made.txt").exists()
