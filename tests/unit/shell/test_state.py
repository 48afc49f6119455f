"""What a shell has from line to line, and that none of it is a way round the gate. Real shells in real workers."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nlsh.guard import policy
from nlsh.guard.sandbox import view
from nlsh.guard.sandbox.seccomp import number_of
from nlsh.plan import registry
from nlsh.plan.plan import Preview
from nlsh.shell.line.builtins import Words
from nlsh.shell.line.state import ShellState, _Reader, may_set
from nlsh.shell.options import Options, UsageError
from nlsh.shell.turn import Session
from nlsh.steps._shell import is_whole
from nlsh.steps.command import ReadCommand
from tests.unit.guard.test_policy import user_policy

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


def test_export_and_unset_are_for_commands_and_never_for_nlsh(shell: str, prompt: Callable[..., Prompt], capfd: pytest.CaptureFixture[str]) -> None:
    at, before, rules = prompt(yes=True), dict(os.environ), policy.load().rules
    mine = Path("clone/nlsh")
    mine.mkdir(parents=True)
    (mine / "policy.toml").write_text('[[rule]]\nanswer = "allow"\neffect = ["fs.*", "exec"]\n')
    names = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "HOME")
    at.type(*(f"export {name}={Path('clone').absolute()}" for name in names), "unset XDG_CACHE_HOME", "cd .")
    assert at.session.policy.rules == rules
    assert {k: v for k, v in os.environ.items() if k not in ("PWD", "OLDPWD")} == {k: v for k, v in before.items() if k not in ("PWD", "OLDPWD")}
    capfd.readouterr()
    at.type("echo $XDG_STATE_HOME [$XDG_CACHE_HOME]; env | grep ^HOME=")
    said = capfd.readouterr()
    assert said.out == "{0} []\nHOME={0}\n".format(Path("clone").absolute()), said.err
    at.type("cd")
    assert os.path.basename(os.getcwd()) == "clone"
    for name in ("NLSH_PLANNER", "LD_PRELOAD", "BASH_ENV", "GLIBC_TUNABLES"):
        with pytest.raises(UsageError):
            at.type(f"export {name}=/x")


def test_a_line_does_not_choose_the_shell_of_later_lines(shell: str, prompt: Callable[..., Prompt], capfd: pytest.CaptureFixture[str]) -> None:
    at = prompt()
    Path("bash").write_text("#!/bin/sh\necho stolen\n")
    Path("bash").chmod(0o755)
    at.type("X=1; export SHELL=$PWD/bash")
    capfd.readouterr()
    at.type("cat sub/kept", "echo $SHELL")
    assert capfd.readouterr().out == f"kept{os.getcwd()}/bash\n"


def test_a_yes_to_a_command_is_none_to_other_programs_of_its_name(
    shell: str, prompt: Callable[..., Prompt], home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    user_policy(home, '[[rule]]\nanswer = "allow"\neffect = ["exec", "fs.write", "fs.delete", "fs.meta"]\ncommand = "build-it"\n')
    at = prompt()
    for folder in ("bin", "evil"):
        Path(folder).mkdir()
        Path(folder, "build-it").write_text(f"#!/bin/sh\ntouch made-by-{folder}\n")
        Path(folder, "build-it").chmod(0o755)
    monkeypatch.setenv("PATH", f"{os.getcwd()}/bin:{os.environ['PATH']}")
    assert at.type("!build-it") == 0 and Path("made-by-bin").exists()
    assert at.type("export PATH=$PWD/evil:$PATH; x=1", "!build-it") == 3
    assert not Path("made-by-evil").exists()
    assert any(note.startswith(f"with PATH={os.getcwd()}/evil:") for note in at.preview.calls[0].notes)
    assert f"note: with PATH={os.getcwd()}/evil:" in capfd.readouterr().err
    at.type("unset PATH")
    assert "without PATH" in at.state.choosing()["PATH"]


def test_what_chooses_programs_is_carried_only_as_it_is_written(shell: str, prompt: Callable[..., Prompt], capfd: pytest.CaptureFixture[str]) -> None:
    at, path = prompt(), os.environ["PATH"]
    Path("said").write_text("/evil")
    capfd.readouterr()
    at.type("export PATH=$(cat said) PAGER=$(cat said) OTHER=$(cat said)")
    assert set(at.state.variables) & {"PATH", "PAGER", "OTHER"} == {"OTHER"} and "PATH" not in at.state.removed
    assert "PATH" in capfd.readouterr().err
    at.type("export PATH=$OTHER:$PATH")
    assert "PATH" not in at.state.variables
    at.type('export JAVA_HOME=/opt/java PATH="$PWD/bin:$PATH"', "PATH=~/bin:$JAVA_HOME/bin:$PATH; x=1")
    assert at.state.variables["PATH"].value == f"{os.environ['HOME']}/bin:/opt/java/bin:{os.getcwd()}/bin:{path}"
    at.type("x=$(cat said)")
    assert not {"LESSSECURE", "PAGERSECURE"} & set(at.state.variables) and at.state.variables["x"].value == "/evil"
    assert "with x=" in str(at.state.choosing("$x -o out")) and "x" not in at.state.choosing("x=1; $x")
    # What is no assignment of the line's own by then hides nothing.
    for line in (
        "echo x=1; $x",
        "x=1 make $x",
        "false && x=1; $x",
        "(x=1); $x",
        "$x; x=1",
        "x=1 & $x",
        "x=$x; y",
        "for x in $x; do y; done",
        "for x in; do y; done; $x",
    ):
        assert "x" in at.state.choosing(line), line
    assert "x" not in at.state.choosing("for x in a b; do $x; done") and "x" not in at.state.choosing("x=1 y=2; $x")


@pytest.mark.parametrize(("answer", "carried"), [("y\n", "/evil"), ("\n", None)])
def test_somebody_who_is_asked_lets_a_computed_path_be_carried(
    shell: str, prompt: Callable[..., Prompt], monkeypatch: pytest.MonkeyPatch, answer: str, carried: str | None
) -> None:
    at = prompt()
    Path("said").write_text("/evil")
    monkeypatch.setattr(at.session, "can_ask", lambda: True)
    monkeypatch.setattr(at.session, "read", lambda question: answer if "PATH" in question else "")
    at.type("export PATH=$(cat said)")
    assert (at.state.variables["PATH"].value if "PATH" in at.state.variables else None) == carried


def test_a_wider_umask_is_told(shell: str, prompt: Callable[..., Prompt]) -> None:
    before = os.umask(0o022)
    try:
        at = prompt()
        at.type("umask 077; x=1")
        assert at.state.umask == "0077" and "umask" not in at.state.choosing()
        at.type("umask 000; x=1")
        assert "umask 0000" in at.state.choosing()["umask"]
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    "said",
    [
        "functions\0ls () \n{ :; }; rm x\n\0",
        "functions\0rm x\0",
        "functions\0a b () \n{ :; }\n\0",
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


# What a program can try on the shell that runs it; it says what it got.
ATTACK = (
    f"getfd, open_process, trace, write_memory = {[number_of(n) for n in ('pidfd_getfd', 'pidfd_open', 'ptrace', 'process_vm_writev')]}"
    + r"""
