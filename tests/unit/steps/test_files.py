"""Steps on files: undo after apply is as if nothing had happened, and nothing that exists is overwritten."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlsh.plan.errors import NotPossible, Refused, StaleStep
from nlsh.plan.steps import Step, step_from_data
from nlsh.steps import _fs
from nlsh.steps.files import ChangeMode, CopyPath, DeletePath, MakeFolder, MovePath, RemoveEmptyFolder, SetTimes
from nlsh.steps.trash import TrashPath, info_text
from nlsh.testing import snapshot
from nlsh.world.files import identify

OLD_NS = 1_600_000_000_123_456_789
# Bytes that are no UTF-8, a line end, a leading dash, wildcards, a space at the end.
NAMES = ["plain.txt", os.fsdecode(b"caf\xe9\xff"), "two\nlines", "-rf", "*?[a]", "end ", "文件", "..."]


def run(step: Step) -> None:
    """Do what a worker does with a step that has come over a pipe."""
    received = step_from_data(json.loads(json.dumps(step.as_data())))
    assert received == step
    received.check()
    received.apply()


def restore_times(folders: dict[str, int]) -> None:
    for path, mtime_ns in folders.items():
        os.utime(path, ns=(mtime_ns, mtime_ns))


def touched(*steps: Step) -> dict[str, int]:
    return {f: os.lstat(f).st_mtime_ns for s in steps for f in s.touches() if os.path.isdir(f)}


def there_and_back(root: Path, *steps: Step) -> None:
    """Apply steps, take them back, and find everything below `root` as it was."""
    before = snapshot(root)
    folders = touched(*steps)
    for step in steps:
        assert step.state() in ("undone", "unknown")
        run(step)
        assert step.state() in ("done", "unknown")
    assert snapshot(root) != before
    for step in reversed(steps):
        inverse = step.inverse()
        assert inverse is not None
        run(inverse)
        assert inverse.state() in ("done", "unknown")
    restore_times(folders)
    assert snapshot(root) == before


def make_tree(root: Path) -> Path:
    tree = root / "tree"
    (tree / "sub" / "empty").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        file = tree / "sub" / name
        file.write_bytes(b"x" * number)
        os.setxattr(file, "user.note", f"n{number}".encode())
        os.chmod(file, [0o600, 0o644, 0o755, 0o400][number % 4])
    (tree / "link").symlink_to("sub/plain.txt")
    (tree / "broken").symlink_to("nowhere")
    (tree / "loop").symlink_to("loop")
    os.mkfifo(tree / "pipe")
    with open(tree / "sparse", "wb") as file:
        file.seek(5 << 20)
        file.write(b"end")
    for path in sorted(tree.rglob("*"), reverse=True):
        os.utime(path, ns=(OLD_NS, OLD_NS + len(str(path))), follow_symlinks=False)
    os.utime(tree, ns=(OLD_NS, OLD_NS))
    return tree


@pytest.fixture
def tree(home: Path) -> Path:
    return make_tree(home)


def move(source: Path, target: Path, **fields: Any) -> MovePath:
    return MovePath(str(source), str(target), identify(str(source)), **fields)


@pytest.mark.parametrize("name", NAMES)
def test_move_and_back(home: Path, tree: Path, name: str) -> None:
    (home / "to").mkdir()
    there_and_back(home, move(tree / "sub" / name, home / "to" / name))


@pytest.mark.parametrize("name", ["link", "broken", "loop", "pipe", "sparse", "sub"])
def test_move_anything_and_back(home: Path, tree: Path, name: str) -> None:
    there_and_back(home, move(tree / name, home / "moved"))


def on_other_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(_fs, "rename", rename)


def test_move_a_tree_across_devices_and_back(home: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_other_device(monkeypatch)
    there_and_back(home, move(tree, home / "moved", same_device=False))


def test_move_across_devices_keeps_holes(home: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_other_device(monkeypatch)
    blocks = os.stat(tree / "sparse").st_blocks
    run(move(tree / "sparse", home / "moved", same_device=False))
    assert os.stat(home / "moved").st_blocks <= blocks + 8


def test_failed_move_across_devices_leaves_nothing_behind(home: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_other_device(monkeypatch)
    before = snapshot(tree)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_fs, "copy_data", full)
    with pytest.raises(NotPossible, match="No space left"):
        run(move(tree, home / "moved", same_device=False))
    assert not (home / "moved").exists()
    assert snapshot(tree) == before


def test_move_to_tmpfs_for_real(home: Path, tree: Path) -> None:
    shm = Path("/dev/shm")
    if not shm.is_dir() or os.stat(shm).st_dev == os.stat(home).st_dev or not os.access(shm, os.W_OK):
        pytest.skip("there is no second file system to move to")
    target = shm / f"nlsh-test-{os.getpid()}"
    before = snapshot(tree)
    step = move(tree, target, same_device=False)
    try:
        run(step)
        assert not tree.exists()
        inverse = step.inverse()
        assert inverse is not None
        run(inverse)
    finally:
        if target.exists():
            with _fs.parent_of(str(target)) as (folder, name):
                _fs.remove_tree(folder, name)
    assert snapshot(tree) == before


def test_move_never_overwrites_even_in_a_race(home: Path, tree: Path) -> None:
    step = move(tree / "sparse", home / "taken")
    step.check()
    (home / "taken").write_text("mine")
    with pytest.raises(StaleStep):
        step.apply()
    assert (home / "taken").read_text() == "mine"
    assert (tree / "sparse").exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_rename_without_kernel_support_still_never_overwrites(home: Path, tree: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fs, "_renameat2", lambda *_: errno.EINVAL)
    source = tree / ("sub" if kind == "folder" else "sparse")
    (home / "taken").mkdir()
    with _fs.parent_of(str(source)) as (old, old_name), _fs.parent_of(str(home / "taken")) as (new, new_name), pytest.raises(FileExistsError):
        _fs.rename(old, old_name, new, new_name)
    there_and_back(home, move(source, home / "free"))


def test_a_changed_file_is_not_moved(home: Path, tree: Path) -> None:
    step = move(tree / "sub" / "plain.txt", home / "moved")
    (tree / "sub" / "plain.txt").write_text("changed meanwhile")
    with pytest.raises(StaleStep):
        step.check()
    with pytest.raises(StaleStep):
        step.apply()


def test_a_replaced_folder_is_not_moved(home: Path, tree: Path) -> None:
    step = move(tree / "sub", home / "moved")
    (tree / "sub").rename(tree / "other")
    (tree / "sub").mkdir()
    with pytest.raises(StaleStep):
        run(step)


def test_a_link_put_into_the_path_is_not_followed(home: Path, tree: Path) -> None:
    step = move(tree / "sub" / "plain.txt", home / "moved")
    (tree / "sub").rename(home / "elsewhere")
    (tree / "sub").symlink_to(home / "elsewhere")
    with pytest.raises(StaleStep):
        run(step)
    assert (home / "elsewhere" / "plain.txt").exists()


def test_undo_of_a_move_refuses_what_was_edited(home: Path, tree: Path) -> None:
    step = move(tree / "sub" / "plain.txt", home / "moved")
    run(step)
    (home / "moved").write_text("edited afterwards")
    inverse = step.inverse()
    assert inverse is not None
    with pytest.raises(StaleStep):
        inverse.check()


@pytest.mark.parametrize("name", [*NAMES, "../link", "../broken", "../pipe", "../sparse"])
def test_copy_keeps_everything_and_goes_back(home: Path, tree: Path, name: str) -> None:
    source = (tree / "sub" / name) if not name.startswith("../") else tree / name[3:]
    step = CopyPath(str(source), str(home / "copy"), identify(str(source)), source.is_symlink())
    there_and_back(home, step)
    run(step)
    facts = snapshot(home)
    mine = facts["copy"], facts[os.path.relpath(source, home)]
    assert mine[0] == mine[1]
    if name == "../sparse":
        assert os.stat(home / "copy").st_blocks <= os.stat(source).st_blocks + 8


def test_copy_drops_setuid(home: Path, tree: Path) -> None:
    source = tree / "sub" / "plain.txt"
    os.chmod(source, 0o4755)
    run(CopyPath(str(source), str(home / "copy"), identify(str(source))))
    assert stat.S_IMODE(os.stat(home / "copy").st_mode) == 0o755


def test_undo_of_a_copy_refuses_what_was_edited(home: Path, tree: Path) -> None:
    source = tree / "sub" / "plain.txt"
    step = CopyPath(str(source), str(home / "copy"), identify(str(source)))
    run(step)
    (home / "copy").write_text("edited afterwards")
    inverse = step.inverse()
    assert inverse is not None
    with pytest.raises(StaleStep):
        run(inverse)
    assert (home / "copy").exists()


def test_copy_of_a_socket_is_refused(home: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(home)
        listener.bind("sock")
        with pytest.raises(Refused):
            run(CopyPath(str(home / "sock"), str(home / "copy"), identify(str(home / "sock"))))
    assert not (home / "copy").exists()


def test_make_folder_and_back(home: Path) -> None:
    there_and_back(home, MakeFolder(str(home / "new")), MakeFolder(str(home / "new" / "inner"), 0o700))


def test_undo_keeps_a_folder_that_has_something_in_it(home: Path) -> None:
    step = MakeFolder(str(home / "new"))
    run(step)
    (home / "new" / "file").write_text("x")
    inverse = step.inverse()
    assert isinstance(inverse, RemoveEmptyFolder)
    with pytest.raises(StaleStep, match="file"):
        run(inverse)
    assert (home / "new" / "file").exists()


def test_folder_with_times_and_back(home: Path) -> None:
    (home / "like").mkdir()
    os.setxattr(home / "like", "user.note", b"n")
    steps = [MakeFolder(str(home / "new"), 0o755, str(home / "like")), SetTimes(str(home / "new"), OLD_NS, OLD_NS, 0o555, 0o755)]
    there_and_back(home, *steps)
    for step in steps:
        run(step)
    assert os.stat(home / "new").st_mtime_ns == OLD_NS
    assert stat.S_IMODE(os.stat(home / "new").st_mode) == 0o555
    assert os.getxattr(home / "new", "user.note") == b"n"


@pytest.mark.parametrize("name", ["sub/plain.txt", "sub", "link", "pipe"])
def test_trash_and_back(home: Path, tree: Path, name: str) -> None:
    trash = home / ".local/share/Trash"
    missing = tuple(str(p) for p in (home / ".local", home / ".local/share", trash, trash / "files", trash / "info"))
    path = tree / name
    step = TrashPath(str(path), str(trash), "kept", info_text(str(path), "2024-01-02T03:04:05"), identify(str(path)), missing, link=path.is_symlink())
    there_and_back(home, step)


def test_trash_writes_what_the_specification_says(home: Path) -> None:
    path = home / os.fsdecode("a b%\n文".encode() + b"\xff")
    path.write_text("x")
    trash = home / "T"
    info = info_text(str(path), "2024-01-02T03:04:05")
    missing = (str(trash), str(trash / "files"), str(trash / "info"))
    run(TrashPath(str(path), str(trash), "kept", info, identify(str(path)), missing))
    lines = (trash / "info" / "kept.trashinfo").read_bytes().decode("ascii").splitlines()
    assert lines[0] == "[Trash Info]"
    assert lines[1] == f"Path={home}/a%20b%25%0A%E6%96%87%FF"
    assert lines[2] == "DeletionDate=2024-01-02T03:04:05"
    assert stat.S_IMODE(os.stat(trash).st_mode) == 0o700


def test_trash_never_replaces_what_is_in_it(home: Path) -> None:
    (home / "a").write_text("new")
    for folder in ("T/files", "T/info"):
        (home / folder).mkdir(parents=True)
    (home / "T/files/a").write_text("old")
    step = TrashPath(str(home / "a"), str(home / "T"), "a", "[Trash Info]\n", identify(str(home / "a")))
    with pytest.raises(StaleStep):
        step.check()
    with pytest.raises(StaleStep):
        step.apply()
    assert (home / "T/files/a").read_text() == "old"
    assert (home / "a").read_text() == "new"
    assert not (home / "T/info/a.trashinfo").exists()


def test_restore_says_when_the_trash_was_emptied(home: Path) -> None:
    (home / "a").write_text("x")
    missing = tuple(str(home / f) for f in ("T", "T/files", "T/info"))
    step = TrashPath(str(home / "a"), str(home / "T"), "a", "[Trash Info]\n", identify(str(home / "a")), missing)
    run(step)
    (home / "T/files/a").unlink()
    inverse = step.inverse()
    with pytest.raises(StaleStep, match="not in the trash"):
        inverse.check()


def test_delete_removes_a_tree_and_follows_no_link(home: Path, tree: Path) -> None:
    (home / "safe").mkdir()
    (home / "safe" / "file").write_text("x")
    (tree / "out").symlink_to(home / "safe")
    step = DeletePath(str(tree), identify(str(tree)), 3)
    assert step.inverse() is None
    run(step)
    assert not tree.exists()
    assert (home / "safe" / "file").exists()


def test_delete_refuses_a_folder_that_was_exchanged(home: Path, tree: Path) -> None:
    step = DeletePath(str(tree), identify(str(tree)))
    tree.rename(home / "kept")
    (home / "safe").mkdir()
    tree.symlink_to(home / "safe")
    with pytest.raises(StaleStep):
        run(step)
    assert (home / "kept" / "sub").exists() and (home / "safe").exists()


def test_change_mode_and_back(home: Path, tree: Path) -> None:
    path = str(tree / "sub" / "plain.txt")
    there_and_back(home, ChangeMode(path, 0o751, 0o600, identify(path)))


def test_change_mode_does_not_follow_a_link_put_in_its_place(home: Path, tree: Path) -> None:
    path = tree / "sub" / "plain.txt"
    step = ChangeMode(str(path), 0o777, 0o600, identify(str(path)))
    path.rename(home / "kept")
    path.symlink_to(home / "kept")
    with pytest.raises(StaleStep):
        step.apply()
    assert stat.S_IMODE(os.stat(home / "kept").st_mode) == 0o600


def test_change_mode_sees_a_mode_that_has_changed(home: Path, tree: Path) -> None:
    path = tree / "sub" / "plain.txt"
    step = ChangeMode(str(path), 0o700, 0o600, identify(str(path)))
    os.chmod(path, 0o644)
    with pytest.raises(StaleStep):
        step.check()


def test_setuid_is_never_set() -> None:
    with pytest.raises(Refused):
        ChangeMode("/x", 0o4755, 0o755, (1, 2, 3, 4))
    with pytest.raises(Refused):
        ChangeMode("/x", 0o755, 0o2755, (1, 2, 3, 4))


_names = st.binary(min_size=1, max_size=40).filter(lambda b: b not in (b".", b"..") and b"/" not in b and b"\0" not in b).map(os.fsdecode)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=_names, content=st.binary(max_size=200), mode=st.integers(0, 0o777), mtime_ns=st.integers(0, 2**62), other=_names)
def test_any_file_comes_back(tmp_path: Path, name: str, content: bytes, mode: int, mtime_ns: int, other: str) -> None:
    import tempfile

    root = Path(tempfile.mkdtemp(dir=tmp_path))
    (root / "from").mkdir()
    (root / "to").mkdir()
    (root / "T" / "files").mkdir(parents=True)
    (root / "T" / "info").mkdir()
    path = root / "from" / name
    path.write_bytes(content)
    os.chmod(path, mode | 0o400)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    known = identify(str(path))
    there_and_back(root, move(path, root / "to" / other))
    there_and_back(root, CopyPath(str(path), str(root / "to" / other), known))
    trash = TrashPath(str(path), str(root / "T"), "x", info_text(str(path), "2024-01-01T00:00:00"), known)
    folders = {str(root / "T" / f): os.stat(root / "T" / f).st_mtime_ns for f in ("files", "info")}
    before = snapshot(root)
    touched_before = touched(trash)
    run(trash)
    run(trash.inverse())
    restore_times({**touched_before, **folders})
    assert snapshot(root) == before
