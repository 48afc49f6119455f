"""Living in the shell: the plan while typing, modes, follow-ups, /fix, marks, pastes, and what must not hurt it, on a real terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from pathlib import Path

import pexpect
import pytest

from nlsh.guard.sandbox import view
from tests.journeys.conftest import ROOT, Run, Terminal, plain
from tests.journeys.test_repl import ASKED, PROMPT, at_prompt, type_line, until_asked


@pytest.fixture
def files(home: Path) -> Path:
    (home / "docs").mkdir()
    for name in ("alpha.txt", "beta.txt", "gamma.txt"):
        (home / "docs" / name).write_text(name)
    return home


def living(terminal: Terminal, **more: str) -> pexpect.spawn:
    """Start a shell on a terminal that says where its cursor is, as real ones do: what stands below the line is shown only there."""
    child = terminal(PROMPT_TOOLKIT_NO_CPR="", **more)
    answer_cursor(child)
    child.expect(PROMPT)
    return child


def answer_cursor(child: pexpect.spawn) -> None:
    child.expect_exact("\x1b[6n")
    child.send("\x1b[1;1R")


def test_the_plan_is_shown_while_typing_and_modes_decide_what_runs(terminal: Terminal, files: Path, shipped_models: None) -> None:
    child = living(terminal)
    child.expect_exact("shipped")  # the models are loaded
    child.send("find txt files in docs")
    child.expect_exact("file.find(")
    child.send(" that are larger than 10MB")
    child.expect(r'10MB"')
    child.sendintr()
    answer_cursor(child)
    child.send("ls docs")
    child.expect_exact("a command (Ctrl-T")
    child.send("\x14")
    child.expect_exact("?")
    child.sendintr()
    answer_cursor(child)
    child.send("\x1b[Z")
    child.expect_exact("plans only")
    child.sendline('/plan file.trash("docs/alpha.txt")')
    child.expect_exact("to the trash")
    answer_cursor(child)
    assert (files / "docs" / "alpha.txt").exists()
    child.send("\x1b[Z")
    child.expect_exact("undone")
    child.sendline('/plan file.trash("docs/alpha.txt")')
    child.expect_exact("Done: 1 step")
    answer_cursor(child)
    assert not (files / "docs" / "alpha.txt").exists()
    # What cannot be undone is asked about in that mode too.
    child.sendline('/plan file.delete("docs/beta.txt")')
    child.expect_exact(ASKED)
    child.sendline("n")
    child.expect_exact("Nothing was changed.")
    assert (files / "docs" / "beta.txt").exists()


def test_follow_ups_are_about_what_stood_on_the_screen(terminal: Terminal, files: Path, shipped_models: None) -> None:
    (files / "Music").mkdir()
    (files / "Music" / "song.mp3").write_text("la")
    child = at_prompt(terminal)
    type_line(child, '/plan file.list("docs")', "gamma.txt")
    assert "song.mp3" in type_line(child, "do that for ~/Music too", "song.mp3")
    assert "There is no number 2" in type_line(child, "the second one", "There is no number")
    type_line(child, '/plan file.list("docs")', "gamma.txt")
    child.sendline("delete the second one")
    shown = until_asked(child)
    assert "beta.txt" in shown and "alpha.txt" not in shown and "gamma.txt" not in shown
    child.sendline("y")
    child.expect_exact("Done: 1 step")
    child.expect(PROMPT)
    assert sorted(p.name for p in (files / "docs").iterdir()) == ["alpha.txt", "gamma.txt"]
    child.sendline("undo that")
    until_asked(child)
    child.sendline("y")
    child.expect_exact("Done: ")
    child.expect(PROMPT)
    child.sendline("redo that")
    assert "does again" in until_asked(child)
    child.sendline("y")
    child.expect_exact("Done: ")
    child.expect(PROMPT)
    assert not (files / "docs" / "beta.txt").exists()


def test_a_result_is_narrowed_and_what_is_left_of_it_deleted(terminal: Terminal, files: Path, shipped_models: None) -> None:
    (files / "docs" / "report.pdf").write_text("%PDF")
    child = at_prompt(terminal)
    type_line(child, '/plan file.list("docs")', "gamma.txt")
    shown = type_line(child, "only the pdfs", "report.pdf")
    assert "alpha.txt" not in shown
    child.sendline("now delete those")
    shown = until_asked(child)
    assert "move ~/docs/report.pdf to the trash" in shown and "alpha.txt" not in shown
    child.sendline("n")
    child.expect_exact("Nothing was changed.")


def test_fix_proposes_and_explain_tells_and_neither_runs(terminal: Terminal, files: Path) -> None:
    child = at_prompt(terminal)
    assert "docs/alpha.txt is the nearest" in type_line(child, "!cat docs/alhpa.txt", "/fix: ")
    child.sendline("/fix")
    child.expect_exact("Which? [1, Enter: none] ")
    assert "cat docs/alpha.txt" in plain(child.before)
    child.sendline("")
    child.expect_exact("Nothing was run.")
    child.expect(PROMPT)
    child.sendline("/fix")
    child.expect_exact("Which? [1, Enter: none] ")
    child.sendline("1")
    child.expect_exact("alpha.txt")
    child.expect(PROMPT)
    assert "nothing has failed" in type_line(child, "/fix", "othing has failed").lower()
    assert "may change something" in type_line(child, "/explain cd docs && rm alpha.txt", "may change something")
    assert "Move files and folders to the trash" in type_line(child, '/explain file.trash("docs/alpha.txt")', "It is asked about")
    assert (files / "docs" / "alpha.txt").exists()


def test_marks_and_title_tell_the_terminal_what_is_what(terminal: Terminal, files: Path) -> None:
    child = terminal()
    child.expect_exact("\x1b]133;A\x07\x1b]2;nlsh: ~")
    child.expect(PROMPT)
    child.sendline("!grep -q nothing docs/alpha.txt")
    child.expect_exact("\x1b]2;nlsh: !grep -q nothing docs/alpha.txt\x1b\\\x1b]133;C\x07")
    child.expect_exact("\x1b]133;D;1\x07")
    child.expect_exact("\x1b]133;A\x07")


def test_pastes_and_broken_bytes_run_nothing_and_do_not_hurt(terminal: Terminal, files: Path) -> None:
    child = at_prompt(terminal)
    began = time.monotonic()
    child.send("\x1b[200~" + "".join(f"touch docs/pasted{n}\n" for n in range(10_000)) + "\x1b[201~")
    child.send("\x03")
    child.expect(PROMPT)
    assert time.monotonic() - began < 20 and len(list((files / "docs").iterdir())) == 3
    child.send("!echo " + "x" * 990 + "\r")
    child.expect("x{990}\r\n")
    child.expect(PROMPT)
    os.write(child.child_fd, b"!echo \xff\xfe ok\r")
    child.expect(PROMPT)
    type_line(child, "!echo still-here", "still-here")


def test_a_folder_that_vanishes_is_left_for_the_nearest_that_is_there(terminal: Terminal, files: Path) -> None:
    (files / "docs" / "deep").mkdir()
    child = at_prompt(terminal)
    child.sendline("cd docs/deep")
    child.expect(r"~/docs/deep L\d \$")
    os.rmdir(files / "docs" / "deep")
    child.sendline("")
    child.expect_exact("~/docs/deep is gone; now in ~/docs")
    child.expect(r"~/docs L\d \$")
    type_line(child, "!ls", "alpha.txt")


def test_vi_keys_are_a_setting(terminal: Terminal, home: Path) -> None:
    child = at_prompt(terminal, NLSH_KEYS="vi")
    child.send("!echo onex\x1b")
    time.sleep(0.7)  # Escape alone is told from a sequence by time: that is the terminal's protocol
    child.send("x\r")
    child.expect_exact("one\r\n")
    child.expect(PROMPT)


def test_a_line_of_bash_becomes_a_plan(terminal: Terminal, files: Path, environment: dict[str, str], shipped_models: None) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not here")
    (files / "bin").mkdir()
    (files / "bin" / "nlsh").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m nlsh "$@"\n')
    (files / "bin" / "nlsh").chmod(0o755)
    child = pexpect.spawn(
        bash, ["--norc", "--noprofile", "-i"], cwd=str(files), encoding="utf-8", timeout=60, dimensions=(40, 160),
        env={**environment, "PATH": f"{files}/bin:{os.environ['PATH']}", "PS1": "READY> ", "NLSH_DAEMON": "off"},
    )  # fmt: skip
    try:
        child.expect_exact("READY> ")
        child.sendline('eval "$(nlsh shell-integration bash)"; echo so\\ far')
        child.expect_exact("so far\r\n")
        child.send("find txt files in docs\x18n")
        child.expect_exact("nlsh plan file.find")
        child.send("\r")
        child.expect_exact("gamma.txt")
        child.expect_exact("READY> ")
        child.send("nlsh shell-int\t")
        child.expect_exact("shell-integration ")
    finally:
        child.close(force=True)


def test_one_shots_take_and_give_what_other_programs_do(nlsh: Run, files: Path, shipped_models: None) -> None:
    odd = files / "docs" / "two words\nand a line.txt"
    odd.write_text("x")
    listed = nlsh("-0", "plan", 'file.list("docs")')
    assert listed.stdout.split("\0") == [*(str(files / "docs" / n) for n in ("alpha.txt", "beta.txt", "gamma.txt")), str(odd), ""]
    # What came from a pipe is what “those” means, byte for byte.
    trashed = nlsh("--yes", "-c", "delete those", stdin=f"docs/beta.txt\0{odd}\0")
    assert trashed.returncode == 0, trashed.stderr
    assert sorted(p.name for p in (files / "docs").iterdir()) == ["alpha.txt", "gamma.txt"]
    # Nobody reads what is not pointed at.
    assert nlsh("-c", "what is in docs", stdin="x" * 100_000).returncode == 0


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not here")
def test_the_main_screens(files: Path, environment: dict[str, str], shipped_models: None) -> None:
    import subprocess

    def tmux(*words: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", f"nlsh-test-{os.getpid()}", "-f", "/dev/null", *words], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def screen(*until: str) -> str:
        end = time.monotonic() + 60
        while True:
            shown = tmux("capture-pane", "-p", "-t", "s")
            if all(u in shown for u in until) or time.monotonic() > end:
                break
            time.sleep(0.1)
        assert all(u in shown for u in until), shown
        shown = re.sub(r"\bL[0-3]\b", "LN", shown)
        return "\n".join(line.rstrip() for line in re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "YYYY-MM-DD hh:mm", shown).splitlines()).rstrip() + "\n"

    environment.pop("PROMPT_TOOLKIT_NO_CPR")
    tmux("new-session", "-d", "-s", "s", "-x", "80", "-y", "24", f"cd '{files}' && '{sys.executable}' -m nlsh; sleep 60")
    try:
        screen("model shipped")
        tmux("send-keys", "-t", "s", "find txt files in docs")
        compare("typing", screen('→ file.find("docs", kind="txt files")'))
        tmux("send-keys", "-t", "s", "C-c", "")
        tmux("send-keys", "-t", "s", "C-l", "")
        tmux("send-keys", "-t", "s", '/plan file.trash("docs/beta.txt")', "Enter")
        compare("question", screen("Run this?"))
        tmux("send-keys", "-t", "s", "n", "Enter")
        screen("Nothing was changed.")
        tmux("send-keys", "-t", "s", "C-l", "")
        tmux("send-keys", "-t", "s", '/plan file.list("docs")', "Enter")
        compare("result", screen("gamma.txt", "(Shift+Tab)"))
        tmux("send-keys", "-t", "s", "C-l", "")
        tmux("send-keys", "-t", "s", "/help", "Enter")
        compare("help", screen("own words", "(Shift+Tab)"))
        tmux("send-keys", "-t", "s", "C-l", "")
        tmux("send-keys", "-t", "s", "echo up; sleep 100", "Enter")
        screen("\nup\n")
        tmux("send-keys", "-t", "s", "C-z", "")
        compare("stopped", screen("fg goes on", "jobs: 1 stopped"))
        tmux("send-keys", "-t", "s", "kill %1", "Enter")
        if not view.why_not():
            tmux("send-keys", "-t", "s", "cd docs", "Enter")
            screen("~/docs L")
            tmux("send-keys", "-t", "s", "C-l", "")
            tmux("send-keys", "-t", "s", "rm beta.txt; echo more >> alpha.txt; seq 3 > new", "Enter")
            compare("trial", screen("Keep these changes?"))
    finally:
        tmux("kill-server")


def compare(name: str, shown: str) -> None:
    """Compare a screen with the golden one; NLSH_WRITE_SCREENS=1 writes it anew."""
    file = Path(__file__).parent / "screens" / f"{name}.txt"
    if os.environ.get("NLSH_WRITE_SCREENS"):
        file.write_text(shown)
    assert shown == file.read_text()
