"""A scene that says that all is well must be able to say that it is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh import testing
from nlsh.guard.sandbox.zygote import Zygote
from nlsh.plan.action import ABSENT, Example


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    started = Zygote.start()
    yield started
    started.close()


GIVEN: dict[str, Any] = {"a.txt": "a", "b.txt": {"text": "b", "mode": "600", "age": "2d"}, "sub": None, "big": {"size": "3MB"}, "l": {"link": "a.txt"}}


def example(**fields: Any) -> Example:
    return Example(say=("x",), given=GIVEN, **fields)


@pytest.mark.parametrize(
    "true",
    [
        example(plan='file.find(kind="txt")', result=("a.txt", "b.txt")),
        example(plan='file.find(kind="txt")', result=("b.txt", ...)),
        example(plan='file.find(kind="txt")', result=(None, "b.txt")),
        example(plan='file.trash("a.txt")', after={"a.txt": ABSENT, "b.txt": "b", "sub": None, "l": {"link": "a.txt"}, "big": {}}),
        example(plan='file.trash("nothing")', refused="world.not-found"),
        example(plan='file.chmod("b.txt", mode="640")', after={"b.txt": {"text": "b", "mode": "640"}}),
        example(plan='file.delete("a.txt")', after={"a.txt": ABSENT}),
    ],
)
def test_what_is_true_passes(true: Example, tmp_path: Path, zygote: Zygote) -> None:
    testing.check(true, tmp_path, zygote=zygote)


@pytest.mark.parametrize(
    ("false", "said"),
    [
        (example(plan='file.find(kind="txt")', result=("a.txt",)), "found"),
        (example(plan='file.find(kind="txt")', result=("b.txt", "a.txt")), "found"),
        (example(plan='file.find(kind="txt")', result=("c.txt", ...)), "did not find"),
        (example(plan='file.trash("a.txt")', after={"a.txt": "a"}), "is not there"),
        (example(plan='file.trash("a.txt")', after={"b.txt": ABSENT}), "is still there"),
        (example(plan='file.trash("a.txt")', after={"b.txt": "other"}), "holds"),
        (example(plan='file.trash("a.txt")', after={"b.txt": None}), "is not a folder"),
        (example(plan='file.trash("a.txt")', after={"b.txt": {"mode": "644"}}), "has mode"),
        (example(plan='file.trash("a.txt")', after={"l": {"link": "b.txt"}}), "leads to"),
        (example(plan='file.trash("a.txt")', refused="action.refused"), "was not refused"),
        (example(plan='file.trash("nothing")', refused="action.refused"), "not action.refused"),
        (example(plan='file.trash("nothing")'), "nothing"),
    ],
)
def test_what_is_false_is_noticed(false: Example, said: str, tmp_path: Path, zygote: Zygote) -> None:
    with pytest.raises(AssertionError, match=said):
        testing.check(false, tmp_path, zygote=zygote)


def test_an_undo_that_leaves_something_is_noticed(tmp_path: Path, zygote: Zygote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlsh.steps.files.MovePath.touches", lambda self: ())
    with pytest.raises(AssertionError, match="after undo"):
        testing.check(example(plan='file.move("a.txt", to="sub")'), tmp_path, zygote=zygote)


def test_processes_run_while_the_scene_lasts(tmp_path: Path, zygote: Zygote) -> None:
    with testing.Scene(tmp_path, {}, ("nlsh-one", "nlsh-two"), zygote=zygote) as scene:
        pid = scene.pid("nlsh-one")
        assert Path(f"/proc/{pid}/comm").read_text() == "nlsh-one\n"
        assert scene.filled("{pid:nlsh-one} {port:nlsh-two}") == f"{pid} {scene.port('nlsh-two')}"
        assert scene.is_running("nlsh-one") and scene.port("nlsh-one") != scene.port("nlsh-two")
    assert not Path(f"/proc/{pid}").exists()
