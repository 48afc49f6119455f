"""What a shell has from line to line, and that none of it is a way round the gate. Real shells in real workers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nlsh.plan import registry
from nlsh.plan.plan import Preview
from nlsh.shell.builtins import Words
from nlsh.shell.options import Options
from nlsh.shell.state import ShellState, _Reader, may_set
from nlsh.shell.turn import Session
from nlsh.steps.command import ReadCommand

Type = Callable[[str], int]


class Prompt:
    """A session, and what is typed at it."""

    def __init__(self, session: Session) -> None:
        self.session, self.words = session, Words(session)
        assert session.shell is not None
        self.state: ShellState = session.shell

    def type(self, *lines: str) -> int:
        status = 0
        for line in lines:
            found = self.words.handle(line)
            status = self.session.command(line, request=line) if found is None else found
        return status

    @property
    def preview(self) -> Preview:
        assert self.session.last_preview is not None
        return self.session.last_preview

    @property
    def what_runs(self) -> str:
        return registry.format(self.preview.plan)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> str:
    found = shutil.which("bash", path="/bin:/usr/bin")
    if found is None:
        pytest.skip("there is no bash here")
    monkeypatch.setenv("SHELL", found)
    return found


@pytest.fixture
def prompt(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Prompt]]:
    work = home / "work"
    (work / "sub").mkdir(parents=True)
    (work / "sub" / "kept").write_text("kept")
    monkeypatch.chdir(work)
    sessions = []

    def start(**options: object) -> Prompt:
        sessions.append(Session.start(Options(quiet=True, **options)))  # type: ignore[arg-type]
        return Prompt(sessions[-1])

    yield start
    for session in sessions:
        session.close()


BASH = (
    ("x=5; name='a b'; a=(one 'two 2'); declare -A m; m['k k']=\"it's\"; readonly R=1; hi() { echo hi $1 $name; }", ""),
    ("export E=$x; set -o pipefail; shopt -s nullglob", ""),
    ('echo "$x $name ${a[1]} ${m[k k]} $R"; env | grep -E "^(x|E)="; false | true; echo $? *.no', "5 a b two 2 it's 1\nE=5\n1\n"),
    ("hi you", "hi you a b\n"),
    ("unset -f hi; unset x; type hi 2>/dev/null || echo gone $x", "gone\n"),
    ("alias up='ls -d'; alias upper='up /'", ""),
    ("upper", "/\n"),
    ("cd sub && true", ""),
    ("basename $PWD; basename $OLDPWD", "sub\nwork\n"),
    ("cd .. && pushd sub >/dev/null", ""),
    ("popd >/dev/null; basename $PWD; (exit 9)", "work\n"),
    ("echo $?; umask 027; read -r v < sub/kept; for i in 1 2; do :; done", "9\n"),
    ("umask; cat <<E\n  two  spaces $v $i\nE", "0027\n  two  spaces kept 2\n"),
)
SH = (
    ("x=5; name='a b'; hi() { echo hi $1; }; export E=$x", ""),
    ('echo "$x $name"; env | grep -E "^(x|E)="', "5 a b\nE=5\n"),
    ("hi you", "hi you\n"),
    ("alias up='ls -d'; true", ""),
    ("up /", "/\n"),
    ("cd sub && basename $PWD; (exit 9)", "sub\n"),
    ("echo $?; basename $PWD", "9\nsub\n"),
)


def _spoken(at: Prompt, capfd: pytest.CaptureFixture[str], lines: tuple[tuple[str, str], ...]) -> None:
    for line, expected in lines:
        capfd.readouterr()
        at.type(line)
        assert capfd.readouterr().out == expected, line


def test_a_bash_goes_on_where_the_line_before_ended(shell: str, prompt: Callable[..., Prompt], capfd: pytest.CaptureFixture[str]) -> None:
    _spoken(prompt(yes=True), capfd, BASH)


def test_so_does_a_plain_sh(prompt: Callable[..., Prompt], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    _spoken(prompt(yes=True), capfd, SH)


def test_a_name_that_hides_a_command_is_written_out_before_it_is_judged(shell: str, prompt: Callable[..., Prompt]) -> None:
    at = prompt()
    at.type("ls")
    assert isinstance(at.preview.calls[0].steps[0], ReadCommand)
    # Nobody can approve anything here: what is taken for reading would run, and what is tried is dropped.
    for hidden in ("inner() { rm -rf sub; }; ls() { inner; }", "alias ls='rm -rf sub #'; true"):
        assert at.type(hidden) == 0
        assert at.type("ls") != 0
        assert "rm -rf sub" in at.what_runs and not isinstance(at.preview.calls[0].steps[0], ReadCommand), hidden
        assert Path("sub/kept").exists()
        at.state.functions.clear(), at.state.aliases.clear()
    assert at.type("ls() { echo mine; }", "ls") == 0  # what it stands for only reads


def test_what_was_dropped_leaves_nothing_in_the_shell(shell: str, prompt: Callable[..., Prompt]) -> None:
    at = prompt()
    assert at.type("y=1; touch made") == 3
    assert "y" not in at.state.variables and not Path("made").exists()
    sure = prompt(yes=True)
    assert sure.type("y=1; touch made") == 0
    assert sure.state.variables["y"].value == "1" and Path("made").exists()


def test_what_a_shell_says_is_data_and_never_reaches_nlsh_itself(shell: str, prompt: Callable[..., Prompt], capfd: pytest.CaptureFixture[str]) -> None:
    at = prompt(yes=True)
    before = dict(os.environ)
    Path("hostile.sh").write_text(
        "export LD_PRELOAD=/x BASH_ENV=/x ENV=/x PROMPT_COMMAND='touch owned' NLSH_PLANNER=/x XDG_STATE_HOME=/x HOME=/x PATH=/nowhere:$PATH\n"
        "v='$(touch owned)'; export w='`touch owned`;touch owned'; a=('$(touch owned)'); PS4='$(touch owned)'; IFS=x\n"
    )
    at.type("source ./hostile.sh")
    assert {k: v for k, v in os.environ.items() if k not in ("PWD", "OLDPWD")} == {k: v for k, v in before.items() if k not in ("PWD", "OLDPWD")}
    capfd.readouterr()
    at.type('echo "$v$w${a[0]}[$LD_PRELOAD$BASH_ENV$ENV$PROMPT_COMMAND$NLSH_PLANNER]$XDG_STATE_HOME"')
    assert capfd.readouterr().out == "$(touch owned)`touch owned`;touch owned$(touch owned)[]/x\n"
    assert not Path("owned").exists()


@pytest.mark.parametrize(
    "said",
    [
        "function\0ls\0ls() { :; }; rm x\0",
        "function\0ls\0rm x\0",
        "function\0a b\0a() { :; }\0",
        "value\0x;rm\0\0v\0",
        "value\0x\0i\0a[$(rm x)]\0",
        "array\0x\0a\0001\0a[$(rm x)]\0v\0",
        "value\0LD_PRELOAD\0x\0/x\0",
        "alias\0a;b\0rm\0",
        "value\0x\0$(rm)\0v\0",
        "array\0x\0a\0" + "9" * 30 + "\0",
        "umask\0" + "0; rm\0",
        "array\0x",
    ],
)
def test_what_is_no_name_or_no_single_definition_is_left_out(said: str) -> None:
    state = ShellState()
    _Reader(state, "").read(f"cwd\0/\0options\0\0shopts\0\0{said}end\0".split("\0"))
    assert not state.functions and not state.aliases and "rm" not in str(state.environment(keeps=False)) and "LD_PRELOAD" not in state.variables


def test_a_program_that_the_line_runs_cannot_speak_for_its_shell(shell: str, prompt: Callable[..., Prompt]) -> None:
    at = prompt(yes=True)
    at.type("x=1; sh -c 'for n in 9 10 11 12; do eval \"printf forged >&$n\"; done' 2>/dev/null; y=2")
    assert at.state.variables["x"].value == "1" and at.state.variables["y"].value == "2"


@pytest.mark.parametrize(
    ("line", "may"),
    [
        ("make", False),
        ("X=1 make", False),
        ("ls | grep x", False),
        ("make; X=1", True),
        ("cd x && make", True),
        ("source x", True),
        (". x", True),
        ("f() { :; }", True),
        ("read x", True),
        ("for i in 1; do :; done", True),
        ("echo ${x:=1}", True),
        ("builtin cd x", True),
        ("\\cd x", True),
        ("echo 'X=1'", False),
        ("if", True),
        ("((i++))", True),
    ],
)
def test_only_lines_that_may_leave_another_state_are_asked_for_it(line: str, may: bool) -> None:
    assert may_set(line) == may
