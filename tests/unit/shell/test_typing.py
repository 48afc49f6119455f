"""The line while it is typed: colours, what completes it, what is read in it, and that reading along gives way."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input.typeahead import get_typeahead
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.keys import Keys

from nlsh.plan import registry
from nlsh.plan.records import Process
from nlsh.planner.answer import Answer, Context, Reading
from nlsh.shell.fit import width
from nlsh.shell.prompt.complete import ShellCompleter
from nlsh.shell.prompt.editor import _hear_to_the_end
from nlsh.shell.prompt.highlight import pieces
from nlsh.shell.prompt.top import lines
from nlsh.shell.prompt.typed import Typed, lines_of
from nlsh.shell.show import Look, bar


@given(st.text(alphabet=st.characters(exclude_characters="\n"), max_size=80))
def test_colours_leave_the_line_as_it_is(line: str) -> None:
    assert "".join(piece[1] for piece in pieces(line)) == line


def test_colours_tell_apart() -> None:
    styles = {text: style for style, text, *_ in pieces('!ls -la "a b" ~/docs | wc $HOME')}
    assert styles["!"] == "class:mark" and styles["-la"] == "class:option" and styles['"a b"'] == "class:string" and styles["~/docs"] == "class:path"
    assert styles["|"] == "class:operator" and styles["$HOME"] == "class:variable"


def completed(text: str) -> list[str]:
    return [c.text for c in ShellCompleter().get_completions(Document(text), CompleteEvent())]


def test_completion_knows_arguments_processes_and_services(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    assert completed("/plan file.trash(pa") == ["paths="]
    assert "paths=" not in completed("/plan file.move(paths=_, ") and "to=" in completed("/plan file.move(paths=_, ")
    monkeypatch.setattr("nlsh.shell.prompt.complete._processes", lambda: ["nginx", "python3"])
    monkeypatch.setattr("nlsh.shell.prompt.complete._services", lambda: ["nginx-proxy", "ssh"])
    assert completed("kill ng") == ["nginx"]
    assert completed("restart the ng") == ["nginx", "nginx-proxy"]
    assert completed("look at ng") == []


def test_a_name_that_is_completed_stays_a_name_to_a_shell(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may make a file, or call a process something, must not thereby write a command into the line."""
    monkeypatch.chdir(home)
    (home / "bin").mkdir()
    monkeypatch.setenv("PATH", str(home / "bin"))
    hostile = [
        "x$(touch made)",
        "x`touch made`",
        "x;touch made",
        "x&&touch made",
        "x|sh",
        "x > made",
        "x'",
        "x(1)",
        "x*",
        "x#1",
        "x\\",
        "x\u202e",
        "x plain",
        "xy-1.txt",
    ]
    for name in hostile:
        (home / name).touch()
        (home / "bin" / name).touch()
    monkeypatch.setattr("nlsh.world.processes.every", lambda: [SimpleNamespace(called=n) for n in hostile])
    offered = completed("cat x")
    assert {o.strip('"') for o in offered} == {n for n in hostile if not set(n) & set("$`\\\u202e")}
    for text in offered:
        done = subprocess.run(["/bin/sh", "-c", f"printf '%s\\n' {text}"], capture_output=True, text=True, check=True, cwd=home)
        assert done.stdout.rstrip("\n") == text.strip('"')
    # A process, a program: no name of theirs is quoted, so those that a shell would read are left out.
    assert [c for c in completed("kill x") if c not in offered] == [] and completed("!xy") == ["!xy-1.txt"] and not [c for c in completed("!x") if ";" in c]


def test_a_bar_is_as_wide_as_it_should_be() -> None:
    assert [bar(v, 4) for v in (-1, 0, 0.5, 1, 2)] == ["····", "····", "██··", "████", "████"]
    assert {width(bar(n / 100)) for n in range(101)} == {10}


def test_an_answer_takes_two_lines_and_draws_nothing() -> None:
    readings = tuple(Reading(registry.parse(p), 0.5) for p in ('file.trash("a\\x1b[2Jb")', "resource.disk()", "resource.cpu()"))
    shown = lines_of(Answer("choose", readings, "Which?"))
    assert len(shown) == 2 and "\x1b" not in str([text for _, text in shown])
    assert lines_of(Answer("plan", readings[1:])) == (("plan", "→ resource.disk()"),)


class Planning:
    """Plans one line until it is told to stop, and the next at once."""

    def __init__(self) -> None:
        self.begun, self.given_up = threading.Event(), threading.Event()

    def ahead(self, text: str, context: Context, stop: Callable[[], bool]) -> Answer | None:
        if text == "first line":
            self.begun.set()
            while not stop():
                self.begun.wait(0.001)
            self.given_up.set()
            return None
        return Answer("plan", (Reading(registry.parse("resource.disk()"), 1.0),))


def test_what_is_under_way_is_given_up_when_more_is_typed() -> None:
    planning, drawn = Planning(), threading.Event()
    session = SimpleNamespace(planning=planning, context=lambda: Context("/", "/"), is_command=lambda text: text.startswith("ls"))
    typed = Typed(session, drawn.set)  # type: ignore[arg-type]
    typed.typed("first line")
    assert planning.begun.wait(10)
    typed.typed("first line, and more")
    assert planning.given_up.wait(10) and drawn.wait(10)
    assert typed.lines == (("plan", "→ resource.disk()"),)
    drawn.clear()
    typed.typed("ls docs")
    assert drawn.wait(10) and typed.lines[0][1].startswith("$ a command")
    # The models have come: what stands there is read anew, with no key.
    drawn.clear()
    typed.typed("show the disks")
    assert drawn.wait(10)
    drawn.clear()
    typed.lines = ()
    typed.again()
    assert drawn.wait(10) and typed.lines == (("plan", "→ resource.disk()"),)
    typed.entered()
    assert typed.lines == ()


@pytest.mark.parametrize("columns", [40, 80])
def test_top_fits_the_terminal_and_draws_nothing_of_its_own(columns: int) -> None:
    found = [Process(n, f"p{n}", "me\x1b[2J", float(n), n << 20, command="run\n" + "名" * 60) for n in range(1, 50)]
    shown = lines(found, [10.0, 50.0], "m", 24, columns, Look())
    assert len(shown) == 24 and all(width(line) <= columns for line in shown) and "\x1b" not in "".join(shown)
    first = next(line.split()[0] for line in shown if line.split()[0].isdigit())
    assert first == "49"


def test_a_key_that_comes_when_the_editor_has_stopped_reading_is_not_lost() -> None:
    ours, theirs = pty.openpty()
    with open(theirs, encoding="utf-8") as terminal:
        keys = Vt100Input(terminal)
        _hear_to_the_end(keys)
        with keys.raw_mode():
            os.write(ours, b"\x03ls")
            assert select.select([theirs], [], [], 10)[0]
        assert [key.key for key in get_typeahead(keys)] == [Keys.ControlC, "l", "s"]
        assert termios.tcgetattr(theirs)[3] & termios.ISIG
    os.close(ours)
