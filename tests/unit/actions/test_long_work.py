"""Work that takes long: it says how much is done and of how much, ends at the first Ctrl-C with nothing half done, and notices who writes meanwhile."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotFound, StaleStep
from nlsh.plan.plan import Call, Plan
from nlsh.plan.records import Note
from nlsh.steps import _fs, _moving, _pack, handles
from nlsh.testing import Scene, build, snapshot
from nlsh.world import World
from nlsh.world.archives import FORMATS
from tests.unit.actions.conftest import act, look

MB = 1 << 20
Told = list[tuple[int, int | None, str]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """Return what is told of progress, each time that there is something to tell."""
    heard: Told = []
    monkeypatch.setattr(handles, "_TOLD_EVERY_S", 0)
    handles.on_progress(lambda *said: heard.append(said))
    yield heard
    handles.on_progress(None)


def to_another_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    rename = _fs.rename

    def far(old_folder: int, old: str, new_folder: int, new: str) -> None:
        if not old.startswith(".nlsh-"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(old_folder, old, new_folder, new)

    monkeypatch.setattr(_fs, "rename", far)
    monkeypatch.setattr("fcntl.ioctl", lambda *_: (_ for _ in ()).throw(OSError(errno.EXDEV, "no shared blocks")))


def changing(action: str, **written: Any) -> Callable[[], None]:
    def do() -> None:
        for step in look(action, **written):
            step.check()
            for _ in step.apply() or ():
                continue

    return do


def reading(action: str, **written: Any) -> Callable[[], None]:
    def do() -> None:
        unit, world = registry.get(action), World()
        args = unit.Args.bind(action, written)
        for _ in unit.observe(args, unit.look(args, world), world):
            continue

    return do


LONG = {
    **{f"pack as {kind}": changing("archive.create", paths="tree", to=f"x.{kind}") for kind in FORMATS},
    "compress": changing("archive.compress", paths="tree/a"),
    "unpack zip": changing("archive.extract", archive="there.zip", to="out"),
    "unpack tar": changing("archive.extract", archive="there.tar", to="out"),
    "unpack 7z": changing("archive.extract", archive="there.7z", to="out"),
    "add": changing("archive.add", paths="tree", to="plain.tar"),
    "copy": changing("file.copy", paths="tree/a", to="b"),
    "move": changing("file.move", paths="tree", to="moved"),
    "join": changing("file.join", paths=("tree/a", "tree/sub/b"), to="all"),
    "split": changing("file.split", path="tree/a", parts="2"),
    "replace": changing("text.replace", text="end", by="END", under="tree/a"),
    "hash": reading("file.hash", paths="big"),
    "compare": reading("file.compare", path="big", to="same"),
    "duplicates": reading("file.duplicates"),
}
LOOKING = {
    "find": reading("file.find", named="nothing"),
    "count": reading("file.count", type="file"),
    "size": reading("folder.size"),
    "search": reading("text.search", text="nowhere"),
}


@pytest.fixture
def tree(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Path:
    build(scene.home, {"tree/a": "x" * (MB + 1000) + "end", "tree/sub/b": "y" * 100_000, "other/c": "c"})
    for kind in ("zip", "tar", "7z"):
        changing("archive.create", paths="tree", to=f"there.{kind}")()
    changing("archive.create", paths="other", to="plain.tar")()
    for name in ("big", "same"):
        with open(scene.home / name, "wb") as file:
            file.truncate(40 * MB)
    to_another_disk(monkeypatch)
    return scene.home


@pytest.mark.parametrize("what", LONG)
def test_it_says_how_much_is_done_and_of_how_much(tree: Path, told: Told, what: str) -> None:
    LONG[what]()
    bytes_told = [(done, total) for done, total, unit in told if unit == "bytes"]
    assert bytes_told and all(total == bytes_told[-1][1] and 0 < done <= (total or 0) for done, total in bytes_told)
    assert [done for done, _ in bytes_told] == sorted(done for done, _ in bytes_told)
    assert what in ("hash", "compare", "duplicates") or bytes_told[-1][0] == bytes_told[-1][1]


@pytest.mark.parametrize("what", [*LONG, *LOOKING])
def test_it_ends_when_it_is_asked_to_and_leaves_nothing(tree: Path, told: Told, what: str) -> None:
    before = snapshot(tree)
    handles.on_progress(lambda *said: told.append(said), lambda: len(told) > 0)
    with pytest.raises(NlshError) as caught:
        {**LONG, **LOOKING}[what]()
    assert caught.value.code == "step.cancelled" and len(told) == 1
    now = snapshot(tree)
    # The folder that it was to go into is a step of its own.
    assert {p: f for p, f in now.items() if p not in (".", "out", "tree")} == {p: f for p, f in before.items() if p not in (".", "tree")}


def test_what_is_shredded_is_shredded_whole(scene: Scene) -> None:
    """Half of a file is of no use to anybody, and it would look as if it were still there."""
    (scene.home / "a").write_bytes(b"x" * MB)
    handles.on_progress(lambda *_: None, lambda: True)
    try:
        changing("file.shred", paths="a")()
    finally:
        handles.on_progress(None)
    assert os.listdir(scene.home) == []


def test_the_first_ctrl_c_ends_a_long_step_for_real(scene: Scene) -> None:
    """Packing tens of megabytes that cannot be made smaller: one step, which takes a second and more."""
    (scene.home / "big").write_bytes(os.urandom(24 * MB))
    kernel = scene.kernel
    assert kernel is not None
    times = 0

    def interrupt(event: dict[str, Any]) -> None:
        nonlocal times
        if event["type"] == "progress" and not times:
            times += 1
            os.kill(os.getpid(), signal.SIGINT)

    before, kernel.on_event = kernel.on_event, interrupt
    try:
        outcome = kernel.run(kernel.preview(Plan((Call("archive.create", {"paths": ("big",), "to": "x.tar.xz"}),))))
    finally:
        kernel.on_event = before
    assert (outcome.status, outcome.exit_status, outcome.done, times) == ("cancelled", 130, 0, 1)
    assert os.listdir(scene.home) == ["big"]
    # What was broken off can be done after all.
    assert [s.describe() for c in kernel.preview(Plan((Call("history.finish"),))).calls for s in c.steps] == [
        f"pack {scene.home}/big into {scene.home}/x.tar.xz"
    ]


def test_what_a_step_that_failed_has_left_is_gone_on_with_without_its_number(scene: Scene) -> None:
    build(scene.home, {"a": "a", "b": "b", "to/x": "x"})
    kernel = scene.kernel
    assert kernel is not None
    with pytest.raises(NotFound, match="No run was cut short"):
        act(scene, "history.finish")
    preview = kernel.preview(Plan((Call("file.move", {"paths": ("a", "b"), "to": "to"}),)))
    (scene.home / "to/b").write_text("in the way")
    assert kernel.run(preview).status == "partly"
    (scene.home / "to/b").unlink()
    act(scene, "history.finish")
    assert sorted(os.listdir(scene.home / "to")) == ["a", "b", "x"]
    with pytest.raises(NotFound, match="No run was cut short"):
        act(scene, "history.finish")
    act(scene, "history.undo")
    act(scene, "history.undo")
    # What was taken back is not to be finished.
    preview = kernel.preview(Plan((Call("file.move", {"paths": ("a", "b"), "to": "to"}),)))
    (scene.home / "to/b").write_text("in the way")
    assert kernel.run(preview).status == "partly"
    act(scene, "history.undo")
    with pytest.raises(NotFound, match="No run was cut short"):
        act(scene, "history.finish")


# --- who writes meanwhile ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["written to", "added", "removed"])
def test_what_is_changed_while_a_folder_moves_to_another_disk_is_not_lost(tree: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    copy = _moving._copy_tree

    def meanwhile(*args: Any) -> None:
        copy(*args)
        match change:
            case "written to":
                with open(tree / "tree/sub/b", "a") as file:
                    file.write("late")
            case "added":
                (tree / "tree/sub/new").write_text("late")
            case _:
                (tree / "tree/sub/b").unlink()

    monkeypatch.setattr(_moving, "_copy_tree", meanwhile)
    with pytest.raises(StaleStep, match="changed while it was moved"):
        LONG["move"]()
    assert not (tree / "moved").exists() and (tree / "tree/a").exists()
    assert (tree / "tree/sub/new").exists() == (change == "added")
    assert change != "written to" or (tree / "tree/sub/b").read_text().endswith("ylate")
    monkeypatch.setattr(_moving, "_copy_tree", copy)
    LONG["move"]()
    assert (tree / "moved/sub").exists() and not (tree / "tree").exists()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_grows_while_it_is_packed_is_named_and_one_that_shrinks_stops_it(scene: Scene, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    build(scene.home, {"tree/a.log": "x" * 100_000, "tree/b": "b"})
    read = _pack._Metered.read
    grown = True

    def meanwhile(self: _pack._Metered, size: int | None = -1) -> bytes:
        if self.tell() == 0 and self.left == 100_000:
            if grown:
                with open(scene.home / "tree/a.log", "a") as file:
                    file.write("more")
            else:
                os.truncate(scene.home / "tree/a.log", 10)
        return read(self, size)

    monkeypatch.setattr(_pack._Metered, "read", meanwhile)
    (step,) = look("archive.create", paths="tree", to=f"x.{kind}")
    notes = [r.text for r in step.apply() or () if isinstance(r, Note)]
    assert len(notes) == 1 and "Written to while it was packed" in notes[0] and "a.log" in notes[0] and "tree/b" not in notes[0]
    os.truncate(scene.home / "tree/a.log", 100_000)
    changing("archive.extract", archive=f"x.{kind}", to="out")()
    assert next((scene.home / "out").rglob("a.log")).read_text() == "x" * 100_000
    grown = False
    (step,) = look("archive.create", paths="tree", to=f"y.{kind}")
    with pytest.raises(StaleStep, match="became shorter while it was packed"):
        step.apply()
    assert not (scene.home / f"y.{kind}").exists()


def test_a_file_that_changes_while_it_is_read_has_no_checksum(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    build(scene.home, {"a": "aaa", "b": "bbb"})
    real = os.read

    def meanwhile(descriptor: int, count: int) -> bytes:
        block = real(descriptor, count)
        if block == b"aaa":
            os.truncate(scene.home / "a", 2)
        return block

    monkeypatch.setattr(os, "read", meanwhile)
    unit, world = registry.get("file.hash"), World()
    args = unit.Args.bind("file.hash", {"paths": ("a", "b")})
    first, second = unit.observe(args, unit.look(args, world), world)
    assert isinstance(first, Note) and "changed while it was read" in first.text and second.path.endswith("/b")  # type: ignore[attr-defined]
    (scene.home / "a").write_text("aaa")
    with pytest.raises(StaleStep, match="changed while it was read"):
        reading("file.hash", paths="a")()
