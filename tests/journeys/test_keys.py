"""Keys and words at the prompt that the other journeys do not press: history, what is shown in grey, always, the live table, and much output."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.journeys.conftest import ROOT, Run, Terminal, ended, plain
from tests.journeys.test_repl import ASKED, PROMPT, at_prompt, type_line


@pytest.fixture
def files(home: Path) -> Path:
    (home / "docs").mkdir()
    for name in ("alpha.txt", "beta.txt"):
        (home / "docs" / name).write_text(name)
    return home


def test_what_was_typed_before_is_found_again_by_search_and_in_grey(terminal: Terminal, files: Path) -> None:
    child = at_prompt(terminal)
    type_line(child, "!echo first-one", "first-one")
    type_line(child, "!echo another", "another")
    child.send("\x12first")
    child.expect_exact("-one")
    child.send("\r")
    child.expect(r"[\n\x07]first-one\r\n")
    child.expect(PROMPT)
    # Its beginning is enough: the rest stands there in grey, and the right arrow takes it.
    child.send("!echo an")
    child.expect_exact("other")
    child.send("\x1b[C\r")
    child.expect(r"[\n\x07]another\r\n")


def test_always_shows_its_rule_and_holds_as_long_as_was_said(terminal: Terminal, files: Path) -> None:
    child = at_prompt(terminal)
    child.sendline('/plan file.copy("docs/alpha.txt", to="docs/gamma.txt")')
    child.expect_exact(ASKED)
    child.sendline("a")
    child.expect_exact("For how long? [o/s/p/a/N] ")
    child.sendline("s")
    child.expect_exact("Remember this, and run it? [y/N] ")
    assert "until this nlsh ends" in plain(child.before) and "gamma.txt" in plain(child.before)
    child.sendline("y")
    child.expect_exact("Done: 1 step.")
    child.expect(PROMPT)
    os.unlink(files / "docs" / "gamma.txt")
    # The same again is not asked about, another is.
    child.sendline('/plan file.copy("docs/alpha.txt", to="docs/gamma.txt")')
    assert child.expect_exact(["Done: 1 step.", ASKED]) == 0
    child.expect(PROMPT)
    child.sendline('/plan file.copy("docs/alpha.txt", to="docs/delta.txt")')
    assert child.expect_exact(["Done: 1 step.", ASKED]) == 1
    child.sendline("n")
    child.expect(PROMPT)
    assert not (files / ".config/nlsh/policy.toml").exists()


def test_the_live_table_takes_the_screen_and_gives_it_back(terminal: Terminal, home: Path) -> None:
    child = at_prompt(terminal)
    child.sendline("/top")
    child.expect_exact("\x1b[?1049h")
    child.expect(r"processes by CPU")
    child.send("m")
    child.expect(r"processes by memory")
    child.setwinsize(12, 50)
    child.send("q")
    child.expect_exact("\x1b[?1049l")
    child.expect(PROMPT)
    type_line(child, "!echo back", "back")
    child.sendline("exit")
    assert ended(child) == 0


SOURCED = {
    "zsh": (["-f", "-i"], "PROMPT='READY> '; eval \"$(nlsh shell-integration zsh)\"; echo so\\ far"),
    "fish": (["--no-config", "-i"], "function fish_prompt; echo -n 'READY> '; end; nlsh shell-integration fish | source; echo so\\ far"),
}


@pytest.mark.parametrize("shell", SOURCED)
def test_a_line_of_zsh_or_fish_becomes_a_plan(files: Path, environment: dict[str, str], shipped_models: None, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    (files / "bin").mkdir()
    (files / "bin" / "nlsh").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m nlsh "$@"\n')
    (files / "bin" / "nlsh").chmod(0o755)
    options, first = SOURCED[shell]
    child = pexpect.spawn(
        shell, options, cwd=str(files), encoding="utf-8", timeout=60, dimensions=(40, 160),
        env={**environment, "PATH": f"{files}/bin:{os.environ['PATH']}", "NLSH_DAEMON": "off"},
    )  # fmt: skip
    try:
        child.expect([r"[%#>$] "])
        child.sendline(first)
        child.expect_exact("so far\r\n")
        child.expect_exact("READY> ")
        child.send("find txt files in docs\x18n")
        child.expect_exact("file.find")
        child.send("\r")
        child.expect_exact("alpha.txt")
    finally:
        child.close(force=True)


def test_a_hundred_megabytes_go_through_and_stay_nowhere(environment: dict[str, str], home: Path) -> None:
    size = 100_000_000
    # A process that has just begun counts the memory of the one it was forked from: a small one stands between pytest and nlsh.
    between = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""
    command = [sys.executable, "-c", between, sys.executable, "-m", "nlsh", "-c", f"!head -c {size} /dev/zero"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=home, env=environment, stdin=subprocess.DEVNULL)
    assert process.stdout is not None and process.stderr is not None
    came = sum(len(data) for data in iter(lambda: process.stdout.read(1 << 20), b""))
    status, used = process.stderr.read().split()[-2:]
    process.communicate()
    assert (came, int(status)) == (size, 0)
    assert int(used) < 100_000, "kilobytes: it was kept in memory"


def test_as_cron_starts_it(home: Path, files: Path) -> None:
    """No terminal, no SHELL, no TERM, no language: it reads, it changes nothing without leave, and says so."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        given = {"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "NLSH_DAEMON": "off"}
        words = (sys.executable, "-m", "nlsh", "--no-input", *words)
        return subprocess.run(words, env=given, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)

    assert run("-c", "!echo $((1+2))").stdout == "3\n"
    refused = run("plan", 'file.trash("docs/alpha.txt")')
    assert (refused.returncode, refused.stdout) == (3, "") and "nobody to ask" in refused.stderr and "\x1b" not in refused.stderr
    assert (files / "docs" / "alpha.txt").exists()
    assert run("--yes", "plan", 'file.trash("docs/alpha.txt")').returncode == 0
    assert not (files / "docs" / "alpha.txt").exists()


def test_a_request_is_read_from_stdin(nlsh: Run) -> None:
    for words in (("-",), ("-c", "-"), ("--plain", "-"), ("--color", "never", "-")):
        assert nlsh(*words, stdin="!echo from-stdin\n").stdout == "from-stdin\n"
