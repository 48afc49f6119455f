"""Commands that are stopped, go on behind and come back, on a real terminal, each confined as it was agreed to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pexpect
import pytest

from nlsh.guard.sandbox import landlock
from nlsh.guard.sandbox.group import Group
from nlsh.shell.fit import width
from nlsh.shell.line.behind import Printed
from nlsh.shell.line.job_control import Job, JobControl
from tests.journeys.conftest import Run, Terminal, ended, plain, states, until
from tests.journeys.test_living import answer_cursor, living
from tests.journeys.test_raw_shell import answer, bash
from tests.journeys.test_repl import ASKED, PROMPT, at_prompt
from tests.sandbox.trials import needs_views

STOP = "\x1a"


def stop(child: pexpect.spawn, line: str, up: str, number: int = 1) -> str:
    """Type a line, stop it once it has said `up`, and return what was shown until the next prompt."""
    child.sendline(line)
    child.expect_exact(f"{up}\r\n")
    child.send(STOP)
    child.expect_exact(f"[{number}]  Stopped  {line}\r\n")
    shown = child.before
    child.expect(PROMPT)
    return plain(shown + child.before)


def test_a_command_is_stopped_goes_on_behind_comes_back_and_is_ended(terminal: Terminal, home: Path) -> None:
    child = at_prompt(terminal, SHELL=bash())
    child.expect_exact("\x1b]133;B\x07")  # where input begins
    first = f"echo up; sleep 7{os.getpid()}"
    assert "fg goes on with it" in stop(child, first, "up")
    answer(child, "echo status $?", "status 148\r\n")
    second = f"8{os.getpid()}"
    assert "fg goes on" not in stop(child, f"echo two; sleep {second}", "two", 2)
    child.sendline("jobs")
    child.expect_exact(f"[1]- Stopped  {first}\r\n[2]+ Stopped  echo two; sleep {second}\r\n")
    child.expect(PROMPT)
    answer(child, "bg %1", f"[1] {first} &\r\n")
    until(lambda: "S" in states(f"sleep 7{os.getpid()}"))
    child.sendline("fg %?up")
    child.expect_exact(f"{first}\r\n")
    child.sendintr()
    child.expect(PROMPT)
    answer(child, "echo status $?", "status 130\r\n")
    child.sendline("kill %%")
    child.expect(PROMPT)
    until(lambda: not states(f"sleep {second}"))
    answer(child, "wait", f"[2]  Terminated  echo two; sleep {second}\r\n")
    answer(child, "fg", "There are no stopped or background commands.")
    child.sendline("exit 3")
    assert ended(child) == 3


def test_what_a_command_behind_prints_comes_above_the_prompt_and_its_end_before_the_next(terminal: Terminal, home: Path) -> None:
    (home / "gate").touch()
    child = at_prompt(terminal, SHELL=bash())
    gates = "(until [ -e begin ]; do sleep 0.05; done; echo one; while [ -e gate ]; do sleep 0.05; done"
    answer(child, gates + "; cat; printf 'la\\033[2Jst\\n'; exit 4) &", "[1] ")
    (home / "begin").touch()
    child.expect_exact("[1] one\r\n")
    child.send("echo not disturbed")
    child.expect_exact("disturbed")
    # A sequence moves nothing, and there is nothing to read for cat.
    (home / "gate").unlink()
    child.expect_exact("[1] la\\x1b[2Jst\r\n")
    child.sendline("")
    child.expect_exact("not disturbed\r\n")
    child.expect_exact("[1]  Exit 4  (until ")
    child.expect(PROMPT)


def test_a_program_on_the_whole_screen_is_stopped_and_gets_it_back_confined_as_before(terminal: Terminal, home: Path, nlsh: Run) -> None:
    needs_views()
    if shutil.which("vim") is None:
        pytest.skip("there is no vim here")
    (home / "work").mkdir()
    child = at_prompt(terminal, SHELL=bash())
    child.sendline("cd work")
    child.expect(r"~/work L\d")
    child.sendline("vim -u NONE text.txt")
    child.expect_exact(ASKED)
    child.sendline("y")
    child.expect_exact("\x1b[?1049h")
    child.send("iby hand")
    child.expect_exact("hand")
    child.send("\x1b" + STOP)
    child.expect_exact("[1]  Stopped  vim -u NONE text.txt")
    child.expect(PROMPT)
    answer(child, "stty -a | grep -ow -e -icanon -e icanon", "\r\nicanon\r\n")
    child.sendline("exit")
    child.expect_exact("There are stopped jobs.")
    child.expect(PROMPT)
    child.setwinsize(20, 90)
    child.sendline("fg")
    child.expect_exact("\x1b[?1049h")
    child.expect_exact("by hand")
    child.send(":!touch ../outside; echo tried=$?\r")
    child.expect_exact("Allow it?")
    child.sendline("n")
    child.expect_exact("tried=1")
    child.send("\r:wq\r")
    child.expect(PROMPT)
    assert (home / "work" / "text.txt").read_text() == "by hand\n" and not (home / "outside").exists()
    child.sendline("exit")
    assert ended(child) == 0
    assert "vim" in nlsh("history").stdout and nlsh("audit", "verify").returncode == 0


def test_what_is_tried_on_a_copy_is_not_stopped_and_leaving_ends_what_was(terminal: Terminal, home: Path, nlsh: Run) -> None:
    needs_views()
    if shutil.which("setsid") is None:
        pytest.skip("there is no setsid here")
    (home / "work").mkdir()
    child = at_prompt(terminal, SHELL=bash())
    child.sendline("cd work")
    child.expect(r"~/work L\d")
    behind = f"3{os.getpid()}"
    answer(child, f"sleep {behind} &", "[1] ")
    child.sendline("echo new > file; echo up; read -r line; echo $line")
    child.expect_exact("up\r\n")
    child.send(STOP)
    child.expect_exact("Ctrl-Z stops nothing here: what is tried on a copy is kept or dropped when it ends")
    child.sendline("go on")
    child.expect_exact("Keep these changes?")
    until(lambda: states(f"sleep {behind}") == ["T"])  # nothing draws over a question, or takes its answer
    child.sendline("y")
    child.expect(PROMPT)
    until(lambda: states(f"sleep {behind}") == ["S"])
    assert (home / "work" / "file").read_text() == "new\n"
    # Also what has left the group stands still while the command does, and all of it ends with nlsh.
    unique = f"4{os.getpid()}"
    child.sendline(f"!!(setsid sleep {unique} & echo up; sleep 60)")
    child.expect_exact(ASKED)
    child.sendline("y")
    child.expect_exact("\nup\r\n")
    until(lambda: states(f"sleep {unique}") == ["S"])
    child.send(STOP)
    child.expect_exact("[2]  Stopped  (setsid")
    child.expect(PROMPT)
    assert set(states(f"sleep {unique}")) == {"T"}
    child.sendeof()
    child.expect_exact("There are stopped jobs.")
    child.expect(PROMPT)
    child.sendeof()
    assert ended(child) == 0
    until(lambda: not states(f"sleep {unique}") and not states(f"sleep {behind}"))
    assert nlsh("audit", "verify").returncode == 0


def test_a_ctrl_c_is_heard_whenever_it_comes(terminal: Terminal, home: Path) -> None:
    child = at_prompt(terminal, SHELL=bash())
    unique = f"2{os.getpid()}"
    os.write(child.child_fd, f"sleep {unique}\r\x03".encode())  # the editor has read it before the line is run
    answer(child, "!echo heard", "heard\r\n")
    for number, delay_s in enumerate((0.0, 0.01, 0.03, 0.06)):
        child.sendline(f"sleep {unique}")
        child.expect_exact(f"  $ sleep {unique}")
        time.sleep(delay_s)  # how far it is by then differs from time to time: that is what it is about
        os.write(child.child_fd, b"\x03")
        answer(child, f"!echo heard-{number}", f"heard-{number}\r\n")
    assert not states(f"sleep {unique}")


LOWER = """
import sys
from nlsh.guard.sandbox import landlock, view
view.forbidden, landlock.ceiling = True, int(sys.argv[1])
from nlsh.cli import main
sys.exit(main([]))
"""


@pytest.mark.parametrize(("ceiling", "level"), [(6, "L2"), (2, "L1")])
def test_it_is_the_same_without_namespaces_and_on_older_kernels(home: Path, environment: dict[str, str], ceiling: int, level: str) -> None:
    if landlock.abi() < ceiling:
        pytest.skip("this kernel is older than that")
    if shutil.which("setsid") is None:
        pytest.skip("there is no setsid here")
    (home / "work").mkdir()
    child = pexpect.spawn(
        sys.executable, ["-c", LOWER, str(ceiling)], env={**environment, "SHELL": bash()}, cwd=str(home / "work"), encoding="utf-8", timeout=60,
        dimensions=(40, 160),
    )  # fmt: skip
    try:
        child.expect_exact(f"~/work {level} $")
        inner, outer = f"5{os.getpid()}", f"9{os.getpid()}"
        # There is no copy to try it on, so it is asked about, and can be stopped.
        child.sendline(f"(setsid sleep {inner} & echo x > made; echo up; sleep {outer})")
        child.expect_exact(ASKED)
        child.sendline("y")
        child.expect_exact("\nup\r\n")
        until(lambda: states(f"sleep {inner}") == states(f"sleep {outer}") == ["S"])
        child.send(STOP)
        child.expect_exact("[1]  Stopped  (setsid")
        child.expect(PROMPT)
        assert states(f"sleep {inner}") == states(f"sleep {outer}") == ["T"]
        answer(child, "bg", "[1] (setsid")
        until(lambda: states(f"sleep {inner}") == states(f"sleep {outer}") == ["S"])
        child.sendline("fg")
        child.expect_exact(f"sleep {outer})\r\n")
        child.sendintr()
        child.expect(PROMPT)
        # What has left its group ends with it all the same.
        until(lambda: not states(f"sleep {inner}") and not states(f"sleep {outer}"))
        assert (home / "work" / "made").read_text() == "x\n"
    finally:
        child.close(force=True)


def test_the_bar_says_how_many_there_are(terminal: Terminal) -> None:
    child = living(terminal, SHELL=bash())
    child.sendline("sleep 60 &")
    answer_cursor(child)
    child.expect_exact("jobs: 1 running")


@pytest.mark.parametrize("line", ["wait for make to finish", "jobs that failed", "kill the editor", "disown my cat", "fg and bg"])
def test_sentences_stay_sentences(line: str) -> None:
    from nlsh.shell.line.job_words import words_of

    assert words_of(line) is None and words_of("kill -9 %1") == ["kill", "-9", "%1"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("cd b; make -k &", [("cd b", False), ("make -k", True)]), ("a | b & c && d & e; f", [("a | b", True), ("c && d", True), ("e; f", False)]),
        ("(a; b &) &", [("(a; b &)", True)]), ("for i in 1 2; do a & done", [("for i in 1 2; do a & done", False)]), ("a & p=$!", [("a & p=$!", False)]),
    ],
)  # fmt: skip
def test_what_stands_before_an_ampersand_is_a_job(line: str, found: list[tuple[str, bool]]) -> None:
    from nlsh.shell.line.job_words import parts

    assert parts(line) == found


TAKES = """
import os, signal
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
os.tcsetpgrp(os.open("/dev/tty", os.O_RDWR), os.getpgrp())
print("taken", flush=True)
signal.pause()
"""


def agreed(child: pexpect.spawn, line: str) -> None:
    child.sendline(line)
    child.expect_exact(ASKED)
    child.sendline("y")


def in_work(terminal: Terminal, home: Path, **programs: str) -> pexpect.spawn:
    (home / "work").mkdir()
    for name, text in programs.items():
        (home / "work" / f"{name}.py").write_text(text)
    child = at_prompt(terminal, SHELL=bash())
    child.sendline("cd work")
    child.expect(r"~/work L\d (?:\(\d+\) )?\$")
    return child


def test_one_that_is_let_go_on_from_outside_comes_back_whole(terminal: Terminal, home: Path) -> None:
    os.mkfifo(home / "gate")
    child = at_prompt(terminal, SHELL=bash())
    line = "echo up; cat gate; echo back"
    stop(child, line, "up")
    child.sendline("jobs -l")
    child.expect(r"back  \((\d+)\)\r\n")
    leader = int(child.match[1])
    child.expect(PROMPT)
    os.kill(leader, signal.SIGCONT)
    until(lambda: (Path("/proc") / str(leader) / "stat").read_bytes().rpartition(b") ")[2][:1] == b"S")
    answer(child, "jobs", "Stopped  echo up")
    child.sendline("fg")
    child.expect_exact(f"{line}\r\n")
    (home / "gate").write_text("")
    child.expect_exact("back\r\n")


def test_who_takes_the_terminal_behind_does_not_keep_it_from_the_prompt(terminal: Terminal, home: Path) -> None:
    child = in_work(terminal, home, take=TAKES)
    agreed(child, f"{sys.executable} take.py &")
    child.expect_exact("[1] taken")
    answer(child, "echo heard", "heard\r\n")


def test_what_a_command_in_front_has_printed_is_not_drawn_over_a_question(capfd: pytest.CaptureFixture[str]) -> None:
    printed, group = Printed(lambda: None), Group(front=False)
    control = JobControl.__new__(JobControl)
    control._terminal, control._begun = printed.stdin, None  # no terminal
    control._jobs = {1: Job(1, "x", None, SimpleNamespace(group=group), printed=printed)}  # type: ignore[arg-type]
    writer = os.dup(printed.writer)
    printed.started(1)
    printed.straight(on=True)
    os.write(writer, b"before\n")
    shown = ""
    while "before" not in shown:
        shown += capfd.readouterr().out
    with control.still():
        os.write(writer, b"Allow it?\n")
        until(lambda: printed.has_lines)
        assert capfd.readouterr().out == ""
    assert capfd.readouterr().out == "Allow it?\n"
    printed.straight(on=False)
    # Behind, no text fills a line of the terminal, to go on where nlsh's own lines begin.
    os.write(writer, b"x" * 100 + "名".encode() * 40 + b"\n")
    until(lambda: printed.has_lines)
    assert all(line.startswith("[1] ") and width(line) <= 80 for line in printed.take())
    os.close(writer)
    group.close()


def test_an_interrupt_while_leaving_loses_no_outcome(terminal: Terminal, home: Path, nlsh: Run) -> None:
    child = in_work(terminal, home)
    agreed(child, "{ trap 'touch hup' HUP; while :; do sleep 0.02; done; } &")
    child.expect(PROMPT)
    child.sendeof()
    child.expect_exact("There are running jobs.")
    child.expect(PROMPT)
    child.sendeof()
    until((home / "work" / "hup").exists)
    child.sendintr()
    ended(child)
    entries = [json.loads(line) for line in (home / ".local/state/nlsh/audit.jsonl").read_text().splitlines()]
    assert entries[-1]["outcome"] in ("cancelled", "failed"), entries[-1]
