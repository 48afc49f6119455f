"""What a preview says, and what its question takes for a yes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from nlsh.guard.policy import Decision
from nlsh.kernel.bind import BoundCall
from nlsh.kernel.outcome import Outcome
from nlsh.plan.effects import Effect
from nlsh.plan.plan import Call, Plan, Preview, PreviewedCall
from nlsh.plan.steps import STEP_TYPES, Step
from nlsh.shell.preview import ask, edit_text, may_go_by_itself, preview_data, preview_lines
from nlsh.shell.report import closing_lines
from nlsh.shell.show import Look
from nlsh.steps.command import RunCommand
from nlsh.steps.keeping import SetAttributes
from nlsh.steps.times import RestoreTimes

ASKS = Decision("ask", "changes", "it changes something", (Effect("fs.delete", "/h/a"),))


@pytest.fixture(autouse=True)
def _forget_steps() -> Iterator[None]:
    """The steps of these tests are not for others to find."""
    before = dict(STEP_TYPES)
    yield
    STEP_TYPES.clear()
    STEP_TYPES.update(before)


@dataclass(frozen=True)
class Burn(Step):
    path: str
    identity: tuple[int, ...] = (1, 2, 3, 4096)
    reads_only: ClassVar[bool] = False

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.delete", self.path),)

    def describe(self) -> str:
        return f"burn {self.path}"


@dataclass(frozen=True)
class Undo(Burn):
    def describe(self) -> str:
        return f"take {self.path} back"

    def touches(self) -> tuple[str, ...]:
        return (os.path.dirname(self.path),)

    identity: tuple[int, ...] = ()


def preview(*paths: str, no_undo: str = "", notes: tuple[str, ...] = ()) -> Preview:
    steps = tuple(Burn(p) for p in paths)
    call = Call("file.trash", {"paths": paths})
    return Preview(Plan((call,)), (PreviewedCall(call, steps, tuple(e for s in steps for e in s.effects()), no_undo, notes),))


def forgets(shown: Preview, decision: Decision) -> bool:
    raise AssertionError("nothing was to be remembered")


def text(shown: Preview, decision: Decision | None = None) -> str:
    return "\n".join(preview_lines(shown, Look(), decision=decision))


def test_it_says_plan_steps_sizes_effects_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    said = text(preview("/h/a", "/h/b", no_undo="ash stays ash", notes=("takes back run 1",)), ASKS)
    assert said == (
        '  file.trash(["/h/a", "/h/b"])\n'
        "  note: takes back run 1\n"
        "    burn ~/a  4.0 KB\n"
        "    burn ~/b  4.0 KB\n"
        "    2 steps, 8.0 KB\n"
        "  effects: remove 2 in ~\n"
        "  cannot be undone: file.trash: ash stays ash\n"
        "  asks because: it changes something"
    )


def test_times_that_folders_have_again_are_named_and_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    folder = (0o040755, 1, ())
    steps = (SetAttributes("/h", (1, 2), folder, (0o040755, 2, ())), Undo("/h/a"), RestoreTimes((("/h", 1), ("/gone", 1))))
    call = Call("history.undo", {})
    shown = Preview(Plan((call,)), (PreviewedCall(call, steps, ()),))
    lines = text(shown).splitlines()
    assert lines == ["  history.undo()", "    take ~/a back", "    put back the modification times of 2 folders"]
    assert closing_lines(shown, Outcome("done", run_id=2, done=3, total=3), Look(), undo="undo") == ["Done: 1 step. Take it back: undo 2"]


def test_times_that_are_all_of_it_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    call = Call("history.undo", {})
    steps = (SetAttributes("/h/sub", (1, 2), (0o040755, 1, ()), (0o040755, 2, ())), RestoreTimes((("/h/sub", 1),)))
    shown = Preview(Plan((call,)), (PreviewedCall(call, steps, ()),))
    assert "    set the time of ~/sub" in text(shown).splitlines()
    assert closing_lines(shown, Outcome("done", run_id=2, done=2, total=2), Look(), undo="undo")[0].startswith("Done: 1 step.")


def test_no_line_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HOME", "/h")
    others = ["; ".join(["file.trash('a')"] * 9)]
    ask(preview("/h/" + "many words " * 9), ASKS, Look(prose_columns=60), cwd=None, read=answers("n"), edit=lambda text: None, remember=forgets, others=others)
    _, *said = capsys.readouterr().err.splitlines()  # the plan stays on its line: it may be taken over from here
    assert len(said) > 5 and max(map(len, said)) <= 60
    assert any(line.startswith("      ") for line in said)


def test_what_nlsh_keeps_itself_does_not_make_one_file_into_two_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    said = text(preview("/h/proj/a", "/h/.local/share/nlsh/tried/1-f/upper/a"))
    assert "effects: remove ~/proj/a, 1 in ~/.local/share/nlsh/tried" in said and "2 in ~" not in said


def test_the_answers_are_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    for others, has in (([], False), (["file.list()"], True)):
        ask(preview("/h/a"), ASKS, Look(), cwd=None, read=answers("what", "n"), edit=lambda text: None, remember=forgets, others=others)
        said = capsys.readouterr().err
        assert "“what” is no answer here." in said and ("that reading instead" in said) is has


def test_twenty_and_the_rest_is_counted() -> None:
    lines = preview_lines(preview(*(f"/h/{n}" for n in range(1000))), Look(), with_plan=False)
    assert sum("burn" in line for line in lines) == 20
    assert "    and 980 more" in lines and "    1,000 steps, 3.9 MB" in lines
    assert "1,000 in /h" in lines[-1]


def test_twenty_one_are_shown_rather_than_and_1_more() -> None:
    assert sum("burn" in line for line in preview_lines(preview(*(f"/h/{n}" for n in range(21))), Look(), with_plan=False)) == 21


def test_a_name_cannot_draw_the_prompt() -> None:
    said = text(preview("/h/x\x1b[2A\nRun this? [y/N/a/e/?] y\u202e"), ASKS)
    assert "\x1b" not in said and "\u202e" not in said and r"\nRun this?" in said


def test_a_note_cannot_draw_the_prompt_nor_push_it_away() -> None:
    evil = "Could not be read, so left out: /h/x\x1b[2A\n  asks because: it only reads\u202e" + 60 * " " + "effects: none"
    said = text(preview("/h/a", notes=(evil, *(f"note {n}" for n in range(50)))), ASKS)
    assert "\x1b" not in said and "\u202e" not in said and r"\n  asks" in said and "   effects: none" not in said
    assert said.count("  note: ") == 11 and "note: and 41 more notes" in said
    assert [line for line in said.splitlines() if line.startswith("  asks because")] == ["  asks because: it changes something"]
    assert preview_data(preview("/h/a", notes=(evil,)))["calls"][0]["notes"] == [evil]


def test_the_mode_auto_asks_where_something_must_be_known_of_what_is_changed() -> None:
    plain = preview("/h/a", notes=("said of the steps",))
    assert may_go_by_itself(plain, ASKS)
    about = BoundCall(plain.calls[0].call, plain.calls[0].steps, plain.calls[0].effects, heard=("some of it could not be read",))
    assert not may_go_by_itself(replace(plain, calls=(about,)), ASKS)


def test_data_has_everything() -> None:
    data = preview_data(preview("/h/a"), ASKS)
    assert data["calls"][0]["steps"][0]["says"] == "burn /h/a"
    assert data["decision"] == {"answer": "ask", "rule": "changes", "reason": "it changes something"}


def answers(*lines: str) -> Callable[[str], str]:
    left = list(lines)

    def read(question: str) -> str:
        if not left:
            raise EOFError
        return left.pop(0)

    return read


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        (["y"], True), (["yes"], True), (["Y "], True), (["n"], False), ([""], False), (["no"], False), ([], False),
        (["?", "y"], True), (["what", "n"], False), (["yep", ""], False), (["e"], "file.list()"),
    ],
)  # fmt: skip
def test_only_a_yes_is_a_yes(typed: list[str], wanted: bool | str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(preview("/h/a"), ASKS, Look(), cwd=None, read=answers(*typed), edit=lambda text: "file.list()", remember=forgets) == wanted
    assert "burn /h/a" in capsys.readouterr().err


def test_an_edit_that_came_to_nothing_asks_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(preview("/h/a"), ASKS, Look(), cwd=None, read=answers("e", "n"), edit=lambda text: None, remember=forgets) is False


def test_why_names_the_rule_and_the_effects(capsys: pytest.CaptureFixture[str]) -> None:
    ask(preview("/h/a"), ASKS, Look(), cwd=None, read=answers("?"), edit=lambda text: None, remember=forgets)
    said = capsys.readouterr().err
    assert "rule changes: it changes something" in said and "fs.delete: /h/a" in said


def test_an_editor_that_cannot_be_started_leaves_the_plan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "/missing/editor")
    assert edit_text("file.list()") is None
    monkeypatch.setenv("EDITOR", "false")
    assert edit_text("file.list()") is None
    monkeypatch.setenv("EDITOR", "true")
    assert edit_text("file.list()") == "file.list()"


def test_a_plan_is_written_anew_where_nothing_can_be_edited_in_place(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO('file.list("docs")\n\n'))
    assert edit_text("file.list()", plain=True) == 'file.list("docs")'
    assert edit_text("file.list()", plain=True) is None
    assert "\x1b" not in capsys.readouterr().err


def test_a_command_is_said_once_and_what_it_may_do_in_few_words() -> None:
    effects = tuple(Effect(kind, "/h/work") for kind in ("fs.delete", "fs.meta", "fs.write"))
    step = RunCommand("make all", "/h/work")
    call = PreviewedCall(Call("shell.run", {"command": "make all"}), (step,), (Effect("exec", "make all"), *effects, Effect("fs.read", "/")))
    lines = preview_lines(Preview(Plan((call.call,)), (call,), "x"), Look())
    assert "\n".join(lines).count("make all") == 1
    assert "  effects: change anything in /h/work · read /" in lines
    # Of another folder as well, each kind is named.
    more = replace(call, effects=(*call.effects, Effect("fs.write", "/other")))
    assert "remove /h/work" in "\n".join(preview_lines(Preview(Plan((call.call,)), (more,), "x"), Look()))


@pytest.mark.parametrize("approves", [True, False])
def test_always_is_what_remembering_says(approves: bool) -> None:
    asked = []

    def remember(shown: Preview, decision: Decision) -> bool:
        asked.append((shown, decision))
        return approves

    shown = preview("/h/a")
    answer = ask(shown, ASKS, Look(), cwd=None, read=answers("a", "n"), edit=lambda text: None, remember=remember)
    assert answer is approves and asked == [(shown, ASKS)]
