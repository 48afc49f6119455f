"""The kernel: one gate, one approval, the journal before the change, and an honest outcome."""

from __future__ import annotations

import ctypes
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from nlsh.journal.audit import Audit
from nlsh.journal.store import Journal
from nlsh.kernel import work
from nlsh.kernel.kernel import Kernel
from nlsh.kernel.outcome import Outcome
from nlsh.plan import registry
from nlsh.plan.action import Action, BaseArgs, Never
from nlsh.plan.effects import Effect
from nlsh.plan.errors import BadPlan, Denied, NlshError, NotFound, Refused
from nlsh.plan.plan import Call, Plan
from nlsh.plan.records import Change, File, Note, Tally
from nlsh.plan.steps import Step
from nlsh.steps.files import MakeFolder
from nlsh.steps.renames import RenamePath
from nlsh.world import World
from nlsh.world.files import identify

Do = Callable[[str], Outcome]
Make = Callable[..., Kernel]


def test_a_plan_is_run_journalled_and_audited(home: Path, kernel: Kernel, do: Do) -> None:
    (home / "a").write_text("a")
    outcome = do('file.rename("a", to="b")')
    assert (outcome.status, outcome.exit_status, outcome.done, outcome.total) == ("done", 0, 1, 1)
    assert (home / "b").read_text() == "a"
    assert outcome.records == [Change(f"move {home}/a to {home}/b", f"{home}/b")]
    run = kernel.journal.run(outcome.run_id or 0)
    assert run is not None
    assert (run.status, run.plan) == ("done", 'file.rename("a", to="b")')
    assert kernel.journal.states(run.id) == {"done": 1}
    decided, ended = kernel.audit.entries()
    assert (decided["event"], decided["decision"], decided["who"], decided["run"]) == ("decision", "allow", "user", run.id)
    assert f"fs.delete {home}/a" in decided["effects"]
    assert (ended["event"], ended["outcome"], ended["digest"]) == ("outcome", "done", decided["digest"])
    assert kernel.audit.verify().holds


def test_a_preview_changes_nothing(home: Path, kernel: Kernel) -> None:
    (home / "a").write_text("a")
    preview = kernel.preview(registry.parse('file.trash("a")'), "delete a")
    assert preview.changes
    assert (home / "a").exists()
    assert kernel.journal.recent(1) == []


def test_what_is_only_read_is_audited_and_not_journalled(home: Path, kernel: Kernel, do: Do) -> None:
    (home / "a.txt").write_text("a")
    outcome = do('file.find(named="*.txt")')
    assert [r.path for r in outcome.records if isinstance(r, File)] == [str(home / "a.txt")]
    assert outcome.run_id is None
    assert not kernel.journal.path.exists()
    assert [e["event"] for e in kernel.audit.entries()] == ["decision", "outcome"]
    assert kernel.audit.entries()[0]["who"] == "policy"


def test_the_run_is_on_disk_before_the_first_step_is_applied(home: Path, make_kernel: Make) -> None:
    seen: list[tuple[int, str]] = []

    def look(event: dict[str, Any]) -> None:
        if event["type"] == "run":
            db = sqlite3.connect(Journal().path)
            rows = db.execute("SELECT count(*), min(state), max(state), count(inverse) FROM steps").fetchone()
            seen.append((rows, (home / "b").exists(), Audit().entries(1)[0]["event"]))

    kernel = make_kernel(on_event=look)
    (home / "a").write_text("a")
    assert kernel.run(kernel.preview(registry.parse('file.rename("a", to="b")'))).status == "done"
    assert seen == [((1, "planned", "planned", 1), False, "decision")]


def test_nothing_is_done_where_the_journal_cannot_be_written(home: Path, kernel: Kernel) -> None:
    (home / "a").write_text("a")
    preview = kernel.preview(registry.parse('file.rename("a", to="b")'))
    kernel.journal.path.write_bytes(b"rubbish" * 1000)
    with pytest.raises(NlshError, match="cannot be used"):
        kernel.run(preview)
    assert (home / "a").exists()


