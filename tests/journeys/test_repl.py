"""The shell as a person types at it, on a real terminal."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

import pexpect
import pytest

from tests.journeys.conftest import Run, Terminal, ended, plain

PROMPT = r"L\d (?:\(\d+\) )?\$"
ASKED = "Run this? [y/N/a/e/?] "


@pytest.fixture
def files(home: Path) -> Path:
    (home / "docs").mkdir()
    (home / "docs" / "old.txt").write_text("old")
    (home / "docs" / "keep.txt").write_text("keep")
    return home


def type_line(child: pexpect.spawn, line: str, then: str = "") -> str:
    """Type a line, wait for `then` and for the next prompt, and return what was shown after the line was entered."""
    child.sendline(line)
    # The editor draws the line itself; what comes after is the answer.
    child.expect_exact(line.split("\n")[0])
    shown = ""
    if then:
        child.expect_exact(then)
        shown += child.before + child.after
    child.expect(PROMPT)
    return plain(shown + child.before)


def until_asked(child: pexpect.spawn) -> str:
    """Wait for the question about a plan, agreeing to the first reading where the planner is not sure; return what was shown."""
    shown = ""
    while child.expect([re.escape(ASKED), r"Which\? [^\n]*\] ", r"Do that\? [^\n]*\] "]) != 0:
        shown += child.before
        child.sendline("1")
    return plain(shown + child.before)


def at_prompt(terminal: Terminal, *words: str, **more: str) -> pexpect.spawn:
    child = terminal(*words, **more)
    child.expect(PROMPT)
    return child


def test_the_first_start_says_three_lines_and_the_next_none(terminal: Terminal, home: Path) -> None:
    child = at_prompt(terminal)
    welcome = plain(child.before)
    assert len([line for line in welcome.splitlines() if line.strip() and not re.search(r"L\d", line[-6:])]) == 3 and "/help" in welcome
    child.sendline("exit")
    assert ended(child) == 0
    again = at_prompt(terminal)
    assert "/help" not in again.before
    again.sendeof()
    assert ended(again) == 0


@pytest.mark.parametrize("word", ["help", "帮助", "/help"])
def test_help_is_what_it_says(terminal: Terminal, word: str) -> None:
    child = at_prompt(terminal)
    child.sendline(word)
    child.expect_exact("/plan TEXT runs a plan")
    child.sendline("exit")
    assert ended(child) == 0


def test_one_unsure_reading_of_a_change_is_asked_about_once_with_its_preview(terminal: Terminal, files: Path) -> None:
    child = terminal("-c", "move docs/old.txt to the trash", NLSH_SURE="0.9999")
    child.expect_exact("not sure that this is what you mean")
    child.expect_exact(ASKED)
    assert "move ~/docs/old.txt to the trash" in plain(child.before) and "Do that?" not in child.before
    child.sendline("n")
    assert ended(child) == 3 and (files / "docs" / "old.txt").exists()


def test_a_no_is_told_what_came_of_it_on_a_line_of_its_own(terminal: Terminal, files: Path, shipped_models: None) -> None:
    child = terminal("-c", "what is in docs", NLSH_SURE="0.9999")
    child.expect(r"Do that\?[^\n]*\] |Which\?[^\n]*\] ")
    child.sendeof()
    child.expect_exact("\r\nNothing was run.")
    assert ended(child) == 4


def test_change_result_undo(terminal: Terminal, files: Path) -> None:
    child = at_prompt(terminal)
    child.sendline('/plan file.trash("docs/old.txt")')
    child.expect_exact(ASKED)
    assert "move ~/docs/old.txt to the trash" in plain(child.before)
    assert (files / "docs" / "old.txt").exists()
    child.sendline("y")
    child.expect_exact("Done: 1 step. Take it back: undo 1")
    child.expect(PROMPT)
    assert not (files / "docs" / "old.txt").exists()
    child.sendline("undo that")
    child.expect_exact("  history.undo()")
    child.expect_exact(ASKED)
    assert "not sure" not in plain(child.before)
    child.sendline("y")
    child.expect_exact("Done: ")
    child.expect(PROMPT)
    assert (files / "docs" / "old.txt").read_text() == "old"


def test_the_last_result_can_be_named(terminal: Terminal, files: Path) -> None:
    child = at_prompt(terminal)
    type_line(child, '/plan file.find(under="docs", named="old*")', "old.txt")
    child.sendline("/plan file.trash(_)")
    child.expect_exact(ASKED)
    child.sendline("y")
    child.expect_exact("Done: 1 step")
    child.expect(PROMPT)
    assert [p.name for p in (files / "docs").iterdir()] == ["keep.txt"]


def test_a_program_that_is_not_there_is_not_found_at_home(terminal: Terminal, files: Path) -> None:
    child = at_prompt(terminal)
    child.sendline("!nosuchcmd a")
    child.expect_exact("not found")
    child.expect_exact("(127) $")
    assert "whole home folder" not in plain(child.before)
    # A function of this name is one, and may change what it likes to: not here.
    child.sendline("nosuchcmd() { touch made; }")
    child.expect(PROMPT)
    child.sendline("!nosuchcmd a")
    child.expect_exact("whole home folder")
    child.expect(PROMPT)
    assert not (files / "made").exists()


def test_commands_cd_and_status(terminal: Terminal, files: Path) -> None:
    child = at_prompt(terminal)
    assert "no line before" in type_line(child, "!!", "no line before")
    assert "$ ls docs" in type_line(child, "ls docs", "keep.txt")
    assert "$ ls docs" in type_line(child, "!!", "keep.txt")
    child.sendline("cd docs")
    child.expect(r"~/docs L\d \$")
    assert str(files / "docs") in type_line(child, "!pwd", str(files / "docs"))
    child.sendline("cd -")
    child.expect(r"~ L\d \$")
    child.sendline("cd nowhere-at-all")
    child.expect_exact("There is no")
    child.expect(r"~ L\d \(\d+\) \$")
    child.sendline("!grep -q zzz /etc/hostname")
    child.expect(r"~ L\d \(\d+\) \$")
    child.sendline("exit 7")
    assert ended(child) == 7


def test_cd_understands_what_people_call_a_place(terminal: Terminal, home: Path) -> None:
    (home / "Downloads").mkdir()
    child = at_prompt(terminal)
    child.sendline("cd my downloads folder")
    child.expect(r"~/Downloads L\d \$")


def test_export_and_alias(terminal: Terminal, home: Path) -> None:
    child = at_prompt(terminal)
    type_line(child, "export GREETING=hello-there")
    assert "hello-there" in type_line(child, "!echo $GREETING", "hello-there")
    type_line(child, "alias greet='echo aliased-$GREETING'")
    child.sendline("greet")
    child.expect_exact("aliased-hello-there")
    type_line(child, "unset GREETING")
    assert "GREETING" not in type_line(child, "!env")


def test_ctrl_c_cancels_the_line_and_the_question_but_not_the_shell(terminal: Terminal, files: Path) -> None:
    child = at_prompt(terminal)
    child.send("this is never ent")
    child.expect_exact("never ent")
    child.sendintr()
    child.expect(PROMPT)
    child.sendline('/plan file.trash("docs/old.txt")')
    child.expect_exact(ASKED)
    child.sendintr()
    child.expect_exact("Cancelled.")
    child.expect(PROMPT)
    assert (files / "docs" / "old.txt").exists()
    child.sendeof()
    assert ended(child) == 0


def test_ctrl_c_stops_a_running_command_and_the_shell_goes_on(terminal: Terminal, files: Path) -> None:
    child = at_prompt(terminal)
    child.sendline("!cat")
    child.expect_exact("!cat")
    child.sendline("echoed")
    child.expect_exact("echoed")
    child.expect_exact("echoed")
    child.sendintr()
    child.expect(r"L\d \(\d+\) \$")
    assert re.search(r"\^C +\r\x1b\[K", child.before), "the prompt stands on a line of its own, not behind the ^C"
    assert "docs" in type_line(child, "!ls", "docs")


def test_a_terminal_that_was_resized_while_a_line_was_typed_gets_what_fits_it(terminal: Terminal, home: Path) -> None:
    child = at_prompt(terminal)
    child.send("/help")
    child.expect_exact("/help")
    child.setwinsize(24, 50)
    shown = type_line(child, "", "At the prompt")
    assert "runs a plan" in shown and "runs a plan; alone it shows the last one" not in shown


def test_a_wrong_word_is_said_and_harmless(terminal: Terminal, home: Path) -> None:
    child = at_prompt(terminal)
    assert "Did you mean /help?" in type_line(child, "/hepl", "Did you mean")
    assert "no action" in type_line(child, "/plan file.burn()", "no action")
    assert "Did you mean" not in type_line(child, "/bin/true")


def test_slash_words(terminal: Terminal, files: Path) -> None:
    child = at_prompt(terminal)
    assert "/undo" in type_line(child, "/help", "/exit")
    assert "own-files" in type_line(child, "/policy", "own-files")
    assert "Move files and folders to the trash" in type_line(child, "/actions file.trash", "effects:")
    assert "no plan yet" in type_line(child, "/plan", "no plan yet")
    assert "nothing to explain" in type_line(child, "/why", "nothing to explain")
    child.sendline('/plan file.trash("docs/old.txt")')
    child.expect_exact(ASKED)
    child.sendline("n")
    child.expect_exact("Nothing was changed.")
    child.expect(PROMPT)
    assert 'file.trash("docs/old.txt")' in type_line(child, "/plan", 'file.trash("docs/old.txt")')
    assert "rule changes" in type_line(child, "/why", "rule changes")
    assert "holds" in type_line(child, "/audit verify", "The audit holds")


def test_completion_of_paths_actions_and_slash_words(terminal: Terminal, files: Path) -> None:
    child = at_prompt(terminal)
    child.send("/he\t")
    child.expect(r"/he(?:\x1b\[[?\d;]*[a-zA-Z])*lp")  # the screen may be drawn in between
    child.sendline("")
    child.expect_exact("this list")
    child.expect(PROMPT)
    child.send("!cat docs/ke\t")
    child.sendline("")
    child.expect(r"[lm\n\x07]keep")
    child.expect(PROMPT)
    child.send("/actions file.tra\t")
    child.sendline("")
    child.expect_exact("Move files and folders to the trash")


def test_history_is_kept_for_the_owner_only_and_not_for_lines_that_start_with_a_space(terminal: Terminal, home: Path) -> None:
    child = at_prompt(terminal)
    type_line(child, "!echo remember-me", "remember-me")
    type_line(child, " !echo forget-me", "forget-me")
    child.sendline("exit")
    ended(child)
    file = home / ".local/state/nlsh/history"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "remember-me" in file.read_text() and "forget-me" not in file.read_text()
    again = at_prompt(terminal)
    again.send("\x1b[A\x1b[A\r")
    again.expect_exact("remember-me\r\n")


def _cut_short(nlsh: Run, home: Path) -> None:
    """Make a run look as if its process had died after the first of two steps."""
    (home / "a").write_text("a")
    (home / "b").write_text("b")
    assert nlsh("plan", "-", "--yes", stdin='file.move(["a", "b"], to="docs")').returncode == 0
    os.rename(home / "docs" / "b", home / "b")
    with sqlite3.connect(home / ".local/state/nlsh/journal.sqlite") as db:
        db.execute("UPDATE runs SET status='running', finished_at=NULL, owner='1:1:gone'")
        db.execute("UPDATE steps SET state='planned'")
    db.close()


@pytest.mark.parametrize(("answer", "a_in", "b_in"), [("f", "docs", "docs"), ("r", ".", "."), ("", "docs", ".")])
def test_a_run_that_was_cut_short_is_offered(terminal: Terminal, nlsh: Run, files: Path, answer: str, a_in: str, b_in: str) -> None:
    _cut_short(nlsh, files)
    child = terminal()
    child.expect_exact("was cut short: 1 of 2 steps")
    child.expect_exact("later? ")
    child.sendline(answer)
    if answer:
        child.expect_exact(ASKED)
        child.sendline("y")
    child.expect(PROMPT)
    assert (files / a_in / "a").exists() and (files / b_in / "b").exists()
    child.sendline("exit")
    ended(child)
    # What was put off is offered again, what was settled is not.
    again = terminal()
    again.expect(["later\\? ", PROMPT])
    assert (re.search("later", again.after) is not None) == (answer == "")


@pytest.mark.parametrize(("words", "term"), [((), "dumb"), (("--plain",), "xterm")])
def test_a_dumb_terminal_gets_text_and_nothing_else(terminal: Terminal, files: Path, words: tuple[str, ...], term: str) -> None:
    child = at_prompt(terminal, *words, TERM=term, NO_COLOR="")
    said = child.before
    child.sendline("!ls docs")
    child.expect_exact("keep.txt")
    child.expect(PROMPT)
    said += child.before
    child.sendline('/plan file.trash("docs/old.txt")')
    child.expect_exact(ASKED)
    child.sendline("y")
    child.expect_exact("Done: 1 step")
    said += child.before
    child.expect(PROMPT)
    child.sendintr()
    child.expect(PROMPT)
    said += child.before
    child.sendeof()
    assert ended(child) == 0
    assert "\x1b" not in said


def test_a_pasted_control_character_is_no_request(terminal: Terminal, home: Path) -> None:
    child = at_prompt(terminal)
    child.send("\x1b[200~find\x07 all\x1b[201~")
    child.sendline("")
    child.expect_exact("control characters")
    child.expect(PROMPT)


def test_without_a_terminal_there_is_no_shell(nlsh: Run) -> None:
    assert nlsh(stdin="ls\n").returncode == 2


def test_request_preview_yes_result_undo(terminal: Terminal, files: Path, shipped_models: None) -> None:
    child = at_prompt(terminal)
    child.sendline("move docs/old.txt to the trash")
    until_asked(child)
    child.sendline("y")
    child.expect_exact("Done: 1 step")
    child.expect(PROMPT)
    assert not (files / "docs" / "old.txt").exists()
    type_line(child, "/why", "file.trash")
    child.sendline("undo that")
    until_asked(child)
    child.sendline("y")
    child.expect_exact("Done: ")
    child.expect(PROMPT)
    assert (files / "docs" / "old.txt").read_text() == "old"


def test_those_are_what_was_found(terminal: Terminal, files: Path, shipped_models: None) -> None:
    child = at_prompt(terminal)
    type_line(child, "find txt files in docs", "keep.txt")
    child.sendline("delete those")
    shown = until_asked(child)
    assert "old.txt" in shown and "keep.txt" in shown
    child.sendline("n")
    child.expect(PROMPT)
