"""The edges of copying, moving, renaming and throwing away: odd names, loops, full disks, closed folders, other file systems, big and empty files."""

from __future__ import annotations

import os
import stat
import struct
import tempfile
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotPossible, Refused, StaleStep
from nlsh.plan.plan import Call, Plan
from nlsh.steps import _fs
from nlsh.steps.files import CopyPath, MovePath
from nlsh.testing import Scene, build, snapshot
from nlsh.world.files import identify
from tests.unit.actions.conftest import act, mounted, run

ODD = [
    "two\nlines",
    "-rf",
    "--help",
    "it's",
    'a "quoted" name',
    os.fsdecode(b"caf\xe9\xff"),
    "文件 名",
    "*?[a]",
    "$(reboot)`id`",
    "a\\b",
    "\x1b[31m",
    "~",
    "x" * 255,
]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount, or become somebody else")


def facts(path: Path) -> tuple[Any, ...]:
    status = os.lstat(path)
    attributes = {n: os.getxattr(path, n, follow_symlinks=False) for n in os.listxattr(path, follow_symlinks=False)}
    return stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), status.st_mtime_ns, status.st_size, attributes


# --- names and loops -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("action", ["file.copy", "file.move", "file.rename", "file.trash"])
def test_any_name_there_and_back(scene: Scene, action: str, name: str) -> None:
    path = scene.home / "from" / name
    path.parent.mkdir()
    (scene.home / "to").mkdir()
    path.write_text("inside")
    before = snapshot(scene.home)
    match action:
        case "file.rename":
            act(scene, action, path=str(path), to="plain")
            assert (path.parent / "plain").read_text() == "inside"
            act(scene, action, path=str(path.parent / "plain"), to=name)
            assert path.read_text() == "inside"
            act(scene, "history.undo")
        case "file.trash":
            act(scene, action, paths=(str(path),))
            assert not path.exists()
        case _:
            act(scene, action, paths=(str(path),), to=str(scene.home / "to"))
            assert (scene.home / "to" / name).read_text() == "inside"
    act(scene, "history.undo")
    assert snapshot(scene.home) == before


def test_a_name_that_no_file_system_takes_fails_and_changes_nothing(scene: Scene) -> None:
    build(scene.home, {"a": "a"})
    before = snapshot(scene.home)
    for action, written in (
        ("file.rename", {"path": "a", "to": "x" * 256}),
        ("file.move", {"paths": "a", "to": "x" * 256}),
        ("file.copy", {"paths": "a", "to": "文" * 86}),
    ):
        with pytest.raises(NlshError, match=r"too long|longer"):
            act(scene, action, **written)
        assert snapshot(scene.home) == before


def test_loops_of_links_are_copied_as_links_and_never_walked(scene: Scene) -> None:
    build(
        scene.home,
        {
            "tree/a": "a",
            "tree/self": {"link": "."},
            "tree/up": {"link": ".."},
            "tree/loop": {"link": "loop"},
            "tree/one": {"link": "two"},
            "tree/two": {"link": "one"},
        },
    )
    before = snapshot(scene.home)
    for action, written in (("file.copy", {"paths": "tree", "to": "copy"}), ("file.move", {"paths": "tree", "to": "moved"}), ("file.trash", {"paths": "tree"})):
        act(scene, action, **written)
        act(scene, "history.undo")
        assert snapshot(scene.home) == before
    act(scene, "file.copy", paths="tree", to="copy")
    assert os.readlink(scene.home / "copy/loop") == "loop" and os.readlink(scene.home / "copy/self") == "."
    act(scene, "file.trash", paths="tree/loop")
    assert not os.path.islink(scene.home / "tree/loop")


def test_a_path_through_a_loop_is_no_path(scene: Scene) -> None:
    build(scene.home, {"loop": {"link": "loop"}, "a": "a"})
    with pytest.raises(NlshError):
        act(scene, "file.move", paths="a", to="loop/x")
    with pytest.raises(NlshError):
        act(scene, "file.copy", paths="loop/x", to="b")
    assert (scene.home / "a").exists()


