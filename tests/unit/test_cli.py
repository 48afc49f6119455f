"""The command line's own decisions, in this process: what is a request, and what --version may import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nlsh import cli
from nlsh.shell.options import NotARequest, checked_request

ROOT = Path(__file__).resolve().parents[2]


def imported_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_version_imports_next_to_nothing() -> None:
    found = imported_by("from nlsh.cli import main; main(['--version'])")
    assert not found & {"argparse", "json", "dataclasses", "re", "subprocess", "nlsh.plan.plan", "nlsh.shell.show", "inspect"}


@pytest.mark.parametrize("module", ["nlsh.shell.turn", "nlsh.shell.commands.registered", "nlsh.kernel.kernel", "nlsh.guard.sandbox.zygote"])
def test_a_one_shot_imports_nothing_heavy(module: str) -> None:
    found = imported_by(f"import {module}")
    assert not found & {"rich", "typer", "click", "pydantic", "numpy", "prompt_toolkit", "llama_cpp", "psutil", "asyncio", "torch"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  find\tbig \n files ", "find big files"),
        ("列出文件", "列出文件"),
        ("!printf 'a\tb'\n", "!printf 'a\tb'"),
        ("x" * 2000, "x" * 2000),
        ("❤️ files", "❤️ files"),
    ],
)
def test_what_is_a_request(given: str, kept: str) -> None:
    assert checked_request(given) == kept


@pytest.mark.parametrize("given", ["", " \n", "!", "?", "x" * 2001, "a\x00b", "a\x1b[2J", "a\udcff", "a\x7f", "!ls\x1b"])
def test_what_is_none(given: str) -> None:
    with pytest.raises(NotARequest):
        checked_request(given)


def test_a_raw_command_may_be_longer_than_a_sentence() -> None:
    assert checked_request("!echo " + "x" * 5000)
    with pytest.raises(NotARequest):
        checked_request("!" + "x" * 100_001)


@pytest.mark.parametrize("words", [["-c", "-x"], ["-c", "--yes"], ["--request", "-"], ["-q", "-c", "--", "--yes"]])
def test_the_word_after_c_is_the_request_whatever_it_looks_like(words: list[str]) -> None:
    at = next(i for i, w in enumerate(words) if w in ("-c", "--request"))
    assert cli._parse(words).request == words[at + 1]


def test_flags_before_and_after_a_command_are_both_kept() -> None:
    options = cli._parse(["--json", "--allow", "fs.write", "undo", "3", "--yes"])
    assert (options.json, options.yes, options.allow, options.command, options.words) == (True, True, ["fs.write"], "undo", ["3"])


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["undo", "--help"]])
def test_help_is_no_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 0
    assert "exit status" in capsys.readouterr().out or "undo" in words
