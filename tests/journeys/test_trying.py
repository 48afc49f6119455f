"""A command tried on a copy, as a person meets it on a real terminal: shown, listed, dropped, kept, and taken back in a later session."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pexpect
import pytest

from tests.journeys.conftest import Run, Terminal, ended, plain, states, until
from tests.journeys.test_repl import at_prompt
from tests.sandbox.trials import needs_views, tree

TAKES = """
import pathlib, signal, sys
signal.signal(signal.SIGINT, lambda *_: print("taken", flush=True))
pathlib.Path(sys.argv[1]).touch()
print("ready", flush=True)
while True:
    signal.pause()
"""
ASKED = "Keep these changes? [y/N/l/d/?] "


@pytest.fixture
def work(home: Path) -> Path:
    needs_views()
    folder = home / "work"
    (folder / "build").mkdir(parents=True)
    (folder / "build" / "old.o").write_text("old")
    (folder / "notes.txt").write_text("one\n")
    return folder


def start(terminal: Terminal) -> pexpect.spawn:
    child = at_prompt(terminal)
    child.sendline("cd work")
    child.expect(r"~/work L\d \$")
    return child


def test_shown_dropped_kept_and_taken_back_in_a_later_session(terminal: Terminal, nlsh: Run, work: Path) -> None:
    before = tree(work)
    child = start(terminal)
    child.sendline("!rm -rf build && mkdir build && echo compiled && touch build/{new.o,'a b.o'} 2>/dev/null; echo two >> notes.txt")
    child.expect_exact("on a copy of ~/work: nothing is changed yet")
    child.expect_exact("compiled")
    child.expect_exact(ASKED)
    shown = plain(child.before)
    assert "it ended well. Nothing is changed yet. In ~/work it would:" in shown
    assert "delete build/old.o" in shown and "change notes.txt  4 B → 8 B" in shown and "+two" in shown
    assert tree(work) == before
    child.sendline("?")
    child.expect_exact("drop them, and nothing was changed")
    child.expect_exact(ASKED)
    child.sendline("")
    child.expect_exact("Dropped. Nothing was changed.")
    child.expect(r"L\d \(\d+\) \$")
    assert tree(work) == before
    child.sendline("!rm -rf build; echo two >> notes.txt")
    child.expect_exact(ASKED)
    child.sendline("y")
    child.expect_exact("Take it back: undo 1")
    child.expect(r"L\d \$")
    assert not (work / "build").exists() and (work / "notes.txt").read_text() == "one\ntwo\n"
    child.sendline("exit")
    assert ended(child) == 0
    done = nlsh("undo", "--yes", cwd=work)
    assert done.returncode == 0, done.stderr
    assert tree(work) == before


def test_a_command_that_fails_is_shown_and_asked_about(terminal: Terminal, work: Path) -> None:
    child = start(terminal)
    child.sendline("!echo half > made; exit 9")
    child.expect_exact("it failed with status 9")
    child.expect_exact("create made")
    child.expect_exact(ASKED)
    child.sendline("n")
    child.expect_exact("Dropped.")
    assert not (work / "made").exists()


def test_ctrl_c_ends_the_trial_and_changes_nothing(terminal: Terminal, work: Path) -> None:
    before = tree(work)
    child = start(terminal)
    unique = f"6{os.getpid()}"
    child.sendline(f"!rm -rf build; echo started; sleep {unique}")
    child.expect_exact("started\r\n")
    # Before that, a Ctrl-C may find the shell between its fork and its exec, and be lost, as in any shell.
    until(lambda: "S" in states(f"sleep {unique}"))
    child.sendintr()
    child.expect(r"L\d \(\d+\) \$")
    assert tree(work) == before
    child.sendline("!echo x > made")
    child.expect_exact(ASKED)
    child.sendintr()
    child.expect_exact("Cancelled.")
    child.sendline("!echo x > made")
    child.expect_exact(ASKED)
    child.sendeof()
    child.expect_exact("\r\nDropped. Nothing was changed.")
    assert tree(work) == before


def test_an_interpreter_that_is_tried_has_its_ctrl_c_and_what_heeds_none_is_ended_by_three(terminal: Terminal, work: Path) -> None:
    (work / "takes.py").write_text(TAKES)
    child = start(terminal)
    for name, stops in (("touch", False), ("keep", True)):
        child.sendline(f"!{sys.executable} takes.py {name}")
        child.expect_exact("ready\r\n")
        child.sendintr()
        child.expect_exact("taken\r\n")
        if stops:
            # On a slow machine two may be too far from each other to be in a row.
            while child.sendintr() or child.expect_exact(["the command has not ended. Ctrl-C once more ends it at once.", "taken\r\n"]) != 0:
                continue
            child.sendintr()
            child.expect(r"L\d \(\d+\) \$")
            break
        time.sleep(2.1)  # what comes later is no more in a row: that is what it is about
        child.sendintr()
        child.expect_exact("taken\r\n")
        # Ctrl-\ is not for nlsh, which goes on when the command has died of it.
        child.send("\x1c")
        child.expect_exact("it failed with status")
        child.expect_exact("create touch")
        child.expect_exact(ASKED)
        child.sendline("n")
        child.expect(r"L\d \(\d+\) \$")
    assert not (work / "touch").exists() and not (work / "keep").exists()


def test_a_command_reads_what_is_typed_and_what_is_piped(terminal: Terminal, nlsh: Run, work: Path) -> None:
    child = start(terminal)
    child.sendline("!read line; echo got-$line; echo $line > typed")
    child.expect_exact("nothing is changed yet")
    child.sendline("some words")
    child.expect_exact("got-some words")
    child.expect_exact(ASKED)
    child.sendline("y")
    child.expect_exact("Take it back")
    assert (work / "typed").read_text() == "some words\n"
    done = nlsh("--yes", "-c", "!cat > piped; echo out; echo err >&2; exit 6", stdin="through a pipe", cwd=work)
    assert (done.returncode, done.stdout) == (6, "out\n") and "err\n" in done.stderr
    assert (work / "piped").read_text() == "through a pipe"
    refused = nlsh("-c", "!rm piped", cwd=work)
    assert refused.returncode == 3 and (work / "piped").exists()


def test_what_is_not_tried_says_so_before_it_asks(terminal: Terminal, work: Path) -> None:
    child = start(terminal)
    child.sendline("!!echo x > made")
    child.expect_exact("not tried on a copy first, because you have said !!")
    child.expect_exact("cannot be undone")
    child.expect_exact("Run this? [y/N/a/e/?] ")
    child.sendline("y")
    child.expect_exact("Done: 1 step.")
    assert (work / "made").exists()