# --- what goes wrong in the middle ---------------------------------------------------------------------------------------


@as_root
def test_a_disk_that_gets_full_in_the_middle_leaves_whole_files_only(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    build(scene.home, {f"from/f{n}": "x" * 200_000 for n in range(8)})
    monkeypatch.setattr("nlsh.actions.file._chosen.refuse_without_room", lambda *_: None)
    with mounted(scene.home / "small") as small:
        before = snapshot(scene.home)
        outcome = run(scene, "file.copy", paths="from", to=str(small / "to"))
        assert outcome.status == "partly" and "No space left" in outcome.errors[0].message
        made = sorted((small / "to").iterdir())
        assert 1 <= len(made) < 8 and all(p.stat().st_size == 200_000 for p in made)
        act(scene, "history.undo")
        assert snapshot(scene.home) == before


@as_root
def test_a_move_to_a_disk_that_gets_full_changes_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    build(scene.home, {f"from/f{n}": "x" * 200_000 for n in range(8)})
    with mounted(scene.home / "small") as small:
        before = snapshot(scene.home)
        with pytest.raises(Refused, match="are free there"):
            act(scene, "file.move", paths="from", to=str(small))
        act(scene, "file.move", paths="from/f1", to=str(small))
        act(scene, "history.undo")
        # Free when it was looked at, and not any more when it is done.
        monkeypatch.setattr("nlsh.actions.file._chosen.refuse_without_room", lambda *_: None)
        with pytest.raises(NotPossible, match="No space left"):
            act(scene, "file.move", paths="from", to=str(small))
        assert os.listdir(small) == []
        before.pop("small")
        assert {p: f for p, f in snapshot(scene.home).items() if p != "small"} == before


@as_root
def test_join_and_split_on_a_full_disk_leave_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlsh.actions.file.split._refuse_in_the_way", lambda *_: None)
    with mounted(scene.home / "small") as small:
        (small / "a").write_bytes(b"x" * 600_000)
        (scene.home / "b").write_bytes(b"x" * 600_000)
        before = snapshot(scene.home)
        for action, written in (
            ("file.split", {"path": str(small / "a"), "parts": "3"}), ("file.join", {"paths": (str(small / "a"), "b"), "to": str(small / "c")}),
        ):  # fmt: skip
            with pytest.raises(NotPossible, match="No space left"):
                act(scene, action, **written)
            assert {p: f for p, f in snapshot(scene.home).items() if p != "small"} == {p: f for p, f in before.items() if p != "small"}


def test_a_limit_on_the_size_of_files_is_a_full_disk_too(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 500_000)
    step = CopyPath(str(tmp_path / "a"), str(tmp_path / "b"), identify(str(tmp_path / "a")))
    pid = os.fork()
    if pid == 0:
        came = 1
        try:
            import resource
            import signal

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
            try:
                step.apply()
            except NotPossible as error:
                came = 0 if "too large" in error.message else 2
        finally:
            os._exit(came)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert os.listdir(tmp_path) == ["a"]


@as_root
def test_a_closed_folder_in_the_middle_stops_before_anything_is_made() -> None:
    """As somebody who is not root: what cannot be read is said before the first step, what cannot be written leaves all as it was."""
    import shutil

    home = Path(tempfile.mkdtemp(prefix="nlsh-test-"))
    try:
        os.chown(home, 65534, 65534)
        pid = os.fork()
        if pid == 0:
            came = 1
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                os.environ["HOME"] = str(home)
                came = _closed_folders(home)
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                os._exit(came)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        shutil.rmtree(home)


def _closed_folders(home: Path) -> int:
    build(home, {"tree/a": "a", "tree/closed/b": "b", "tree/z": "z", "sealed/x": "x", "unreadable": {"text": "u", "mode": "000"}})
    os.chdir(home)
    os.chmod(home / "tree/closed", 0)
    os.chmod(home / "sealed", 0o500)
    from nlsh.world import World

    world = World(cwd=str(home), home=str(home))

    def refused(action: str, **written: Any) -> str:
        unit = registry.get(action)
        try:
            for step in unit.steps(None, unit.look(unit.Args.bind(action, written), world)):
                step.check()
                step.apply()
        except NlshError as error:
            return error.message
        return ""

    assert "cannot be read" in refused("file.copy", paths="tree", to="copy"), "a folder in the middle cannot be read"
    assert not (home / "copy").exists()
    assert "Permission denied" in refused("file.copy", paths="unreadable", to="copy")
    assert not (home / "copy").exists()
    for action, written in (
        ("file.move", {"paths": "sealed/x", "to": "y"}), ("file.rename", {"path": "sealed/x", "to": "y"}), ("file.trash", {"paths": "sealed/x"}),
        ("file.copy", {"paths": "tree/a", "to": "sealed/a"}), ("file.create", {"paths": "sealed/new"}), ("file.rename_all", {"paths": "sealed", "prefix": "n"}),
    ):  # fmt: skip
        assert refused(action, **written), action
        assert os.listdir(home / "sealed") == ["x"], action
    # A folder with a closed one in it can be moved as a whole.
    assert refused("file.move", paths="tree", to="moved") == "" and (home / "moved/z").read_text() == "z"
    for folder in ("moved/closed", "sealed"):
        os.chmod(home / folder, 0o700)
    return 0


def test_a_file_that_changes_while_it_is_copied_gives_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a"
    source.write_bytes(b"x" * 100_000)
    copy = _fs.copy_data
    for change in (b"longer", None):

        def meanwhile(*args: Any, change: bytes | None = change) -> None:
            copy(*args)
            if change is None:
                os.truncate(source, 10)
            else:
                with open(source, "ab") as file:
                    file.write(change)

        known = identify(str(source))
        with monkeypatch.context() as patch:
            patch.setattr(_fs, "copy_data", meanwhile)
            with pytest.raises(StaleStep, match="changed while it was copied"):
                CopyPath(str(source), str(tmp_path / "b"), known).apply()
        assert os.listdir(tmp_path) == ["a"]


def test_a_file_that_shrinks_while_it_is_read_gives_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a"
    source.write_bytes(b"x" * 3_000_000)
    some = _fs._copy_some

    def shrinking(old: int, new: int, start: int, at: int, count: int) -> int:
        done = some(old, new, start, at, min(count, 1_000_000))
        os.truncate(source, 1_000_000)
        return done

    monkeypatch.setattr(_fs, "_copy_some", shrinking)
    known = identify(str(source))
    with pytest.raises((NotPossible, StaleStep)):
        CopyPath(str(source), str(tmp_path / "b"), known).apply()
    assert os.listdir(tmp_path) == ["a"]


def test_what_goes_away_between_preview_and_run_stops_it(scene: Scene) -> None:
    build(scene.home, {"a": "a", "b": "b", "to/x": "x"})
    assert scene.kernel is not None
    preview = scene.kernel.preview(Plan((Call("file.move", {"paths": ("a", "b"), "to": "to"}),)))
    (scene.home / "b").unlink()
    outcome = scene.kernel.run(preview)
    assert outcome.status == "partly" and outcome.errors[0].code == "step.stale"
    act(scene, "history.undo")
    assert (scene.home / "a").exists() and os.listdir(scene.home / "to") == ["x"]


# --- other file systems, and what is kept --------------------------------------------------------------------------------


@as_root
def test_a_move_to_another_file_system_keeps_everything_and_goes_back(scene: Scene) -> None:
    build(
        scene.home,
        {
            "tree/a": {"text": "a", "mode": "751", "age": "9d", "xattr": {"user.note": "n"}}, "tree/sub/-rf": {"text": "r", "mode": "400"}, "tree/zero": "",
            "tree/link": {"link": "a"}, "tree/two\nlines": "t", "tree/empty": None,
        },
    )  # fmt: skip
    os.link(scene.home / "tree/a", scene.home / "tree/sub/second")
    os.chown(scene.home / "tree/zero", 65534, 4711)
    os.mkfifo(scene.home / "tree/pipe")
    with mounted(scene.home / "other", "20m") as other:
        before = snapshot(scene.home)
        act(scene, "file.move", paths="tree", to=str(other))
        after = snapshot(scene.home)
        moved = {p.replace("other/tree", "tree"): f for p, f in after.items() if p.startswith("other/tree")}
        assert moved == {p: f for p, f in before.items() if p.startswith("tree")}
        assert os.stat(other / "tree/a").st_ino == os.stat(other / "tree/sub/second").st_ino, "they are one file there, too"
        act(scene, "history.undo")
        assert snapshot(scene.home) == before
        assert os.stat(scene.home / "tree/a").st_nlink == 2


@as_root
def test_what_is_on_another_file_system_is_thrown_away_there(scene: Scene) -> None:
    with mounted(scene.home / "other") as other:
        build(other, {"a": "a"})
        before = {p: f for p, f in snapshot(scene.home).items() if not p.startswith("other")}
        act(scene, "file.trash", paths=str(other / "a"))
        assert (other / f".Trash-{os.getuid()}/files/a").exists()
        act(scene, "history.undo")
        assert os.listdir(other) == ["a"] and {p: f for p, f in snapshot(scene.home).items() if not p.startswith("other")} == before


def test_holes_stay_holes_in_files_of_more_than_4_gb(scene: Scene) -> None:
    path = scene.home / "big"
    with open(path, "wb") as file:
        file.truncate(5 << 30)
        file.seek((4 << 30) + 7)
        file.write(b"here")
    os.utime(path, ns=(5, 1_600_000_000_000_000_005))
    act(scene, "file.copy", paths="big", to="copy")
    copy = os.stat(scene.home / "copy")
    assert copy.st_size == 5 << 30 and copy.st_blocks < 1000 and copy.st_mtime_ns == 1_600_000_000_000_000_005
    with open(scene.home / "copy", "rb") as file:
        assert os.pread(file.fileno(), 6, (4 << 30) + 6) == b"\0here\0"
    for action, written in (("file.move", {"paths": "big", "to": "moved"}), ("file.trash", {"paths": "copy"})):
        act(scene, action, **written)
        act(scene, "history.undo")
    assert os.stat(path).st_size == 5 << 30


@as_root
def test_holes_stay_holes_on_another_file_system(scene: Scene) -> None:
    with mounted(scene.home / "other", "10m") as other:
        path = scene.home / "big"
        with open(path, "wb") as file:
            file.truncate(5 << 30)
            file.seek(4 << 30)
            file.write(b"here")
        act(scene, "file.move", paths="big", to=str(other))
        assert os.stat(other / "big").st_size == 5 << 30 and os.stat(other / "big").st_blocks < 1000
        act(scene, "history.undo")
        assert os.stat(path).st_blocks < 1000 and os.stat(path).st_size == 5 << 30


def test_empty_files_stay_empty_files(scene: Scene) -> None:
    build(scene.home, {"zero": {"text": "", "mode": "600", "age": "3d"}})
    known = facts(scene.home / "zero")
    act(scene, "file.copy", paths="zero", to="copy")
    assert facts(scene.home / "copy") == known
    act(scene, "file.move", paths="zero", to="moved")
    assert facts(scene.home / "moved") == known


def test_hard_links_within_a_copied_folder_are_hard_links_of_the_copy(scene: Scene) -> None:
    build(scene.home, {"tree/a": "a", "tree/sub/x": "x", "outside": "o"})
    os.link(scene.home / "tree/a", scene.home / "tree/sub/b")
    os.link(scene.home / "outside", scene.home / "tree/o")
    before = snapshot(scene.home)
    act(scene, "file.copy", paths="tree", to="copy")
    assert os.stat(scene.home / "copy/a").st_ino == os.stat(scene.home / "copy/sub/b").st_ino != os.stat(scene.home / "tree/a").st_ino
    assert os.stat(scene.home / "copy/o").st_nlink == 1
    act(scene, "history.undo")
    assert snapshot(scene.home) == before


def _acl(*entries: tuple[int, int, int]) -> bytes:
    """Return an access list as the kernel keeps it: version 2, then tag, rights and number of each entry."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_access_lists_are_kept(scene: Scene, elsewhere: bool) -> None:
    nobody, everyone = 65534, 0xFFFFFFFF
    acl = _acl((0x01, 6, everyone), (0x02, 6, nobody), (0x04, 4, everyone), (0x10, 6, everyone), (0x20, 0, everyone))
    build(scene.home, {"tree/a": "a"})
    try:
        os.setxattr(scene.home / "tree/a", "system.posix_acl_access", acl)
        os.setxattr(scene.home / "tree", "system.posix_acl_default", acl)
    except OSError:
        pytest.skip("this file system has no access lists")
    known, folder = facts(scene.home / "tree/a"), facts(scene.home / "tree")
    assert known[4]["system.posix_acl_access"] == acl
    act(scene, "file.copy", paths="tree", to="copy")
    assert facts(scene.home / "copy/a") == known and facts(scene.home / "copy") == folder
    if not elsewhere:
        act(scene, "file.move", paths="tree", to="moved")
        assert facts(scene.home / "moved/a") == known
        return
    shm = Path("/dev/shm")
    if not shm.is_dir() or os.stat(shm).st_dev == os.stat(scene.home).st_dev:
        pytest.skip("there is no second file system")
    place = Path(tempfile.mkdtemp(prefix="nlsh-test-", dir=shm))
    try:
        act(scene, "file.move", paths="tree", to=str(place))
        assert facts(place / "tree/a") == known
        act(scene, "history.undo")
        assert facts(scene.home / "tree/a") == known
    finally:
        import shutil

        shutil.rmtree(place)


def test_a_device_or_socket_is_refused_wherever_it_is_to_go(scene: Scene) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
        with pytest.raises(Refused, match="socket"):
            act(scene, "file.copy", paths="sock", to="copy")
        act(scene, "file.move", paths="sock", to="moved")
        assert stat.S_ISSOCK(os.lstat(scene.home / "moved").st_mode)


def test_a_move_within_a_file_system_keeps_the_very_file(scene: Scene) -> None:
    build(scene.home, {"a": "a", "to": None})
    inode = os.stat(scene.home / "a").st_ino
    act(scene, "file.move", paths="a", to="to")
    assert os.stat(scene.home / "to/a").st_ino == inode
    (step,) = [s for s in registry.get("file.rename").steps(None, _look_rename("to/a", "b"))]
    assert isinstance(step, MovePath)


def _look_rename(path: str, to: str) -> Any:
    from nlsh.world import World

    unit = registry.get("file.rename")
    return unit.look(unit.Args.bind("file.rename", {"path": path, "to": to}), World())


def test_many_sources_are_chosen_without_quadratic_work(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand paths: what lies inside another is left out, by looking at what is above each and not at each pair."""
    from nlsh.actions.file import _chosen

    paths = [f"/d/{n // 1000}/{n}" for n in range(100_000)] + ["/d/5", "/d/7/7001"]
    found = _chosen.outermost(paths)
    assert len(found) == 100_000 - 1000 + 1 and "/d/5" in found and "/d/5/5001" not in found