import ctypes, os
libc, shell = ctypes.CDLL(None, use_errno=True), os.getppid()
def call(number, *args):
    got = libc.syscall(number, *args)
    if got < 0:
        raise OSError(ctypes.get_errno(), "")
    return got
def said(descriptor):
    os.lseek(descriptor, 1 << 18, os.SEEK_SET) if os.path.isfile(f"/proc/self/fd/{descriptor}") else None
    os.write(descriptor, b"\0value\0forged\0x\0forged\0end\0")
def target(link):
    try:
        return os.readlink(link)
    except OSError:  # closed by now, or the worker's own
        return ""
def descriptors(of):
    links = {int(n): f"/proc/{of}/fd/{n}" for n in os.listdir(f"/proc/{of}/fd") if int(n) > 2}
    return {n: link for n, link in links.items() if target(link).startswith(("socket:", "/memfd:"))}
def attempt(name, what, *args):
    try:
        what(*args)
    except OSError:
        return
    got.append(name)
got, held = [], descriptors(shell)
if held:
    got.append("seen")
if descriptors("self"):
    got.append("held")
for number, link in held.items():
    attempt("opened", lambda: said(os.open(link, os.O_RDWR)))
    attempt("taken", lambda: said(call(getfd, call(open_process, shell, 0), number, 0)))
