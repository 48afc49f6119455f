"""Steps that compute content: what a file was comes back exactly, and what somebody changed meanwhile is never touched."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlsh.plan.errors import NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.steps import step_from_data
from nlsh.steps import _fs
from nlsh.steps.content import ChangeContent, WriteNew, fresh, kept
from nlsh.testing import snapshot
from nlsh.world import World

NAMES = st.sampled_from(["a", "b.txt", "new\nline", "'q'", "-n", "\udcff", "文件.tar.gz", "x" * 250, ".hidden", "*", "a b"])


@dataclass(frozen=True, kw_only=True)
class Doubled(ChangeContent):
    times: int = 2

    def rewrite(self, source: IO[bytes], target: IO[bytes]) -> None:
        whole = source.read()
        for _ in range(self.times):
            target.write(whole)

    def words(self) -> str:
        return f"write {self.path} {self.times} times"


@dataclass(frozen=True, kw_only=True)
class Failing(ChangeContent):
    def rewrite(self, source: IO[bytes], target: IO[bytes]) -> None:
        target.write(b"half")
        raise NotPossible("It cannot be.", hint="Nothing was changed.")

    def words(self) -> str:
        return f"fail at {self.path}"


@dataclass(frozen=True, kw_only=True)
class Meddling(ChangeContent):
    """Somebody writes to the file, or puts another there, while its new content is computed."""

    how: str = "append"

    def rewrite(self, source: IO[bytes], target: IO[bytes]) -> None:
        target.write(source.read())
        if self.how == "append":
            with open(self.path, "ab") as file:
                file.write(b"theirs")
        else:
            os.rename(self.path, self.path + ".moved")
            Path(self.path).write_bytes(b"theirs")

    def words(self) -> str:
        return f"change {self.path}"


@dataclass(frozen=True, kw_only=True)
class Reversed(WriteNew):
    def produce(self, source: IO[bytes], target: IO[bytes]) -> None:
        target.write(source.read()[::-1])

    def words(self) -> str:
        return f"write {self.target} from {self.source}"


def doubled(path: Path | str, taken: set[str] | None = None, times: int = 2) -> Doubled:
    return Doubled(times=times, **kept(str(path), World(), set() if taken is None else taken))


def do(step: ChangeContent | WriteNew) -> None:
    again = step_from_data(step.as_data())
    assert again == step
    again.check()
    again.apply()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(NAMES, st.tuples(st.binary(max_size=300), st.sampled_from([0o644, 0o600, 0o755, 0o640])), min_size=1, max_size=4),
    mtime=st.integers(1_000_000_000_000_000_000, 1_700_000_000_123_456_789),
    attributes=st.dictionaries(st.sampled_from(["user.one", "user.two"]), st.binary(max_size=20)),
    times=st.integers(0, 3),
)
def test_undo_after_apply_is_identity(home: Path, files: dict[str, tuple[bytes, int]], mtime: int, attributes: dict[str, bytes], times: int) -> None:
    root = Path(tempfile.mkdtemp(dir=home))
    for name, (content, mode) in files.items():
        (root / name).write_bytes(content)
        for key, value in attributes.items():
            os.setxattr(root / name, key, value)
        os.chmod(root / name, mode)
        os.utime(root / name, ns=(mtime, mtime))
    inodes = {n: os.lstat(root / n).st_ino for n in files}
    before = snapshot(root)
    taken: set[str] = set()
    steps = [doubled(root / n, taken, times) for n in files]
    for step in steps:
        assert step.state() == "undone"
        do(step)
        assert step.state() == "done" and step.inverse().state() == "undone"
    for name, (content, mode) in files.items():
        new = os.lstat(root / name)
        assert (root / name).read_bytes() == content * times
        assert stat.S_IMODE(new.st_mode) == mode and new.st_mtime_ns in {s.stamp_ns for s in steps}
        assert {k: os.getxattr(root / name, k) for k in os.listxattr(root / name)} == attributes
    changed = snapshot(root)
    for round in range(2):
        for step in reversed(steps):
            back = step.inverse()
            assert isinstance(back, ChangeContent) and back.inverse() == step
            do(back)
            assert back.state() == "done" and step.state() == "undone"
        after = snapshot(root)
        after["."] = before["."]  # the folder's own time is put back by the run that takes it back
        assert after == before
        assert {n: os.lstat(root / n).st_ino for n in files} == inodes
        if round == 0:
            for step in steps:
                do(step)
            again = snapshot(root)
            again["."] = changed["."]
            assert again == changed
    trash = home / ".local/share/Trash/files"
    assert not trash.exists() or not {s.name for s in steps} & set(os.listdir(trash))


def test_the_old_version_is_in_the_trash_and_the_trash_knows_where_it_was(home: Path) -> None:
    (home / "a.txt").write_text("old")
    step = doubled(home / "a.txt")
    do(step)
    (old,) = (home / ".local/share/Trash/files").iterdir()
    (info,) = (home / ".local/share/Trash/info").iterdir()
    assert old.read_text() == "old" and old.suffix == ".txt" and info.name == old.name + ".trashinfo"
    assert f"Path={home}/a.txt" in info.read_text()
    do(step.inverse())  # type: ignore[arg-type]
    assert not (home / ".local/share/Trash").exists()


def test_a_link_is_followed_and_stays_a_link(home: Path) -> None:
    (home / "a").write_text("x")
    (home / "link").symlink_to("a")
    step = doubled(home / "link")
    assert step.path == str(home / "a")
    do(step)
    assert (home / "link").is_symlink() and (home / "a").read_text() == "xx"


def test_files_of_one_name_do_not_meet_in_the_trash(home: Path) -> None:
    for folder in ("one", "two"):
        (home / folder).mkdir()
        (home / folder / "a").write_text(folder)
    # Not even where neither knows of the other: calls of one plan.
    steps = [doubled(home / "one" / "a"), doubled(home / "two" / "a")]
    for step in steps:
        do(step)
    for step in reversed(steps):
        do(step.inverse())  # type: ignore[arg-type]
    assert (home / "one" / "a").read_text() == "one" and (home / "two" / "a").read_text() == "two"


def test_hard_links_are_refused(home: Path) -> None:
    (home / "a").write_text("x")
    step = doubled(home / "a")
    os.link(home / "a", home / "b")
    with pytest.raises(Refused, match="hard link"):
        doubled(home / "a")
    with pytest.raises(StaleStep, match="hard link"):
        step.check()
    before = snapshot(home)
    with pytest.raises(StaleStep):
        step.apply()
    assert snapshot(home) == before | {".": snapshot(home)["."]}
    os.unlink(home / "b")
    do(step)


@pytest.mark.parametrize("mode", [0o4755, 0o2755])
def test_setuid_and_setgid_are_refused(home: Path, mode: int) -> None:
    (home / "a").write_text("x")
    os.chmod(home / "a", mode)
    with pytest.raises(Refused):
        doubled(home / "a")


def test_folders_pipes_and_what_is_missing_are_refused(home: Path) -> None:
    os.mkfifo(home / "pipe")
    for path, error in ((home, NotPossible), (home / "pipe", NotPossible), (home / "none", NotFound)):
        with pytest.raises(error):
            doubled(path)


@pytest.mark.parametrize("change", [lambda p: p.write_text("other"), lambda p: p.unlink(), lambda p: (p.unlink(), p.write_text("x"))])
def test_what_changed_since_it_was_approved_is_stale(home: Path, change: Callable[[Path], object]) -> None:
    (home / "a").write_text("x")
    step = doubled(home / "a")
    change(home / "a")
    before = snapshot(home)
    with pytest.raises(StaleStep):
        step.check()
    with pytest.raises(StaleStep):
        step.apply()
    assert snapshot(home) == before | {".": snapshot(home)["."]} or not (home / "a").exists()


@pytest.mark.parametrize("how", ["append", "exchange"])
def test_what_changes_while_it_is_computed_keeps_the_change(home: Path, how: str) -> None:
    (home / "a").write_text("x")
    step = Meddling(how=how, **kept(str(home / "a"), World(), set()))
    step.check()
    with pytest.raises(StaleStep):
        step.apply()
    assert (home / "a").read_text().endswith("theirs")
    assert not (home / ".local/share/Trash").exists()


def test_what_fails_leaves_nothing_behind(home: Path) -> None:
    (home / "a").write_text("x")
    (home / ".local/share").mkdir(parents=True)
    step = Failing(**kept(str(home / "a"), World(), set()))
    before = {k: v for k, v in snapshot(home).items() if k != "."}
    with pytest.raises(NotPossible):
        step.apply()
    after = snapshot(home)
    assert after["a"] == before["a"] and not (home / ".local/share/Trash").exists()
    assert step.state() == "undone"


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.write_text("edited since"),
        lambda p: p.chmod(0o600),
        lambda p: p.unlink(),
        lambda p: (p.unlink(), p.mkdir()),
    ],
)
def test_undo_does_not_touch_what_was_changed_since(home: Path, change: Callable[[Path], object]) -> None:
    (home / "a").write_text("x")
    step = doubled(home / "a")
    do(step)
    change(home / "a")
    before = snapshot(home)
    back = step.inverse()
    with pytest.raises(StaleStep):
        back.check()
    with pytest.raises(StaleStep):
        back.apply()
    assert snapshot(home) == before


def test_undo_says_that_the_trash_was_emptied(home: Path) -> None:
    (home / "a").write_text("x")
    step = doubled(home / "a")
    do(step)
    for place in ("files", "info"):
        for file in (home / ".local/share/Trash" / place).iterdir():
            file.unlink()
    with pytest.raises(StaleStep, match="not in the trash any more"):
        step.inverse().check()
    assert (home / "a").read_text() == "xx"


def test_a_run_cut_short_between_the_exchange_and_the_trash_can_be_taken_back(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "a").write_text("x")
    (home / ".local/share").mkdir(parents=True)
    before = snapshot(home)
    step = doubled(home / "a")

    def killed(*_: object) -> None:
        os._exit(9)

    real = _fs.rename
    monkeypatch.setattr(_fs, "rename", killed)
    child = os.fork()
    if child == 0:
        step.apply()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    monkeypatch.setattr(_fs, "rename", real)
    assert (home / "a").read_text() == "xx" and step.state() == "done"
    do(step.inverse())  # type: ignore[arg-type]
    after = snapshot(home)
    assert after["a"] == before["a"] and set(after) == set(before) and step.state() == "undone"


def test_file_systems_without_an_exchange(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = _fs._renameat2

    def lacking(old_folder: int, old: bytes, new_folder: int, new: bytes, flags: int = 1) -> int:
        return 22 if flags == 2 else real(old_folder, old, new_folder, new, flags)

    monkeypatch.setattr(_fs, "_renameat2", lacking)
    (home / "a").write_text("x")
    before = snapshot(home)["a"]
    step = doubled(home / "a")
    do(step)
    assert (home / "a").read_text() == "xx"
    do(step.inverse())  # type: ignore[arg-type]
    assert snapshot(home)["a"] == before
    assert not (home / ".local/share/Trash").exists()


def test_no_trash_on_its_file_system_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nlsh.steps import content
    from nlsh.world.trash import Bin

    (home / "a").write_text("x")
    monkeypatch.setattr(content, "bin_for", lambda path: Bin(str(home / "t"), path, (), False))
    with pytest.raises(NotPossible, match="no trash"):
        doubled(home / "a")


def test_a_new_file_and_back(home: Path) -> None:
    (home / "a").write_text("abc")
    os.chmod(home / "a", 0o600)
    step = Reversed(**fresh(str(home / "a"), str(home / "b"), World()))
    assert step.makes() == ((str(home / "b"), "file"),)
    assert step.state() == "undone"
    do(step)
    assert (home / "b").read_text() == "cba" and stat.S_IMODE((home / "b").stat().st_mode) == 0o600
    assert step.state() == "done" and sorted(os.listdir(home)) == ["a", "b"]
    back = step.inverse()
    do(back)  # type: ignore[arg-type]
    assert not (home / "b").exists() and back.state() == "done"
    do(step)
    (home / "b").write_text("mine")
    with pytest.raises(StaleStep):
        step.inverse().check()
    with pytest.raises(StaleStep):
        step.inverse().apply()
    assert (home / "b").read_text() == "mine"


def test_a_new_file_never_takes_the_place_of_another(home: Path) -> None:
    (home / "a").write_text("abc")
    step = Reversed(**fresh(str(home / "a"), str(home / "b"), World()))
    (home / "b").write_text("mine")
    with pytest.raises(Refused):
        fresh(str(home / "a"), str(home / "b"), World())
    for do_it in (step.check, step.apply):
        with pytest.raises(StaleStep):
            do_it()
    assert (home / "b").read_text() == "mine" and sorted(os.listdir(home)) == ["a", "b"]