def test_nothing_is_done_where_the_audit_cannot_be_written(home: Path, kernel: Kernel) -> None:
    (home / "a").write_text("a")
    preview = kernel.preview(registry.parse('file.rename("a", to="b")'))
    kernel.audit.path.mkdir()
    with pytest.raises(NlshError, match="cannot be written"):
        kernel.run(preview)
    assert (home / "a").exists()
    assert kernel.journal.recent(1) == []


# --- approval ----------------------------------------------------------------------------------------------------


def test_without_approval_nothing_is_done(home: Path, make_kernel: Make) -> None:
    kernel = make_kernel(approve=lambda preview, decision: False)
    (home / "a").write_text("a")
    outcome = kernel.run(kernel.preview(registry.parse('file.trash("a")')))
    assert (outcome.status, outcome.exit_status) == ("denied", 3)
    assert (home / "a").exists()
    assert "Nothing was changed" in outcome.message
    assert kernel.journal.recent(1) == []
    (entry,) = kernel.audit.entries()
    assert (entry["decision"], entry["who"]) == ("deny", "user")


def test_a_plan_is_approved_once_and_whole(home: Path, make_kernel: Make) -> None:
    asked: list[int] = []

    def approve(preview: Any, decision: Any) -> str:
        asked.append(len(preview.calls))
        return "flag"

    kernel = make_kernel(approve=approve)
    for name in "abc":
        (home / name).write_text(name)
    plan = 'folder.create("to"); file.move(["a", "b"], to="to"); file.trash("c")'
    outcome = kernel.run(kernel.preview(registry.parse(plan)))
    assert outcome.status == "done"
    assert asked == [3]
    assert kernel.audit.entries()[0]["who"] == "flag"
    assert sorted(p.name for p in (home / "to").iterdir()) == ["a", "b"]


def test_policy_can_deny(home: Path, make_kernel: Make) -> None:
    kernel = make_kernel()

    class No:
        def decide(self, preview: Any) -> Any:
            from nlsh.guard.policy import Decision

            return Decision("deny", "no-moving", "Moving is not allowed here.", ())

    kernel.policy = No()  # type: ignore[assignment]
    (home / "a").write_text("a")
    outcome = kernel.run(kernel.preview(registry.parse('file.rename("a", to="b")')))
    assert (outcome.status, outcome.exit_status) == ("denied", 3)
    assert "Moving is not allowed here." in outcome.message
    assert (home / "a").exists()


# --- references --------------------------------------------------------------------------------------------------


def test_what_an_earlier_call_found_is_read_once_and_handed_on(home: Path, make_kernel: Make) -> None:
    started: list[str] = []
    kernel = make_kernel(on_event=lambda e: started.append(e["action"]) if e["type"] == "call" else None)
    for name in ("a.log", "b.log", "c.txt"):
        (home / name).write_text(name)
    preview = kernel.preview(registry.parse('a = file.find(named="*.log"); file.trash(a)'))
    assert len(preview.calls[1].steps) == 2
    outcome = kernel.run(preview)
    assert outcome.status == "done"
    assert started == ["file.find", "file.trash"]
    assert all(isinstance(r, Change) for r in outcome.records)
    assert [p.name for p in home.iterdir() if not p.name.startswith(".")] == ["c.txt"]


def test_an_earlier_call_that_finds_nothing_ends_it(home: Path, kernel: Kernel) -> None:
    with pytest.raises(NotFound, match=r"file.find found nothing, so file.trash has nothing to do\."):
        kernel.preview(registry.parse('a = file.find(named="*.log"); file.trash(a)'))


def test_names_as_they_are_found_are_the_names_that_are_used(home: Path, do: Do) -> None:
    odd = [" leading", "trailing ", "'quoted'", "[a-z].log", "*.log", "-rf", "new\nline", "~", os.fsdecode(b"\xff\xfe")]
    (home / "in").mkdir()
    for name in odd:
        (home / "in" / name).write_text("x")
    (home / "in" / "quoted").write_text("stays")
    assert do('a = file.find(under="in", larger="0b", smaller="2b"); file.move(a, to="out/")').status == "done"
    assert sorted(os.listdir(home / "out")) == sorted(odd)
    assert os.listdir(home / "in") == ["quoted"]


