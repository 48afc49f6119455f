"""The edges that files have, in what packs, rewrites, searches and measures them: full disks, closed folders, loops, odd times, a clock that is set."""

from __future__ import annotations

import os
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.records import Note
from nlsh.testing import Scene, build, snapshot
from nlsh.world import World, processes
from tests.unit.actions.conftest import act, look, mounted, run
from tests.unit.actions.test_file_edges import as_root

# Of each kind one: those of tar differ in their compression alone.
SOME_FORMATS = ("zip", "7z", "tar.gz")
FUTURE, PAST = 4_500_000_000, -86_400  # in 2112, which zip cannot say; before 1970


def rows(action: str, **written: Any) -> list[Any]:
    unit, world = registry.get(action), World()
    args = unit.Args.bind(action, written)
    return list(unit.observe(args, unit.look(args, world), world))


# --- full disks ----------------------------------------------------------------------------------------------------------


@as_root
@pytest.mark.parametrize(
    ("action", "written"),
    [
        *(("archive.create", {"paths": "data", "to": f"small/x.{kind}"}) for kind in SOME_FORMATS),
        ("archive.add", {"paths": "data", "to": "small/there.tar"}),
        ("archive.compress", {"paths": "small/noise"}),
        ("text.replace", {"text": "a", "by": "much longer than that", "under": "small/text"}),
        ("text.encoding", {"paths": "small/text", "to": "utf-16"}),
        ("text.convert", {"path": "small/table.csv", "to": "json"}),
        ("image.convert", {"paths": "small/noise.png", "to": "bmp"}),
    ],
)
def test_a_disk_that_gets_full_leaves_what_was_there_and_nothing_else(scene: Scene, action: str, written: dict[str, str]) -> None:
    from PIL import Image

    (scene.home / "data").mkdir()
    (scene.home / "data/noise").write_bytes(os.urandom(1_500_000))
    with mounted(scene.home / "small") as small:
        match written.get("under") or written.get("path") or written["paths"]:
            case "small/noise":
                (small / "noise").write_bytes(os.urandom(700_000))
            case "small/text":
                (small / "text").write_text(f"a{'b' * 30}\n" * 20_000)
            case "small/table.csv":
                (small / "table.csv").write_text("some,names,here\n" + "1,2,3\n" * 60_000)
            case "small/noise.png":
                Image.effect_noise((600, 600), 5).convert("RGB").save(small / "noise.png")
            case _:
                with tarfile.open(small / "there.tar", "w") as tar:
                    tar.add(__file__, "a")
        before = snapshot(scene.home)
        with pytest.raises(NotPossible, match=r"No space left|not enough room|too little room"):
            act(scene, action, **written)
        now = snapshot(scene.home)
        # A trash that the disk now has is empty; the time of its top is that of what came and went.
        assert {p: f for p, f in now.items() if "/.Trash" not in p and p != "small"} == {p: f for p, f in before.items() if p != "small"}
        assert not [p for p in small.rglob("*") if ".Trash" in str(p) and p.is_file()]


@as_root
def test_a_sync_to_a_disk_that_gets_full_is_partly_done_and_taken_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    build(scene.home, {f"from/f{n}": "x" * 200_000 for n in range(8)})
    monkeypatch.setattr("nlsh.actions.file._chosen.refuse_without_room", lambda *_: None)
    with mounted(scene.home / "small") as small:
        (small / "to").mkdir()
        (small / "to/f0").write_text("an older one")
        before = snapshot(scene.home)
        outcome = run(scene, "file.sync", path="from", to=str(small / "to"))
        assert outcome.status == "partly" and "No space left" in outcome.errors[0].message
        act(scene, "history.undo")
        assert {p: f for p, f in snapshot(scene.home).items() if ".Trash" not in p and p != "small"} == {p: f for p, f in before.items() if p != "small"}


# --- closed folders and loops --------------------------------------------------------------------------------------------

LOOPS = {
    "tree/a.txt": "needle",
    "tree/self": {"link": "."},
    "tree/up": {"link": ".."},
    "tree/loop": {"link": "loop"},
    "tree/sub/back": {"link": "../../tree"},
    "tree/sub/b.txt": "needle",
}


def test_loops_of_links_are_not_walked_by_who_reads(scene: Scene) -> None:
    build(scene.home, LOOPS)
    assert sorted(os.path.basename(r.path) for r in rows("text.search", text="needle", under="tree")) == ["a.txt", "b.txt"]
    assert [r.path for r in rows("file.duplicates", under="tree")] and len(rows("file.duplicates", under="tree")) == 1
    assert rows("file.count", under="tree", type="file")[0].count == 2
    assert rows("folder.size", paths="tree")[0].files == 6
    for kind in SOME_FORMATS:
        act(scene, "archive.create", paths="tree", to=f"x.{kind}")
        act(scene, "archive.extract", archive=f"x.{kind}", to=f"out-{kind}")
        out = next((scene.home / f"out-{kind}").rglob("a.txt")).parent
        assert os.readlink(out / "loop") == "loop" and os.readlink(out / "sub/back") == "../../tree" and os.readlink(out / "self") == "."
    act(scene, "text.replace", text="needle", by="pin", under="tree")
    assert (scene.home / "tree/sub/b.txt").read_text() == "pin"


@as_root
def test_a_closed_folder_in_the_middle_is_said() -> None:
    """As somebody who is not root, in a process of its own."""
    import shutil
    import tempfile

    cwd, home = os.getcwd(), Path(tempfile.mkdtemp(prefix="nlsh-test-"))
    try:
        os.chown(home, 65534, 65534)
        _load_what_is_needed(home)
        pid = os.fork()
        if pid == 0:
            came = 1
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                os.environ["HOME"] = str(home)
                _closed(home)
                came = 0
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                os._exit(came)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        os.chdir(cwd)
        shutil.rmtree(home)


