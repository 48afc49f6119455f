"""The lines of a prompt in the user's own zsh and fish: what they leave to the next one, what is said not to be kept, and when a line goes on."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nlsh.shell.line.dialect import goes_on
from nlsh.shell.line.state import ShellState
from nlsh.steps._shell import knows_state
from nlsh.steps.command import user_shell
from tests.unit.shell.test_state import ATTACK, Prompt, _spoken, prompt  # noqa: F401 - a fixture

ZSH = (
    ("x=5; name='a b'; arr=(one 'two  2'); typeset -A m; m=(k v 'k k' \"it's\"); hi() { echo hi $1 $name }", ""),
    ("export E=$x; setopt nullglob extendedglob; alias -g G=grep", ""),
    ('echo "$x $name $arr[2] ${m[k k]} $#arr"; env | grep -E "^(x|E)="; echo *.no k#', "5 a b two  2 it's 2\nE=5\n\n"),
    ("hi you", "hi you a b\n"),
    ("unfunction hi; unset x; whence hi || echo gone $x", "gone\n"),
    ("alias up='ls -d'; true", ""),
    ("up /", "/\n"),
    ("cd sub && pushd -q .. && basename $PWD", "work\n"),
    ("popd -q; basename $PWD; (exit 9)", "sub\n"),
    ("echo $?; umask 027", "9\n"),
    ("umask; print -r -- ${(t)arr}", "027\narray\n"),
)
FISH = (
    ("set x 5; set name 'a b'; set arr one 'two  2' \"it's\\\\\"; function hi; echo hi $argv[1] $name; end", ""),
    ("set -gx E $x; abbr -a gco git checkout", ""),
    ('echo "$x $name $arr[2] $arr[3]" (count $arr); env | grep -E "^(x|E)="', "5 a b two  2 it's\\ 3\nE=5\n"),
    ("hi you", "hi you a b\n"),
    ("functions -e hi; set -e x; type -q hi; or echo gone $x", "gone\n"),
    ("alias up='ls -d'; true", ""),
    ("up /", "/\n"),
    ("cd sub; and basename $PWD", "sub\n"),
    ("basename $PWD; sh -c 'exit 9'", "sub\n"),
    ("echo $status; umask 027", "9\n"),
    ("umask", "0027\n"),
)
LOST = {"zsh": "the global or suffix alias G is not kept", "fish": "the abbreviation gco is not kept"}
WRONG = {"zsh": "parse error near", "fish": "Unexpected ')'"}


@pytest.mark.parametrize(("kind", "lines"), [("zsh", ZSH), ("fish", FISH)])
def test_a_shell_goes_on_where_the_line_before_ended(
    kind: str, lines: tuple[tuple[str, str], ...], prompt: Callable[..., Prompt], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    found = shutil.which(kind)
    if found is None:
        pytest.skip(f"there is no {kind} here")
    monkeypatch.setenv("SHELL", found)
    at = prompt(yes=True)
    # What fish would make at its first start.
    for folder in ("../.config/fish", "../.local/share/fish"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    at.state.kind = knows_state(user_shell(typed=True))
    _spoken(at, capfd, lines[:1])
    at.type(lines[1][0])
    assert LOST[kind] in capfd.readouterr().err
    _spoken(at, capfd, lines[2:])
    assert at.type("echo )") != 0 and WRONG[kind] in capfd.readouterr().err
    # What others have written is for a sh: only lines of a prompt are in the words of this shell.
    assert user_shell() == "/bin/sh"


def test_what_chooses_programs_has_no_second_name_in_zsh(prompt: Callable[..., Prompt], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    found = shutil.which("zsh")
    if found is None:
        pytest.skip("there is no zsh here")
    monkeypatch.setenv("SHELL", found)
    at = prompt(yes=False, no_input=True)
    at.state.kind = "zsh"
    at.type("typeset -x path fpath; path=($(echo /evil) $path); fpath=(/evil); mine=(a b)")
    assert "mine" in at.state.variables and not {"path", "fpath", "PATH"} & at.state.variables.keys()
    at.type("export READNULLCMD=less")
    assert "READNULLCMD" in at.state.choosing()


def test_a_sort_of_the_line_s_own_has_no_descriptor_of_fish(prompt: Callable[..., Prompt], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    found = shutil.which("fish")
    if found is None:
        pytest.skip("there is no fish here")
    monkeypatch.setenv("SHELL", found)
    at = prompt(yes=True)
    Path("../.config/fish").mkdir(parents=True)
    Path("../.local/share/fish").mkdir(parents=True)
    at.state.kind = "fish"
    Path("sort").write_text('#!/bin/sh\nls -l /proc/self/fd/9 > saw 2>&1\nexec /usr/bin/sort "$@"\n')
    Path("sort").chmod(0o755)
    at.type("set -gx PATH $PWD $PATH; function printf; command touch called; end; set y 1")
    assert "y" in at.state.variables and "No such file" in Path("saw").read_text() and not Path("called").exists()


COMMANDS = {
    "zsh": ("print -l **/*.md(N)", "ls *.txt(om[1,3])", "rm **/*.o(.)", "setopt extendedglob; ls -d ^docs", "autoload -U zmv", "for f (*.txt) echo $f",
            "emulate sh", "print -P %~ | cat"),
    "fish": ("echo (date +%Y); string upper abc; math 2+3", "string split , a,b | head -1", "count $argv", "functions"),
}  # fmt: skip
SENTENCES = (
    "list *.txt (all of them)", "find big files (pdf)", "print the report", "repeat the last one", "count files in docs", "math homework", "emulate a terminal",
    "set volume to 50", "string together the lines of a.txt", "functions of this file",
)  # fmt: skip


@pytest.mark.parametrize("kind", ["zsh", "fish", "bash"])
def test_words_that_only_one_shell_has_are_commands_there_and_sentences_stay(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state = ShellState(kind=kind)
    for each, lines in COMMANDS.items():
        assert [line for line in lines if state.is_command(line) is not (each == kind)] == []
    assert [line for line in SENTENCES if state.is_command(line)] == []


@pytest.mark.parametrize("kind", ["zsh", "fish"])
def test_a_program_that_the_line_runs_cannot_speak_for_its_shell(
    kind: str, prompt: Callable[..., Prompt], monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    found = shutil.which(kind)
    if found is None:
        pytest.skip(f"there is no {kind} here")
    monkeypatch.setenv("SHELL", found)
    at = prompt(yes=True)
    Path("../.config/fish").mkdir(parents=True)
    Path("../.local/share/fish").mkdir(parents=True)
    at.state.kind = kind
    Path("attack.py").write_text(ATTACK)
    program = f"{os.path.realpath(sys.executable)} -I -S attack.py"
    given = {"zsh": "x=1", "fish": "set x 1"}[kind]
    at.type(f"{given}; {program}; sh -c 'for n in 9 10 11 12 13; do eval \"printf forged >&$n\"; done' 2>/dev/null; {given.replace('x', 'y')}")
    assert {"x", "y"} <= at.state.variables.keys() and "forged" not in at.state.variables
    assert Path("got").read_text() == "seen\n"  # it looked at what it was after, and got none of it


@pytest.mark.parametrize(
    ("kind", "line", "unfinished"),
    [
        ("zsh", 'f() { echo "hi $1" }', False), ("zsh", "f() { echo ${x}", True), ("bash", "f() { echo hi }", True), ("zsh", "echo 'a", True),
        ("fish", "for i in 1 2", True), ("fish", "for i in 1 2; echo $i; end", False), ("fish", "if true; echo a; else if false; echo b; end", False),
        ("fish", "echo 'it\\'s' # (", False), ("fish", "echo (ls", True), ("fish", "ls |", True), ("fish", "echo for if end", False),
    ],
)  # fmt: skip
def test_when_a_line_goes_on(kind: str, line: str, unfinished: bool) -> None:
    assert goes_on(line, kind) is unfinished


@pytest.mark.parametrize(("line", "is_one"), [("for i in 1 2; echo $i; end", True), ("set -gx EDITOR vim", True), ("set volume to 50", False)])
def test_what_only_fish_reads_is_a_command_where_that_is_plain(line: str, is_one: bool) -> None:
    assert ShellState(kind="fish").is_command(line) is is_one