def test_the_last_result_goes_on_to_the_next_request(home: Path, kernel: Kernel, do: Do) -> None:
    (home / "a.log").write_text("")
    with pytest.raises(NotFound, match="no earlier result"):
        do("file.trash(_)")
    do('file.find(named="*.log")')
    assert do("file.trash(_)").status == "done"
    assert not (home / "a.log").exists()


def test_the_last_result_is_meant_where_it_was_found(home: Path, kernel: Kernel, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "a.log").write_text("")
    (home / "sub").mkdir()
    do('file.find(named="*.log")')
    monkeypatch.chdir(home / "sub")
    kernel.world = World()
    assert do("file.trash(_)").status == "done"
    assert not (home / "a.log").exists()


def test_what_was_only_read_for_a_plan_that_was_not_run_is_not_the_last_result(home: Path, kernel: Kernel, do: Do) -> None:
    (home / "a.log").write_text("")
    (home / "b.txt").write_text("")
    do('file.find(named="*.txt")')
    kernel.preview(registry.parse('a = file.find(named="*.log"); file.trash(a)'))
    assert do("file.trash(_)").records == [Change(f"move {home}/b.txt to the trash", f"{home}/b.txt")]


def test_a_result_of_the_wrong_kind_is_a_mistake_of_the_plan(home: Path, do: Do) -> None:
    do("system.uptime()")
    with pytest.raises(BadPlan, match="not files"):
        do("file.trash(_)")


def test_a_reading_call_that_is_refused_ends_the_preview(home: Path, make_kernel: Make) -> None:
    kernel = make_kernel(approve=lambda preview, decision: False)

    class Ask:
        def decide(self, preview: Any) -> Any:
            from nlsh.guard.policy import Decision

            return Decision("ask", "ask-always", "It is asked.", preview.effects)

    kernel.policy = Ask()  # type: ignore[assignment]
    (home / "a.log").write_text("")
    with pytest.raises(Denied):
        kernel.preview(registry.parse('a = file.find(named="*.log"); file.trash(a)'))