def _load_what_is_needed(home: Path) -> None:
    """Use all of it once: who is not root may not be able to read the code."""
    build(home, {"warm/a": "needle", "warm/b": "needle"})
    os.chdir(home)
    for action, written in (("text.search", {"text": "needle"}), ("folder.size", {}), ("file.count", {}), ("file.duplicates", {})):
        rows(action, **written)
    for kind in SOME_FORMATS:
        for step in look("archive.create", paths="warm", to=f"warm.{kind}"):
            step.apply()
    for step in look("file.move", paths="warm", to="warmed"):
        step.apply()


def _closed(home: Path) -> None:
    build(home, {"tree/a": "needle", "tree/closed/b": "needle", "tree/z": "needle", "held/in/x": "x", "held/y": "y"})
    os.chdir(home)
    os.chmod(home / "tree/closed", 0)
    os.chmod(home / "held/in", 0o500)
    for action, written, found in (
        ("text.search", {"text": "needle", "under": "tree"}, 2), ("folder.size", {"paths": "tree"}, 1), ("file.count", {"under": "tree"}, 1),
        ("file.duplicates", {"under": "tree"}, 1),
    ):  # fmt: skip
        *others, last = rows(action, **written)
        assert isinstance(last, Note) and "tree/closed" in last.text, action
        assert len(others) == found, action

    def refused(action: str, **written: Any) -> str:
        unit, world = registry.get(action), World()
        try:
            for step in unit.steps(None, unit.look(unit.Args.bind(action, written), world)):
                step.check()
                for _ in step.apply() or ():
                    continue
        except NlshError as error:
            return error.message
        return ""

    before = snapshot(home / "held")
    for kind in SOME_FORMATS:
        assert "cannot be read" in refused("archive.create", paths="tree", to=f"x.{kind}"), kind
        assert not (home / f"x.{kind}").exists()
    # To another file system: what could be copied and not removed is not moved at all.
    import errno

    from nlsh.steps import _fs

    def far(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    _fs.rename = far  # type: ignore[assignment]
    assert "You may not remove what is in" in refused("file.move", paths="held", to="moved")
    assert not (home / "moved").exists() and snapshot(home / "held") == before
    os.chmod(home / "held/in", 0o700)
    assert refused("file.move", paths="held", to="moved") == "" and (home / "moved/in/x").exists()
    os.chmod(home / "tree/closed", 0o700)


# --- times and sizes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SOME_FORMATS)
def test_times_that_a_format_cannot_say_do_not_stop_it(scene: Scene, kind: str) -> None:
    build(scene.home, {"tree/future": "f", "tree/past": "p"})
    for name, when in (("future", FUTURE), ("past", PAST)):
        os.utime(scene.home / "tree" / name, (when, when))
    act(scene, "archive.create", paths="tree", to=f"x.{kind}")
    act(scene, "archive.extract", archive=f"x.{kind}", to="out")
    for name, when in (("future", FUTURE), ("past", PAST)):
        found = next((scene.home / "out").rglob(name))
        assert found.read_text() == name[0]
        assert kind in ("zip", "7z") or int(found.stat().st_mtime) == when
    act(scene, "history.undo")
    act(scene, "history.undo")
    assert sorted(os.listdir(scene.home)) == ["tree"]


def test_files_of_tomorrow_and_of_more_than_4_gb_are_found(scene: Scene) -> None:
    build(scene.home, {"tomorrow": "t", "old": {"text": "o", "age": "40d"}, "empty": ""})
    tomorrow = time.time() + 86_400
    os.utime(scene.home / "tomorrow", (tomorrow, tomorrow))
    with open(scene.home / "big", "wb") as file:
        file.truncate((4 << 30) + 1)
    assert [os.path.basename(r.path) for r in rows("file.find", newer="1h", smaller="1KB")] == ["empty", "tomorrow"]
    assert [os.path.basename(r.path) for r in rows("file.find", older="1d")] == ["old"]
    assert [os.path.basename(r.path) for r in rows("file.find", larger="4GB")] == ["big"]
    assert [os.path.basename(r.path) for r in rows("file.find", sort="newest", limit="1")] == ["tomorrow"]
    assert [os.path.basename(r.path) for r in rows("file.find", empty=True)] == ["empty"]
    assert rows("folder.size")[0].size_bytes < 1 << 20, "holes take no room"


def test_a_clock_that_is_set_back_does_not_confuse_undo(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done last is taken back first, whatever the clock said; a process stays the same one."""
    build(scene.home, {"a": "a", "b": "b"})
    stages = [snapshot(scene.home)]
    me, real = next(p for p in processes.every() if p.pid == os.getpid()), time.time
    for shift, path in ((0, "a"), (-3 * 86_400, "b"), (86_400, "new")):
        monkeypatch.setattr(time, "time", lambda shift=shift: real() + shift)
        monkeypatch.setattr(time, "time_ns", lambda shift=shift: int((real() + shift) * 1e9))
        act(scene, "file.create", paths="new") if path == "new" else act(scene, "file.trash", paths=path)
        stages.append(snapshot(scene.home))
    assert processes.same(me.pid, me.started)
    assert scene.kernel is not None
    assert [r.id for r in scene.kernel.journal.recent(3)] == sorted((r.id for r in scene.kernel.journal.recent(3)), reverse=True)
    monkeypatch.setattr(time, "time", lambda: real() - 10 * 86_400)
    for stage in reversed(stages[:-1]):
        act(scene, "history.undo")
        now = snapshot(scene.home)
        assert {p: f for p, f in now.items() if not p.startswith(".local")} == {p: f for p, f in stage.items() if not p.startswith(".local")}
    assert scene.kernel.audit.verify().holds