attempt("traced", lambda: call(trace, 0x4206, shell, 0, 0))
attempt("written", lambda: call(write_memory, shell, 0, 0, 0, 0, 0))
attempt("memory", lambda: os.open(f"/proc/{shell}/mem", os.O_RDWR))
open("got", "a").write(" ".join(got) + "\n")
"""
)


@pytest.mark.parametrize("views", [True, False])
@pytest.mark.parametrize("name", ["bash", "sh"])
def test_a_program_that_the_line_runs_cannot_speak_for_its_shell(
    shell: str, prompt: Callable[..., Prompt], monkeypatch: pytest.MonkeyPatch, name: str, views: bool
) -> None:
    if not views:
        monkeypatch.setattr(view, "forbidden", True)
    monkeypatch.setenv("SHELL", shell if name == "bash" else "/bin/sh")
    Path("attack.py").write_text(ATTACK)
    program = f"{os.path.realpath(sys.executable)} -I -S attack.py"
    at = prompt(yes=True)
    at.type(f"x=1; {program}; sh -c 'for n in 9 10 11 12; do eval \"printf forged >&$n\"; done' 2>/dev/null; y=2")
    assert at.state.variables["x"].value == "1" and at.state.variables["y"].value == "2" and "forged" not in at.state.variables
    assert Path("got").read_text() == "seen\n"  # it looked at what it was after, and got none of it
    at.type(f"trap '{program}' EXIT {'DEBUG' if name == 'bash' else 'USR1'}; y=3")
    assert at.state.variables["y"].value == "3"
    at.type(f"exec {program}")
    assert Path("got").read_text().count("\n") > 2 and "held" not in Path("got").read_text() and "forged" not in at.state.variables
    # The same attack on a shell that is not confined and has a file to speak through.
    said = os.memfd_create("control")
    line = f"eval '{program}' 9>&-; :"
    os.waitpid(os.posix_spawn(shell, ["bash", "-c", line], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, said, 9)]), 0)
    assert "opened" in Path("got").read_text() and b"forged" in os.pread(said, 1 << 20, 0)
    os.close(said)


# It stays behind the line, and looks for something of its shell's that it could write into while that says its state.
WATCH = r"""
import os
shell, known = os.getppid(), set()
def pipes():
    for n in os.listdir(f"/proc/{shell}/fd"):
        try:
            link = os.readlink(f"/proc/{shell}/fd/{n}")
        except OSError:
            continue
        if link.startswith("pipe:") and link not in known:
            yield link
known |= set(pipes())
open("ready", "w").close()
try:
    while not any(pipes()):
        pass
    open("seen", "w").close()
except OSError:
    pass
"""


def test_nothing_that_stays_behind_can_write_into_what_the_shell_says(shell: str, prompt: Callable[..., Prompt]) -> None:
    Path("watch.py").write_text(WATCH)
    at = prompt(yes=True)
    # So many that a shell which asked for each of them through a pipe would be seen to.
    define = 'for ((i = 0; i < 300; i++)); do eval "f$i() { cat <<E\n}\nE\n}"; done'
    at.type(f"{define}; {os.path.realpath(sys.executable)} -I -S watch.py & until [ -e ready ]; do sleep 0.02; done; {define}")
    assert Path("ready").exists() and not Path("seen").exists()
    assert len(at.state.functions) == 300 and at.state.functions["f7"].startswith("f7 () \n{") and at.state.functions["f7"].endswith("\n}")


def test_what_a_later_line_gives_a_number_is_not_computed(shell: str, prompt: Callable[..., Prompt], capfd: pytest.CaptureFixture[str]) -> None:
    at = prompt(yes=True)
    _spoken(at, capfd, (("declare -i n=1+1; echo $n", "2\n"), ("echo $n", "2\n"), ("n='a[$(echo ran >&2)0]'", ""), ('echo "$n"', "a[$(echo ran >&2)0]\n")))


def test_much_is_heard_too_much_is_not_and_neither_holds_the_line_up(shell: str, prompt: Callable[..., Prompt]) -> None:
    at = prompt(yes=True)
    os.mkfifo("never")
    assert at.type("(read -r nothing < never) & big=$(printf %0300000d 1); y=2") == 0  # what is in the background holds the socket
    assert len(at.state.variables["big"].value) == 300_000 and at.state.variables["y"].value == "2"
    assert at.type("big=$(printf %02000000d 1); y=3") == 0
    assert at.state.variables["y"].value == "2"


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        ("cwd\0/\0umask\0" "022\0value\0x\0\0end\0array\0a\0a\0" "1\0" "0\0v\0options\0\0shopts\0\0end\0", True),
        ("cwd\0/\0exports\0export x\0set\0x=1\0aliases\0\0end\0", True),
        ("cwd\0/\0end\0value\0x\0\0" "1\0end\0", False),
        ("cwd\0/\0end\0\0", False),
        ("cwd\0/\0end\0end\0", False),
        ("cwd\0/\0\0\0value\0x\0\0" "1\0end\0", False),
        ("cwd\0/\0cwd\0/evil\0end\0", False),
        ("other\0x\0end\0", False),
        ("value\0x\0end\0", False),
        ("array\0x\0a\0-1\0end\0", False),
        ("array\0x\0a\0" "9999999\0end\0", False),
        ("cwd\0/\0end", False),
        ("", False),
    ],
)  # fmt: skip
def test_a_report_is_taken_whole_or_not_at_all(said: str, whole: bool) -> None:
    assert is_whole(said) == whole


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