@pytest.fixture
def noatime(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two old files, on a disk that does not note when they are opened; the words that a note on that begins with."""
    from nlsh.actions.file import _search

    monkeypatch.setattr(_search, "notes_reading", lambda path: False)
    for name in ("old", "older"):
        (home / name).write_text(name)
        os.utime(home / name, (0, 0))
    return "When files are opened is not noted"


def notes_of(preview: Any) -> list[list[str]]:
    return [[note[:34] for note in call.notes] for call in preview.calls]


def test_who_approves_a_change_hears_what_the_reading_before_it_could_not_do(home: Path, make_kernel: Make, noatime: str) -> None:
    asked: list[Any] = []
    kernel = make_kernel(approve=lambda preview, decision: asked.append(preview) or True)
    outcome = kernel.run(kernel.preview(registry.parse('a = file.find(unused="30 days"); file.trash(a)')))
    (shown,) = asked
    assert notes_of(shown) == [[noatime], []] and str(home) in shown.calls[0].notes[0]
    assert outcome.status == "done" and not (home / "old").exists()
    # Whoever was not asked has it from the outcome, too; what “_” means are the changes, not the notes.
    assert [r.text[:34] for r in outcome.records if isinstance(r, Note)] == [noatime]
    assert kernel.last is not None and not kernel.last.notes


def test_a_note_is_said_once_however_far_a_result_is_handed_on(kernel: Kernel, noatime: str) -> None:
    text = 'a = file.find(unused="30 days"); b = result.filter(a, containing="old"); c = result.take(b, first="1"); file.trash(c)'
    preview = kernel.preview(registry.parse(text))
    assert notes_of(preview) == [[noatime], [], [], []]
    assert all(len(call.heard) == 1 for call in preview.calls)  # type: ignore[attr-defined]


def test_what_only_reads_and_is_not_asked_about_says_it_with_its_result(do: Do, noatime: str) -> None:
    outcome = do('a = file.find(unused="30 days"); result.count(a)')
    assert [r.text[:34] for r in outcome.records if isinstance(r, Note)] == [noatime]
    assert [r.count for r in outcome.records if isinstance(r, Tally)] == [2]


def test_a_note_stays_with_a_result_from_turn_to_turn(kernel: Kernel, do: Do, noatime: str) -> None:
    do('file.find(unused="30 days")')
    do('result.filter(_, containing="old")')
    assert notes_of(kernel.preview(registry.parse("file.trash(_)"))) == [[noatime]]
    do("file.list()")
    assert notes_of(kernel.preview(registry.parse("file.trash(_)"))) == [[]]


# --- steps that want too much ------------------------------------------------------------------------------------


def test_an_action_cannot_go_beyond_what_it_declares(home: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sly(Action):
        """Say less than it does."""

        name: ClassVar = "test.sly"
        effects: ClassVar = ("fs.read",)

        def steps(self, args: Any, seen: Any) -> Iterator[Step]:
            yield MakeFolder(str(home / "made"))

    monkeypatch.setattr(registry, "get", lambda name: Sly())
    with pytest.raises(Denied, match=r"test\.sly wants fs\.write on .*made, which it does not declare"):
        kernel.preview(Plan((Call("test.sly"),)))


# --- failures ----------------------------------------------------------------------------------------------------


def test_a_step_that_fails_in_the_middle_makes_it_partly_and_undo_takes_it_back(home: Path, kernel: Kernel, do: Do) -> None:
    for name in "abc":
        (home / name).write_text(name)
    preview = kernel.preview(registry.parse('file.move(["a", "b", "c"], to="to/")'))
    (home / "b").write_text("changed meanwhile")
    outcome = kernel.run(preview)
    assert (outcome.status, outcome.exit_status, outcome.done, outcome.total) == ("partly", 5, 2, 4)
    assert len(outcome.errors) == 1
    assert "2 of 4 steps were done; `nlsh undo` takes them back." in outcome.message
    assert sorted(p.name for p in (home / "to").iterdir()) == ["a"]
    assert kernel.journal.states(outcome.run_id or 0) == {"done": 2, "failed": 2}
    assert do("history.undo()").status == "done"
    assert sorted(p.name for p in home.iterdir() if p.name[0] != ".") == ["a", "b", "c"]


def test_a_first_step_that_fails_is_a_failure_and_leaves_nothing_to_undo(home: Path, kernel: Kernel, do: Do) -> None:
    (home / "a").write_text("a")
    preview = kernel.preview(registry.parse('file.rename("a", to="b")'))
    (home / "b").write_text("in the way")
    outcome = kernel.run(preview)
    assert (outcome.status, outcome.exit_status) == ("failed", 1)
    assert (home / "b").read_text() == "in the way"
    with pytest.raises(NotFound, match="nothing to undo"):
        do("history.undo()")


def test_after_a_failure_later_calls_are_not_run(home: Path, kernel: Kernel) -> None:
    for name in "ab":
        (home / name).write_text(name)
    preview = kernel.preview(registry.parse('file.trash("a"); file.trash("b")'))
    (home / "a").write_text("changed meanwhile")
    assert kernel.run(preview).status == "failed"
    assert (home / "b").exists()


def test_what_somebody_else_did_meanwhile_is_not_taken_for_done(home: Path, kernel: Kernel, do: Do) -> None:
    (home / "a").write_text("a")
    preview = kernel.preview(registry.parse('file.rename("a", to="b")'))
    os.rename(home / "a", home / "b")
    outcome = kernel.run(preview)
    assert (outcome.status, outcome.done) == ("failed", 0)
    with pytest.raises(NotFound, match="nothing to undo"):
        do("history.undo()")


def test_a_screen_that_fails_leaves_a_journal_that_knows_how_far_it_got(home: Path, make_kernel: Make, do: Do) -> None:
    for i in range(500):
        (home / f"f{i}").write_text("f")

    def fail(event: dict[str, Any]) -> None:
        if event["type"] == "done" and event["step"] == 3:
            raise BrokenPipeError("nobody looks any more")

    kernel = make_kernel(on_event=fail)
    with pytest.raises(BrokenPipeError):
        kernel.run(kernel.preview(registry.parse('file.move("f*", to="to/")')))
    moved = len(list((home / "to").iterdir()))
    run = kernel.journal.run(1)
    assert run is not None
    assert run.status in ("partly", "done")
    assert kernel.journal.states(1).get("done") == moved + 1
    assert do("history.undo()").status == "done"
    assert len([p for p in home.iterdir() if p.name.startswith("f")]) == 500
    assert not (home / "to").exists()


def test_a_late_denial_leaves_what_was_done_and_says_so(home: Path, make_kernel: Make) -> None:
    (home / "a").write_text("a")
    (home / "b").write_text("b")

    def swap(event: dict[str, Any]) -> None:
        # Between the calls, somebody puts a link to nlsh's own state where the second one is to go.
        if event["type"] == "call" and event["call"] == 1:
            os.rmdir(home / "to")
            os.symlink(home / ".local" / "state" / "nlsh", home / "to")

    kernel = make_kernel(on_event=swap)
    (home / "to").mkdir()
    outcome = kernel.run(kernel.preview(registry.parse('file.rename("a", to="c"); file.move("b", to="to")')))
    assert (outcome.status, outcome.exit_status) == ("partly", 5)
    assert (home / "b").exists()
    assert not (home / ".local" / "state" / "nlsh" / "b").exists()


def test_there_can_be_nothing_to_do(home: Path, do: Do) -> None:
    (home / "a").write_text("a")
    os.chmod(home / "a", 0o644)
    outcome = do('file.chmod("a", mode="644")')
    assert (outcome.status, outcome.exit_status) == ("nothing", 0)


# --- stopping ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wait(Step):
    """Wait until this worker is told to stop; for ever if `deaf`."""

    path: str
    deaf: bool = False

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.meta", self.path),)

    def describe(self) -> str:
        return "wait"

    def apply(self) -> None:
        from nlsh.steps import handles

        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        if not self.deaf:
            signal.set_wakeup_fd(wake)
        handles.progress(0)
        os.read(woken, 1)


@dataclass(frozen=True)
class Die(Step):
    """End the worker that runs this step."""

    path: str

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.meta", self.path),)

    def describe(self) -> str:
        return "die"

    def apply(self) -> None:
        os._exit(9)


class Staged(Action):
    """Make a folder, do something odd, make another folder."""

    name: ClassVar = "test.staged"
    effects: ClassVar = ("fs.read", "fs.write", "fs.meta")
    undo: ClassVar = Never("it is a test")
    middle: ClassVar[Step]

    class Args(BaseArgs):
        """None."""

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield MakeFolder(os.path.join(os.getcwd(), "first"))
        yield self.middle
        yield MakeFolder(os.path.join(os.getcwd(), "second"))


@pytest.fixture
def staged(home: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    real = registry.get
    monkeypatch.setattr(registry, "get", lambda name: Staged() if name == "test.staged" else real(name))
    return Plan((Call("test.staged"),))


def test_ctrl_c_stops_between_steps_and_says_what_was_done(home: Path, make_kernel: Make, staged: Plan) -> None:
    Staged.middle = Wait(str(home / "first"))
    kernel = make_kernel(on_event=lambda e: os.kill(os.getpid(), signal.SIGINT) if e["type"] == "progress" else None)
    before = signal.getsignal(signal.SIGINT)
    outcome = kernel.run(kernel.preview(staged))
    assert signal.getsignal(signal.SIGINT) is before
    assert (outcome.status, outcome.exit_status, outcome.done, outcome.total) == ("cancelled", 130, 2, 3)
    assert outcome.message.startswith("Cancelled. 2 of 3 steps were done")
    assert (home / "first").exists()
    assert not (home / "second").exists()
    assert kernel.journal.run(outcome.run_id or 0).status == "cancelled"  # type: ignore[union-attr]


def test_ctrl_c_before_the_worker_is_there_stops_it_all_the_same(home: Path, make_kernel: Make, staged: Plan) -> None:
    Staged.middle = Wait(str(home / "first"))
    kernel = make_kernel(on_event=lambda e: os.kill(os.getpid(), signal.SIGINT) if e["type"] == "call" else None)
    outcome = kernel.run(kernel.preview(staged))
    assert (outcome.status, outcome.exit_status) == ("cancelled", 130)
    assert not (home / "second").exists()


def test_a_second_ctrl_c_ends_a_step_that_does_not_end(home: Path, make_kernel: Make, staged: Plan) -> None:
    Staged.middle = Wait(str(home / "first"), deaf=True)

    def interrupt(event: dict[str, Any]) -> None:
        if event["type"] == "progress":
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    kernel = make_kernel(on_event=interrupt)
    outcome = kernel.run(kernel.preview(staged))
    assert (outcome.status, outcome.exit_status, outcome.done) == ("cancelled", 130, 1)
    assert not (home / "second").exists()
    kernel.on_event = lambda event: None
    (home / "a").write_text("a")
    assert kernel.run(kernel.preview(registry.parse('file.trash("a")'))).status == "done"


@dataclass(frozen=True)
class Gaze(Wait):
    """Look at something, for ever."""

    reads_only: ClassVar[bool] = True

    def effects(self) -> tuple[Effect, ...]:
        return (Effect("fs.read", self.path),)


class Looking(Action):
    """Look at something that does not end, and cannot be asked to."""

    name: ClassVar = "test.staged"
    effects: ClassVar = ("fs.read",)
    undo: ClassVar = Never("it is a test")

    class Args(BaseArgs):
        """None."""

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield Gaze(os.getcwd(), deaf=True)


def test_one_ctrl_c_ends_what_only_looks_though_it_is_deaf(home: Path, make_kernel: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry.get
    monkeypatch.setattr(registry, "get", lambda name: Looking() if name == "test.staged" else real(name))
    interrupt: Callable[[dict[str, Any]], None] = lambda e: os.kill(os.getpid(), signal.SIGINT) if e["type"] == "progress" else None  # noqa: E731
    kernel = make_kernel(on_event=interrupt)
    outcome = kernel.run(kernel.preview(Plan((Call("test.staged"),))))
    assert (outcome.status, outcome.exit_status, outcome.errors) == ("cancelled", 130, [])
    # Neither what changes something nor a command is broken off in the middle.
    (home / "a").write_text("a")
    for plan, ends in (("file.list()", True), ('file.follow("a")', False), ('file.trash("a")', False), ('shell.run("ls")', False)):
        assert work.only_looks(kernel.preview(registry.parse(plan)).calls[0]) == ends, plan


def test_a_worker_that_dies_makes_it_partly(home: Path, make_kernel: Make, staged: Plan) -> None:
    Staged.middle = Die(str(home / "first"))
    kernel = make_kernel()
    outcome = kernel.run(kernel.preview(staged))
    assert (outcome.status, outcome.exit_status, outcome.done) == ("partly", 5, 1)
    assert outcome.errors
    assert (home / "first").exists()
    assert not (home / "second").exists()


@dataclass(frozen=True)
class DyingRename(RenamePath):
    """Rename, and end the worker before it can tell of it, or of the quick steps before."""

    how: str = "exit"

    def apply(self) -> None:
        super().apply()
        if self.how == "exit":
            os._exit(9)
        ctypes.CDLL(None).syscall(39 | 0x40000000)  # getpid by the x32 numbers, for which the filter ends a process


class Renames(Action):
    """Rename many, and die in the middle."""

    name: ClassVar = "test.staged"
    effects: ClassVar = ("fs.write", "fs.delete")
    how: ClassVar[str] = "exit"

    class Args(BaseArgs):
        """None."""

    def look(self, args: Any, world: World) -> Any:
        return [(f"{world.cwd}/{n:03d}", f"{world.cwd}/new{n:03d}", identify(f"{world.cwd}/{n:03d}")) for n in range(100)]

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        for number, (old, new, known) in enumerate(seen):
            yield DyingRename(old, new, known, self.how) if number == 60 else RenamePath(old, new, known)


_x86 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="other processors have no second set of numbers")


@pytest.mark.parametrize("how", ["exit", pytest.param("SIGSYS", marks=_x86)])
def test_what_a_dead_worker_had_not_told_of_is_read_from_the_world(home: Path, make_kernel: Make, do: Do, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Quick steps are told of together: one that was done and not told of counts as done, and can be taken back."""
    real = registry.get
    monkeypatch.setattr(registry, "get", lambda name: Renames() if name == "test.staged" else real(name))
    monkeypatch.setattr(Renames, "how", how)
    for number in range(100):
        (home / f"{number:03d}").write_text(str(number))
    told = []
    kernel = make_kernel(on_event=lambda e: told.append(e["step"]) if e["type"] == "done" else None)
    outcome = kernel.run(kernel.preview(Plan((Call("test.staged"),))))
    assert len(told) < 61, "the last of them died with the worker"
    assert (outcome.status, outcome.done) == ("partly", 61)
    assert [e.code for e in outcome.errors] == ([] if how == "exit" else ["guard.denied"])
    assert sum(p.name.startswith("new") for p in home.iterdir()) == 61
    assert kernel.journal.states(outcome.run_id or 0) == {"done": 61, "failed": 39}
    assert kernel.run(kernel.preview(registry.parse("history.undo()"))).status == "done"
    assert sum(p.name.startswith("new") for p in home.iterdir()) == 0


def test_every_quick_step_is_told_of_once_and_in_order(home: Path, make_kernel: Make) -> None:
    for number in range(3000):
        (home / f"IMG_{number}").touch()
    told: list[tuple[str, int]] = []
    kernel = make_kernel(on_event=lambda e: told.append((e["type"], e["step"])) if "step" in e else None)
    outcome = kernel.run(kernel.preview(registry.parse('file.rename_all(".", replace="IMG", by="holiday")')))
    assert outcome.status == "done"
    assert [step for kind, step in told if kind == "done"] == list(range(3000))
    assert told[0] == ("start", 0)
    assert sum(isinstance(r, Change) for r in outcome.records) == 3000


# --- undo --------------------------------------------------------------------------------------------------------


def test_a_run_that_cannot_be_undone_says_why(home: Path, make_kernel: Make, staged: Plan) -> None:
    Staged.middle = MakeFolder(str(home / "between"))
    kernel = make_kernel()
    Staged.undo = None  # type: ignore[misc]
    try:
        assert kernel.preview(staged).calls[0].no_undo == ""
    finally:
        Staged.undo = Never("it is a test")  # type: ignore[misc]
    Staged.middle = Wait(str(home / "first"))
    preview = kernel.preview(staged)
    assert preview.calls[0].no_undo == "it is a test"


def test_what_was_deleted_for_good_cannot_be_undone_and_the_run_before_is_named(home: Path, do: Do) -> None:
    (home / "a").write_text("a")
    (home / "b").write_text("b")
    first = do('file.trash("a")').run_id
    do('file.delete("b")')
    with pytest.raises(Refused, match=rf'cannot be undone: .*Nothing was changed\. history\.undo\(run="{first}"\)'):
        do("history.undo()")
    assert do(f'history.undo(run="{first}")').status == "done"
    assert (home / "a").read_text() == "a"


def test_undo_goes_back_step_by_step_and_an_undo_can_be_undone(home: Path, do: Do) -> None:
    (home / "a").write_text("a")
    do('file.rename("a", to="b")')
    do('file.rename("b", to="c")')
    undo = do("history.undo()")
    assert (home / "b").exists()
    do("history.undo()")
    assert (home / "a").exists()
    with pytest.raises(NotFound, match="nothing to undo"):
        do("history.undo()")
    with pytest.raises(Refused, match="was taken back by run 3"):
        do('history.undo(run="2")')
    with pytest.raises(Refused, match="things changed since"):
        do(f'history.undo(run="{undo.run_id}")')  # b is not there to become c again
    do('history.undo(run="4")')
    assert (home / "b").exists()
    do(f'history.undo(run="{undo.run_id}")')
    assert (home / "c").exists()
    do("history.undo()")
    assert (home / "b").exists()


def test_drift_is_refused_before_anything_is_changed(home: Path, do: Do) -> None:
    for name in "abc":
        (home / name).write_text(name)
    do('file.trash(["a", "b", "c"])')
    (home / "b").write_text("a new b")
    with pytest.raises(Refused, match=rf"things changed since: There is something at {home}/b now") as caught:
        do("history.undo()")
    assert "Nothing was changed" in str(caught.value)
    assert sorted(p.name for p in home.iterdir() if p.name[0] != ".") == ["b"]
    (home / "b").unlink()
    assert do("history.undo()").status == "done"
    assert [(home / n).read_text() for n in "abc"] == ["a", "b", "c"]


def test_a_changed_copy_is_not_removed(home: Path, do: Do) -> None:
    (home / "a").write_text("a")
    do('file.copy("a", to="b")')
    (home / "b").write_text("worked on since")
    with pytest.raises(Refused, match="things changed since"):
        do("history.undo()")
    assert (home / "b").read_text() == "worked on since"


def test_undo_puts_folder_times_back_unless_something_else_happened_there(home: Path, do: Do) -> None:
    for folder in ("x", "y"):
        (home / folder).mkdir()
        (home / folder / "f").write_text("f")
        os.utime(home / folder, ns=(1, 1_000_000_000_123_456_789))
    do('file.trash(["x/f", "y/f"])')
    (home / "y" / "new").write_text("since then")
    changed = (home / "y").stat().st_mtime_ns
    do("history.undo()")
    assert (home / "x").stat().st_mtime_ns == 1_000_000_000_123_456_789
    assert (home / "y").stat().st_mtime_ns >= changed


def test_a_link_moved_out_of_the_home_comes_back(home: Path, do: Do) -> None:
    elsewhere = home.parent / "elsewhere"
    elsewhere.mkdir()
    os.symlink("nowhere", home / "link")
    os.utime(home / "link", ns=(1, 1_500_000_000_000_000_001), follow_symlinks=False)
    assert do(f'file.move("link", to="{elsewhere}")').status == "done"
    assert do("history.undo()").status == "done"
    assert os.readlink(home / "link") == "nowhere"
    assert os.lstat(home / "link").st_mtime_ns == 1_500_000_000_000_000_001
    assert os.listdir(elsewhere) == []


def test_history_lists_the_newest_first(home: Path, do: Do) -> None:
    (home / "a").write_text("a")
    do('file.rename("a", to="b")')
    do("history.undo()")
    outcome = do("history.list()")
    assert [(r.run, r.status, r.undo) for r in outcome.records] == [(2, "done", "yes"), (1, "done", "taken back by run 2")]  # type: ignore[attr-defined]
    assert [r.run for r in do('history.list(limit="1")').records] == [2]  # type: ignore[attr-defined]


def test_an_undo_stands_alone(home: Path, do: Do) -> None:
    (home / "a").write_text("a")
    do('file.rename("a", to="b")')
    with pytest.raises(BadPlan, match="a plan of its own"):
        do("history.undo(); history.undo()")


def test_what_a_failed_run_left_can_be_finished(home: Path, kernel: Kernel, do: Do) -> None:
    for name in "abc":
        (home / name).write_text(name)
    preview = kernel.preview(registry.parse('file.move(["a", "b", "c"], to="to/")'))
    (home / "to").write_text("in the way")
    assert kernel.run(preview).status == "failed"
    (home / "to").unlink()
    outcome = do('history.finish(run="1")')
    assert outcome.status == "done"
    assert sorted(p.name for p in (home / "to").iterdir()) == ["a", "b", "c"]
    with pytest.raises(Refused, match="left to do"):
        do('history.finish(run="1")')
    assert do("history.undo()").status == "done"
    assert sorted(p.name for p in home.iterdir() if p.name[0] != ".") == ["a", "b", "c"]
