"""The question at the system call as a person meets it, on a real terminal."""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from nlsh.guard.sandbox import landlock
from tests.journeys.conftest import LIMIT_S, Run, Terminal, ended, plain

pytestmark = pytest.mark.skipif(landlock.abi() < 4, reason="below Landlock 4 connections are not asked about")
ALLOW = "Allow it? "


@pytest.fixture
def places(home: Path) -> tuple[Path, Path]:
    for name in ("work", "outside"):
        (home / name).mkdir()
    return home / "work", home / "outside"


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.sendall(b"hello from outside\n")
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


@pytest.fixture
def start(environment: dict[str, str], places: tuple[Path, Path]) -> Iterator[Terminal]:
    """Return a function that runs a raw command on a terminal, in the work folder."""
    started: list[pexpect.spawn] = []

    def run(command: str, *words: str) -> pexpect.spawn:
        child = pexpect.spawn(
            sys.executable, ["-m", "nlsh", *words, "-c", f"!{command}"], env={**environment, "SHELL": "/bin/bash"}, cwd=str(places[0]), encoding="utf-8",
            codec_errors="replace", timeout=LIMIT_S, dimensions=(40, 200),
        )  # fmt: skip
        started.append(child)
        return child

    yield run
    for child in started:
        child.close(force=True)


def test_once_no_and_the_audit(start: Terminal, nlsh: Run, places: tuple[Path, Path], port: int) -> None:
    outside = places[1]
    child = start(f"exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3; echo x > {outside}/a")
    child.expect_exact(ALLOW)
    assert f"bash wants to connect to 127.0.0.1:{port}" in plain(child.before)
    child.sendline("o")
    child.expect_exact("hello from outside")
    child.expect_exact(ALLOW)
    assert "bash wants to write ~/outside/a" in plain(child.before)
    child.sendline("")
    child.expect_exact("Permission denied")
    ended(child)
    assert list(outside.iterdir()) == []
    shown = nlsh("audit", "show").stdout
    assert f"allow: bash: connect to 127.0.0.1:{port} (user: once)" in shown and f"deny: bash: write {outside}/a (user: no)" in shown


def test_no_answer_in_time_is_no(start: Terminal, home: Path, places: tuple[Path, Path]) -> None:
    (home / ".config/nlsh").mkdir(parents=True)
    (home / ".config/nlsh/policy.toml").write_text("[guard]\nask_seconds = 0.2\n")
    child = start(f"echo x > {places[1]}/a; echo went on")
    child.expect_exact("no answer in time, so: no")
    child.expect_exact("went on")
    ended(child)
    assert list(places[1].iterdir()) == []


def test_ctrl_c_is_no_and_ends_the_command(start: Terminal, places: tuple[Path, Path]) -> None:
    child = start(f"echo x > {places[1]}/a; echo x > {places[1]}/b; echo went on; sleep 1000")
    child.expect_exact(ALLOW)
    child.sendintr()
    child.expect_exact("the command is ended")
    child.expect(pexpect.EOF)
    assert "went on\r" not in child.before and list(places[1].iterdir()) == []


def test_nobody_to_ask_is_no_at_once(start: Terminal, nlsh: Run, places: tuple[Path, Path]) -> None:
    work, outside = places
    child = start(f"echo x > {outside}/a; echo went on", "--no-input")
    ended(child)
    assert ALLOW not in child.before and list(outside.iterdir()) == []
    done = nlsh("--yes", "-c", f"!echo x > {outside}/a; echo went on > b", cwd=work)
    assert ALLOW not in done.stderr and list(outside.iterdir()) == [] and (work / "b").exists()


def test_always_shows_the_rule_writes_it_and_asks_no_more(start: Terminal, home: Path, places: tuple[Path, Path]) -> None:
    command = f"echo x >> {places[1]}/a; echo $? > status"
    child = start(command)
    child.expect_exact(ALLOW)
    child.sendline("a")
    child.expect_exact("Write this? [y/N] ")
    shown = plain(child.before)
    assert 'answer = "allow"' in shown and str(places[1]) in shown and "~/.config/nlsh/policy.toml" in shown
    child.sendline("y")
    child.expect_exact("Keep these changes?")
    child.sendline("n")
    ended(child)
    assert (places[1] / "a").read_text() == "x\n" and "asked-" in (home / ".config/nlsh/policy.toml").read_text()
    again = start(command)
    again.expect_exact("Keep these changes?")
    assert ALLOW not in again.before
    again.sendline("n")
    ended(again)
    assert (places[1] / "a").read_text() == "x\nx\n"


def test_a_name_draws_no_question_of_its_own(start: Terminal, places: tuple[Path, Path]) -> None:
    forged = r"a\x1b[2J\x1b[H\nnlsh: ls wants to read\n  Allow it? \u202e"
    child = start(f"echo x > $'{places[1]}/{forged}'")
    child.expect_exact(ALLOW)
    shown = child.before + child.after
    child.expect(re.escape("[N]o"))
    shown = plain(shown)
    assert r"\x1b[2J\x1b[H\nnlsh: ls wants to read" in shown and "\u202e" not in shown and "\x1b[2J" not in child.before
    child.sendline("n")
    ended(child)
    assert list(places[1].iterdir()) == []


def test_it_asks_though_the_command_has_made_the_terminal_its_own(start: Terminal, places: tuple[Path, Path]) -> None:
    child = start(f"stty raw -echo -isig; echo x > {places[1]}/a; stty -a > tty; stty sane")
    child.expect_exact(ALLOW)
    child.sendline("o")
    child.expect_exact("Keep these changes?")
    child.sendline("y")
    ended(child)
    assert (places[1] / "a").read_text() == "x\n" and "-isig" in (places[0] / "tty").read_text()


def test_why_says_what_was_gated(terminal: Terminal, places: tuple[Path, Path]) -> None:
    child = terminal(SHELL="/bin/bash")
    child.expect(r"L\d (?:\(\d+\) )?\$")
    child.sendline("cd work")
    child.expect(r"L\d (?:\(\d+\) )?\$")
    child.sendline(f"!echo x > {places[1]}/a")
    child.expect_exact(ALLOW)
    child.sendline("o")
    child.expect(r"L\d (?:\(\d+\) )?\$")
    child.sendline("/why")
    child.expect_exact("outside that:")
    child.expect_exact("(user: once)")
    child.expect(r"L\d (?:\(\d+\) )?\$")
    child.sendline("exit")
    assert ended(child) == 0
