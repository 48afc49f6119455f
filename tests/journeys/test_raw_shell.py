"""nlsh as the shell one lives in, on a real terminal: lines that go on, programs that ask or fill the screen, state, interrupts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pexpect
import pytest

from tests.journeys.conftest import Terminal, ended
from tests.journeys.test_repl import PROMPT, at_prompt
from tests.sandbox.trials import needs_views


def bash() -> str:
    found = shutil.which("bash", path="/bin:/usr/bin")
    if found is None:
        pytest.skip("there is no bash here")
    return found


def answer(child: pexpect.spawn, line: str, then: str) -> None:
    """Type a line and wait for what it prints, and for the next prompt."""
    child.sendline(line)
    child.expect_exact(line.split("\n")[0])
    child.expect_exact(then)
    child.expect(PROMPT)


def test_lines_that_go_on_and_a_state_that_stays(terminal: Terminal, home: Path) -> None:
    child = at_prompt(terminal, SHELL=bash())
    child.sendline("for word in one two; do")
    child.sendline('  echo "<$word>"; done')
    child.expect_exact("<one>\r\n<two>\r\n")
    child.expect(PROMPT)
    child.sendline("cat <<END")
    child.sendline("two  spaces and a $word")
    child.sendline("END")
    child.expect_exact("two  spaces and a two\r\n")
    child.expect(PROMPT)
    child.sendline('greet() { echo "hello, $1"; }')
    child.expect(PROMPT)
    answer(child, "greet 'you  two'", "hello, you  two\r\n")
    child.sendline("false")
    child.expect(r"L\d \(\d+\) \$")
    answer(child, "echo status $?", "status 1\r\n")
    child.sendline("exit 4")
    assert ended(child) == 4


def test_lines_go_on_at_a_plain_prompt_too(terminal: Terminal, home: Path) -> None:
    child = at_prompt(terminal, "--plain")
    child.sendline("for word in one two; do")
    child.expect_exact("\n> ")
    child.sendline('echo "<$word>"; done')
    child.expect_exact("<one>\r\n<two>\r\n")
    child.expect(PROMPT)


def test_programs_that_ask_fill_the_screen_and_are_resized_or_interrupted(terminal: Terminal, home: Path) -> None:
    (home / "long.txt").write_text("".join(f"line {n}\n" for n in range(500)))
    child = at_prompt(terminal, SHELL=bash())
    child.sendline("read -r -p 'Your name? ' name; echo \"it is $name\"")
    child.expect(r"\nYour name\? ")
    child.sendline("nobody")
    child.expect_exact("it is nobody")
    child.expect(PROMPT)
    if shutil.which("less"):
        child.sendline("less -S long.txt")
        child.expect_exact("line 38")
        child.setwinsize(20, 100)
        child.send("G")
        child.expect_exact("line 499")
        child.send("q")
        child.expect(PROMPT)
        answer(child, "stty size", "20 100\r\n")
    child.sendline("sleep 60")
    child.expect_exact("sleep 60")
    child.expect_exact("$ sleep 60")
    child.sendintr()
    child.expect(r"L\d \(\d+\) \$")
    answer(child, "echo $?", "130\r\n")


def test_an_editor_on_the_whole_screen_changes_its_file(terminal: Terminal, home: Path) -> None:
    needs_views()
    editor = shutil.which("vim") or shutil.which("vi")
    if editor is None:
        pytest.skip("there is no vi here")
    (home / "work").mkdir()
    child = at_prompt(terminal, SHELL=bash())
    child.sendline("cd work")
    child.expect(r"~/work L\d \$")
    child.sendline(f"{Path(editor).name} -u NONE text.txt")
    child.expect_exact("is worked in on the whole screen")
    child.expect_exact("Run this?")
    child.sendline("y")
    child.expect_exact("text.txt")
    child.send("iwritten by hand\x1b:wq\r")
    child.expect(PROMPT)
    assert (home / "work" / "text.txt").read_text() == "written by hand\n"
