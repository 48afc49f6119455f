"""The command line's own decisions, in this process: what is a request, and what --version may import."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nlsh import cli
from nlsh.shell.options import NotARequest, Options, checked_request
from nlsh.shell.prompt import repl

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


def test_what_a_sentence_is_sent_with_needs_little_of_the_standard_library() -> None:
    found = imported_by("from nlsh.shell import startup; startup.begin(); import nlsh.shell.oneshot, nlsh.shell.turn")
    assert not found & {"inspect", "ipaddress", "ast", "argparse", "shutil", "importlib.resources", "tempfile", "subprocess"}


def test_what_was_spared_is_there_when_it_is_used() -> None:
    code = """from nlsh.shell import startup
startup.begin()
import dataclasses, sys, urllib.parse
assert not {"inspect", "ipaddress"} & set(sys.modules)
assert dataclasses.make_dataclass("Point", ["x"]).__doc__ == "Point(x: 'typing.Any')"
assert urllib.parse.urlsplit("http://[::1]/").hostname == "::1" and urllib.parse.ipaddress.ip_address("::1").is_loopback
import inspect
assert inspect.signature(inspect.signature) and sys.modules["inspect"] is inspect"""
    assert "inspect" in imported_by(code)


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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["skills", "show"], "That is not how it is said: nlsh skills show. There is: list; show PACK"),
        (["skills", "frob"], "nlsh skills does not know “frob”. There is:"),
        (["jobs", "pause", "x"], "That is not how it is said: nlsh jobs pause x. There is:"),
        (["policy", "check"], "That is not how it is said: nlsh policy check. There is:"),
        (["audit", "export", "/x"], "That is not how it is said: nlsh audit export /x. There is:"),
        (["history", "x"], "“x” is not how many of the last runs to list. Try: nlsh history 5"),
        (["plan", "a = "], "“a = ” is no plan, and there is no file of that name. Nothing was run."),
        (["./nothing.nlsh"], "there is no file “./nothing.nlsh”. Nothing was run."),
    ],
)
def test_a_wrong_use_says_what_is_wrong_and_what_there_is(words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    heard = io.StringIO()
    monkeypatch.setattr(sys, "stderr", heard)
    assert cli.main(words) == 2
    assert heard.getvalue().startswith(f"nlsh: {said}")


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


def test_a_switch_says_what_argparse_says_of_it() -> None:
    for words in ([], *([word] for word in cli._SWITCHES), ["-q", "--json", "-q"]):
        fields = vars(cli._parser(words).parse_args(words))
        assert cli._parse([*words, "-c", "x"]) == Options(**{**fields, "request": "x"})
    switches = {n: a.dest for a in cli._parser([])._actions if isinstance(a, argparse._StoreTrueAction) and a.dest != "version" for n in a.option_strings}
    assert switches == cli._SWITCHES


def test_flags_before_and_after_a_command_are_both_kept() -> None:
    options = cli._parse(["--json", "--allow", "fs.write", "undo", "3", "--yes"])
    assert (options.json, options.yes, options.allow, options.command, options.words) == (True, True, ["fs.write"], "undo", ["3"])


@pytest.mark.parametrize(
    "line",
    [
        "", "-n", "-h", "--help", "-yh", "--hel", "plan x", "plan --help", "plna x", "--model plan foo", "--model x run y", "--bogus", "jobs --yse",
        "--color x", "model eval --most 3 -n", "audit show --step x", "--allow x -n", "daemon run --idle 5", "skills new x --from-last 3", "undo", "-V",
        "plan x --most 3",
    ],
)  # fmt: skip
def test_the_parser_for_one_line_is_as_good_as_the_one_for_all(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    def read(parser: argparse.ArgumentParser) -> tuple[object, object]:
        try:
            return vars(parser.parse_args(line.split())), capsys.readouterr()
        except SystemExit as end:
            return end.code, capsys.readouterr()

    assert read(cli._parser(line.split())) == read(cli._parser())


def test_a_ctrl_c_while_the_shell_starts_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise SystemExit("went on")

    monkeypatch.setattr(repl.Session, "start", start)
    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit, match="went on"):
            cli.main([])
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_program_that_reads_json_gets_the_error_as_json_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "p.plan").write_text('file.nothing("x")')
    assert cli.main(["--json", "plan", "p.plan"]) == 2
    said = capsys.readouterr()
    assert json.loads(said.out)["error"]["code"] == "plan.unknown-action" and "There is no action" in said.err
    assert cli.main(["plan", "p.plan"]) == 2 and not capsys.readouterr().out


@pytest.mark.parametrize(("flag", "says"), [("--jsno", "Did you mean --json?"), ("--dryrun", "Did you mean --dry-run?"), ("--bogus", "See nlsh --help.")])
def test_a_flag_that_is_none_names_one_that_is_near(flag: str, says: str) -> None:
    assert cli._said(f"unrecognized arguments: {flag}") == f"there is no flag {flag}. {says}"


def test_a_ctrl_c_before_anything_is_there_to_hear_it_is_no_traceback() -> None:
    stop = "class Stop:\n    def __getattr__(self, name): raise KeyboardInterrupt\n"
    code = f"import sys, runpy\n{stop}sys.modules['nlsh.cli'] = Stop()\nrunpy.run_module('nlsh')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 130 and "Traceback" not in done.stderr


def test_words_behind_a_flag_are_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._parse(["run", "p.e", "-n", "a=b", "c=d"]).words == ["p.e", "a=b", "c=d"]
    assert cli._parse(["skills", "new", "--from-last", "3", "tidy"]).words == ["new", "tidy"]
    for words, says in ((["plan", "x", "-n", "y"], "unrecognized arguments: y"), (["run", "p", "--nope", "y"], "there is no flag --nope")):
        with pytest.raises(SystemExit):
            cli._parse(words)
        assert says in capsys.readouterr().err


@pytest.mark.parametrize(("words", "status"), [("history", 0), ("audit show", 0), ("jobs show", 1)])
def test_a_number_may_be_larger_than_any_there_is(home: Path, words: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*words.split(), "9" * 30]) == status
    assert "fault" not in (said := capsys.readouterr().err) and "by hand" not in said


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["undo", "--help"]])
def test_help_is_no_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 0
    assert "exit status" in capsys.readouterr().out or "undo" in words
