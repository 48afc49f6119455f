"""A turn with a planner that answers what it is told to: what is run, asked, shown and returned."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nlsh.kernel.bind import Result
from nlsh.plan import registry
from nlsh.plan.errors import ModelError, NlshError
from nlsh.plan.plan import Plan
from nlsh.planner.answer import REFUSALS, Answer, Context, Reading
from nlsh.shell.fix import proposals
from nlsh.shell.options import Options
from nlsh.shell.report import distinct
from nlsh.shell.turn import Session

Start = Callable[..., Session]


class FakePlanner:
    """Gives its answers one after the other and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, Context]] = []
        self.learned: list[tuple[str, str]] = []

    def plan(self, request: str, context: Context) -> Answer:
        self.asked.append((request, context))
        return self.answers.pop(0)

    def learn(self, request: str, plan: Plan) -> None:
        self.learned.append((request, registry.format(plan)))


def reading(text: str, confidence: float = 0.9) -> Reading:
    return Reading(registry.parse(text), confidence, "nearest: 3 examples")


ONE = Answer("plan", (reading('file.trash("a.txt")'),), trace=("retrieved: file.trash",))
CHOICE = Answer("choose", (reading('file.list("docs")', 0.5), reading('file.trash("a.txt")', 0.4)), "Which one?")


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Return a function that starts a session over a fake planner, in a home with a few files."""
    (home / "a.txt").write_text("a")
    (home / "docs").mkdir()
    (home / "docs" / "b.txt").write_text("b")
    sessions: list[Session] = []

    def make(*answers: Answer, **options: object) -> Session:
        session = Session.start(Options(**options))  # type: ignore[arg-type]
        session.planning.planner = FakePlanner(*answers)  # type: ignore[assignment]
        sessions.append(session)
        return session

    yield make
    for session in sessions:
        session.close()


def typing(session: Session, monkeypatch: pytest.MonkeyPatch, *lines: str) -> list[str]:
    """Have a person at the session who types these lines, and then Ctrl-D. Return the questions that were asked."""
    left, asked = list(lines), []

    def read(question: str) -> str:
        asked.append(question)
        if not left:
            raise EOFError
        return left.pop(0)

    monkeypatch.setattr(session, "can_ask", lambda: True)
    monkeypatch.setattr(session, "read", read)
    return asked


def test_a_plan_is_asked_about_and_run(start: Start, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start(ONE)
    asked = typing(session, monkeypatch, "y")
    assert session.request("throw a.txt away") == 0
    assert len(asked) == 1 and not (home / "a.txt").exists()


def test_nobody_to_ask_is_3(start: Start, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(ONE).request("throw a.txt away") == 3
    assert (home / "a.txt").exists()
    shown = capsys.readouterr()
    assert shown.out == "" and "nobody to ask" in shown.err


def test_a_choice_that_nobody_can_make_is_4_and_shows_the_choices(start: Start, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(CHOICE, yes=True).request("do something with a.txt") == 4
    shown = capsys.readouterr()
    assert shown.out == "" and 'file.trash("a.txt")' in shown.err and 'file.list("docs")' in shown.err
    assert (home / "a.txt").exists()


def test_a_choice_as_json(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(CHOICE, json=True).request("do something with a.txt") == 4
    data = json.loads(capsys.readouterr().out)
    assert data["question"] == "Which one?" and [c["confidence"] for c in data["choices"]] == [0.5, 0.4]


@pytest.mark.parametrize(
    ("typed", "status", "gone"),
    [(["2", "y"], 0, True), (["2", "n"], 3, False), (["1"], 0, False), ([""], 4, False), ([], 4, False), (["9", "x", "2", "y"], 0, True)],
)
def test_a_person_picks(start: Start, home: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str], status: int, gone: bool) -> None:
    session = start(CHOICE)
    typing(session, monkeypatch, *typed)
    assert session.request("do something with a.txt") == status
    assert (home / "a.txt").exists() is not gone


@pytest.mark.parametrize(("typed", "gone"), [(["y", "y"], True), (["1", "y"], True), (["n"], False), ([""], False), (["2", "n"], False)])
def test_one_unsure_reading_is_a_yes_or_no(start: Start, home: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str], gone: bool) -> None:
    session = start(Answer("choose", CHOICE.readings[1:], "Is this what you mean?"))
    typing(session, monkeypatch, *typed)
    session.request("do something with a.txt")
    assert (home / "a.txt").exists() is not gone


def test_other_words_instead_of_a_number_are_another_request(
    start: Start, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = start(CHOICE, ONE)
    asked = typing(session, monkeypatch, "what", "throw a.txt away", "y")
    assert session.request("do something with a.txt") == 0
    assert [a[0] for a in session.planning.planner.asked] == ["do something with a.txt", "throw a.txt away"]  # type: ignore[union-attr]
    # One word is no request by itself: what is awaited is said, and asked for again.
    assert "or the request in other words" in capsys.readouterr().err and len(asked) == 3
    assert not (home / "a.txt").exists()


def test_what_is_not_understood_and_looks_like_a_slip_can_be_fixed(start: Start, home: Path) -> None:
    session = start(Answer("refusal", (), "No."), Answer("refusal", (), "No."))
    session.request("xyzzy the thing")
    assert session.last_failure is None
    session.request("ehco hello")
    assert session.last_failure is not None and "echo hello" in [p.command for p in proposals(session.last_failure, "", str(home))]


@pytest.mark.parametrize("kind", ["question", "refusal"])
def test_a_question_and_a_refusal_are_4(start: Start, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    assert start(Answer(kind, (), "Say which\x1b[2J folder.")).request("tidy") == 4  # type: ignore[arg-type]
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err == "Say which\\x1b[2J folder.\n"


def test_talk_is_no_program_written_wrongly(start: Start) -> None:
    session = start(Answer("refusal", (), REFUSALS["chat"]))
    assert session.request("gti status") == 4 and session.last_failure is None


def test_what_was_not_found_cannot_be_meant(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    session = start(*[Answer("question", (), REFUSALS["unclear"])] * 3)
    assert session.request("delete those") == 4 and "Nothing was found before" not in capsys.readouterr().err
    session.kernel.last = Result("file.find", (), os.getcwd())
    assert session.request("delete those") == 4 and "Nothing was found before" in capsys.readouterr().err
    assert session.request("do something") == 4 and "Nothing was found before" not in capsys.readouterr().err


def test_why_is_about_the_last_run_and_not_one_before(start: Start, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start(ONE, Answer("plan", (reading('file.list("docs")'),)))
    typing(session, monkeypatch, "n")
    session.request("delete a.txt")
    assert session.last_decision is not None
    session.request("list docs")
    assert session.last_decision is None


def test_a_policy_check_that_is_unsure_shows_what_may_be_meant(start: Start) -> None:
    with pytest.raises(NlshError, match=r'It may mean: file.list\("docs"\) · file.trash\("a.txt"\)'):
        start(CHOICE).plan_of("the docs")


def test_explain_says_what_the_planner_was_given(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start(ONE, explain=True, dry_run=True).request("throw a.txt away")
    said = capsys.readouterr().err
    assert "retrieved: file.trash" in said and '90%  file.trash("a.txt")' in said and "nearest: 3 examples" in said


def test_the_planner_knows_what_was_before(start: Start, home: Path) -> None:
    again = Answer("plan", (reading("file.trash(_)"),))
    session = start(Answer("plan", (reading('file.list("docs")'),)), again, yes=True)
    assert session.request("what is in docs?") == 0
    assert session.request("delete those") == 0
    planner = session.planning.planner
    assert isinstance(planner, FakePlanner)
    request, context = planner.asked[1]
    assert (request, context.last_action, context.recent) == ("delete those", "file.list", ("what is in docs?",))
    assert [Path(r.path).name for r in context.last_records] == ["b.txt"]
    assert not (home / "docs" / "b.txt").exists()


def test_a_plan_that_cannot_be_previewed_is_shown_as_it_was_understood(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    missing = Answer("plan", (reading('a = file.find("docs", kind="pdf")\nfile.trash(a)'),))
    assert start(missing).request("bin the pdfs in docs") == 1
    plan, then, error = capsys.readouterr().err.splitlines()
    assert (plan, then) == ('  a = file.find("docs", kind="pdf")', "  file.trash(a)") and error.startswith("nlsh: file.find found nothing")
    later = Answer("plan", (reading('with at("2020-01-01 10:00"): file.list("docs")'),))
    assert start(later).request("?list docs") != 0 and 'file.list("docs")' in capsys.readouterr().err.partition("nlsh: ")[0]
    # Who has written the plan knows it, and who wants quiet has the error.
    assert start().run(missing.readings[0].plan, "the plan") == 1 and "file.trash(a)" not in capsys.readouterr().err
    assert start(missing, quiet=True).request("bin the pdfs in docs") == 1 and "file.trash(a)" not in capsys.readouterr().err


def test_marks_settle_what_is_a_command(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    session = start(Answer("question", (), "What?"))
    assert session.request("!echo hello") == 0
    assert capfd.readouterr().out == "hello\n"
    assert session.request("?ls") == 4
    planner = session.planning.planner
    assert isinstance(planner, FakePlanner) and [r for r, _ in planner.asked] == ["ls"]


def test_an_edited_plan_is_asked_about_again(start: Start, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start(ONE)
    asked = typing(session, monkeypatch, "e", "y")
    monkeypatch.setattr("nlsh.shell.turn.edit_text", lambda text, plain: text.replace("a.txt", "docs/b.txt"))
    assert session.request("throw a.txt away") == 0
    assert len(asked) == 2 and (home / "a.txt").exists() and not (home / "docs" / "b.txt").exists()
    assert session.planning.planner.learned == [("throw a.txt away", 'file.trash("docs/b.txt")')]  # type: ignore[union-attr]


def test_another_reading_can_be_picked_below_the_preview_and_is_learned(
    start: Start, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = start(Answer("plan", (reading('file.trash("a.txt")'), reading('file.trash("docs/b.txt")', 0.2))))
    asked = typing(session, monkeypatch, "7", "1", "y")
    assert session.request("throw that away") == 0
    assert 'or 1: file.trash("docs/b.txt")' in capsys.readouterr().err
    assert asked[0].endswith("?/1] ") and (home / "a.txt").exists() and not (home / "docs" / "b.txt").exists()
    assert session.planning.planner.learned == [("throw that away", 'file.trash("docs/b.txt")')]  # type: ignore[union-attr]


def test_the_mode_auto_runs_nothing_that_nlsh_is_not_sure_of(start: Start, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start(Answer("choose", (reading('file.trash("a.txt")', 0.5),), "Is this what you mean?"), ONE)
    session.mode = "auto"
    asked = typing(session, monkeypatch, "n")
    assert session.request("do something with a.txt") != 0 and len(asked) == 1 and (home / "a.txt").exists()
    assert session.request("throw a.txt away") == 0 and len(asked) == 1 and not (home / "a.txt").exists()


def test_what_the_reading_could_not_do_is_said_once_before_the_question_and_asked_about_in_any_mode(
    start: Start, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nlsh.actions.file import _search

    monkeypatch.setattr(_search, "notes_reading", lambda path: False)
    os.utime(home / "a.txt", (0, 0))
    unused = reading('a = file.find(under="~", unused="30 days"); file.trash(a)')
    counted = reading('a = file.find(under="~", unused="30 days"); result.count(a)')
    session = start(*(Answer("plan", (r,)) for r in (unused, counted, unused)))
    session.mode = "auto"
    asked = typing(session, monkeypatch, "n", "y")
    assert session.request("throw away what nobody opens") == 3 and len(asked) == 1 and (home / "a.txt").exists()
    assert "  note: When files are opened is not noted below" in capsys.readouterr().err
    assert session.request("how many are they") == 0
    assert capsys.readouterr().err.count("nlsh: When files are opened is not noted below") == 1
    assert session.request("throw away what nobody opens") == 0 and not (home / "a.txt").exists()
    assert capsys.readouterr().err.count("is not noted below") == 1


def test_what_an_action_notes_is_said_once_and_why_there_is_nothing_to_do_each_time(
    start: Start, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, at in (("from/a", 10), ("to/a", 20), ("from/b", 10)):
        (home / path).parent.mkdir(exist_ok=True)
        (home / path).write_text(path)
        os.utime(home / path, (at, at))
    sync = Answer("plan", (reading('file.sync("from", to="to")'),))
    session = start(sync, sync, sync)
    typing(session, monkeypatch, "y")
    for _ in range(3):
        assert session.request("bring to up to date") == 0 and (home / "to/b").exists()
        said = capsys.readouterr().err
        assert said.count("a is newer in") == 1
    assert said.splitlines()[-1] == "There was nothing to do."


def test_the_data_of_a_preview_has_what_the_reading_could_not_do(
    start: Start, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nlsh.actions.file import _search

    monkeypatch.setattr(_search, "notes_reading", lambda path: False)
    os.utime(home / "a.txt", (0, 0))
    unused = reading('a = file.find(under="~", unused="30 days"); file.trash(a)')
    start(Answer("plan", (unused,)), json=True, dry_run=True).request("throw away what nobody opens")
    calls = json.loads(capsys.readouterr().out)["preview"]["calls"]
    assert ["noatime" in "".join(c["notes"]) for c in calls] == [True, False]
    assert start(Answer("plan", (unused,)), json=True, yes=True).request("throw away what nobody opens") == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert "noatime" in json.loads(last)["outcome"]["notes"][0]


def test_an_edited_plan_that_was_not_run_teaches_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start(ONE)
    typing(session, monkeypatch, "e", "n")
    monkeypatch.setattr("nlsh.shell.turn.edit_text", lambda text, plain: text.replace("a.txt", "docs/b.txt"))
    session.request("throw a.txt away")
    assert session.planning.planner.learned == []  # type: ignore[union-attr]


def test_what_was_chosen_is_learned_and_what_was_offered_is_not(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start(CHOICE, CHOICE)
    typing(session, monkeypatch, "1", "")
    session.request("what about docs?")
    session.request("and now?")
    assert session.planning.planner.learned == [("what about docs?", 'file.list("docs")')]  # type: ignore[union-attr]


def test_a_missing_model_is_an_error_of_the_turn(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    session = start(model="/missing.gguf")
    session.planning.planner = None
    assert session.request("find pdfs") == ModelError.exit_status
    assert "/missing.gguf" in capsys.readouterr().err


def test_errors_are_said_once() -> None:
    first, same, follows = NlshError("It broke."), NlshError("It broke."), NlshError("Skipped.", code="step.skipped")
    assert distinct([first, same, follows]) == [first]


@pytest.mark.parametrize(("scope", "written"), [("s", False), ("a", True), ("p", True)])
def test_always_shows_the_rule_before_it_is_remembered(
    start: Start, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scope: str, written: bool
) -> None:
    again = Answer("plan", (reading('file.create("made.txt")'),))
    session = start(again, again)
    file = home / ".config" / "nlsh" / "policy.toml"
    asked = typing(session, monkeypatch, "a", scope, "y")
    assert session.request("make made.txt") == 0
    shown = capsys.readouterr().err
    assert len(asked) == 3 and "exact = true" in shown and str(home / "made.txt") in shown
    assert file.exists() is written
    (home / "made.txt").unlink()
    # The same is not asked about any more.
    assert session.request("make made.txt") == 0
    assert len(asked) == 3 and (home / "made.txt").exists()


@pytest.mark.parametrize("said", [["a", "n", "n"], ["a", "a", "n", "n"], ["a", "", ""], ["a"]])
def test_what_is_not_confirmed_is_neither_run_nor_remembered(start: Start, home: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    session = start(Answer("plan", (reading('file.create("made.txt")'),)))
    typing(session, monkeypatch, *said)
    assert session.request("make made.txt") == 3
    assert not (home / "made.txt").exists() and not (home / ".config" / "nlsh" / "policy.toml").exists()


def test_always_once_is_a_yes(start: Start, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = start(Answer("plan", (reading('file.create("made.txt")'),)))
    typing(session, monkeypatch, "a", "o")
    assert session.request("make made.txt") == 0 and (home / "made.txt").exists()
    assert not (home / ".config" / "nlsh" / "policy.toml").exists()
