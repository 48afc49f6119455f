"""The walk, and what is wanted of a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nlsh.plan.errors import NotFound
from nlsh.world import files
from nlsh.world.files import Wanted, identify, is_same, loosened, name_test, tree_size, walk


def below(root: Path, **wanted: object) -> list[str]:
    return [os.path.relpath(p, root) for p, _ in Wanted(**wanted).below(str(root))]  # type: ignore[arg-type]


@pytest.fixture
def tree(home: Path) -> Path:
    root = home / "tree"
    (root / "b" / "deep").mkdir(parents=True)
    (root / ".hidden").mkdir()
    for name in ("a.TXT", "b/c.txt", "b/deep/d.log", ".hidden/e.txt", ".f.txt"):
        (root / name).write_text(name)
    (root / "b" / "back").symlink_to(root)
    (root / "empty").touch()
    return root


def test_walk_yields_each_entry_once_and_follows_no_link(tree: Path) -> None:
    found = [os.path.relpath(e.path, tree) for e in walk(str(tree))]
    assert found == [".f.txt", ".hidden", "a.TXT", "b", "empty", ".hidden/e.txt", "b/back", "b/c.txt", "b/deep", "b/deep/d.log"]


def test_walk_leaves_hidden_names_out(tree: Path) -> None:
    assert [e.name for e in walk(str(tree), hidden=False)] == ["a.TXT", "b", "empty", "back", "c.txt", "deep", "d.log"]


def test_walk_survives_what_vanishes(tree: Path) -> None:
    seen = []
    for entry in walk(str(tree), hidden=False):
        seen.append(entry.name)
        if entry.name == "b":
            for path in (tree / "b" / "deep").iterdir():
                path.unlink()
            (tree / "b" / "deep").rmdir()
    assert "c.txt" in seen and "deep" not in seen


def test_walk_names_what_it_could_not_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refusing(path: str) -> object:
        if path.endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(files.os, "scandir", refusing)
    skipped: list[str] = []
    found = [e.name for e in walk(str(tree), skipped=skipped)]
    assert skipped == [str(tree / "b")]
    assert "a.TXT" in found and "c.txt" not in found


def test_walk_of_the_root_leaves_out_what_the_kernel_makes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_KERNEL_FOLDERS", frozenset({e.path for e in os.scandir("/") if e.is_dir(follow_symlinks=False)}))
    assert all(os.path.dirname(e.path) == "/" for e in walk("/"))


def test_walk_sorts_huge_folders_in_batches(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_BATCH", 2)
    assert sorted(e.name for e in walk(str(tree))) == sorted([".f.txt", ".hidden", "a.TXT", "b", "empty", "e.txt", "back", "c.txt", "deep", "d.log"])


def test_names_that_are_no_text_are_found(home: Path) -> None:
    name = os.fsdecode(b"\xff\n-x.txt")
    (home / name).touch()
    assert below(home, endings=("txt",)) == [name]
    assert below(home, named="*.txt") == [name]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"named": "*.txt"}, ["a.TXT", "b/c.txt"]),
        ({"named": "*.TXT"}, ["a.TXT"]),
        ({"named": "c.txt"}, ["b/c.txt"]),
        ({"named": "dee"}, ["b/deep"]),
        ({"named": "dee", "type": "file"}, []),
        ({"named": ".f.txt"}, [".f.txt"]),
        ({"endings": ("txt",)}, ["a.TXT", "b/c.txt"]),
        ({"endings": ("txt",), "hidden": True}, [".f.txt", "a.TXT", ".hidden/e.txt", "b/c.txt"]),
        ({"type": "folder"}, ["b", "b/deep"]),
        ({"type": "link"}, ["b/back"]),
        ({"empty": True}, ["empty"]),
        ({"empty": True, "type": "folder"}, []),
        ({"larger": 6}, ["b/c.txt", "b/deep/d.log"]),
        ({"larger": 7, "type": "file"}, ["b/deep/d.log"]),
        ({"smaller": 6}, ["a.TXT", "empty"]),
        ({"containing": "deep/"}, ["b/deep/d.log"]),
        ({}, ["a.TXT", "empty", "b/back", "b/c.txt", "b/deep/d.log"]),
    ],
)
def test_what_is_wanted(tree: Path, wanted: dict[str, object], found: list[str]) -> None:
    assert below(tree, **wanted) == found


def test_times_are_of_the_change(tree: Path) -> None:
    os.utime(tree / "a.TXT", (1000, 1000))
    assert below(tree, before=2000.0) == ["a.TXT"]
    assert "a.TXT" not in below(tree, since=2000.0)
    os.utime(tree / "a.TXT", (2000, 2000))
    assert below(tree, before=2000.0) == [] and "a.TXT" in below(tree, since=2000.0)


def test_owner(tree: Path) -> None:
    assert below(tree, uid=os.getuid(), named="a.TXT") == ["a.TXT"]
    assert below(tree, uid=os.getuid() + 1) == []
    assert files.owner_id("root") == 0 and files.owner_id("me") == os.getuid() and files.owner_id("4711") == 4711
    with pytest.raises(NotFound):
        files.owner_id("nobody-of-that-name")


def test_pattern_needs_no_more_than_it_says() -> None:
    import re

    def fits(pattern: str, name: str) -> bool:
        text, flags = name_test(pattern)
        return re.compile(text, flags).match(name) is not None

    assert fits("config.json", "Config.JSON") and not fits("config.json", "my-config.json.bak")
    assert fits("report", "my Report\n2.pdf") and not fits("Report", "report.pdf")


def test_a_dot_is_no_ending_unless_it_is_known() -> None:
    import re

    def fits(pattern: str, name: str) -> bool:
        text, flags = name_test(pattern)
        return re.compile(text, flags).match(name) is not None

    for pattern, name in (("v1.2", "report v1.2 final.txt"), ("2024.05", "invoice 2024.05.pdf"), ("Dr. Ho", "letter to Dr. Ho.docx"), ("st.john", "St.John")):
        assert fits(pattern, name), pattern
    for pattern, name in (("a.tar.gz", "a.tar.gz.part"), ("main.py", "main.pyc"), ("Notes.TXT", "Notes.TXT.bak")):
        assert fits(pattern, pattern) and not fits(pattern, name), pattern


def test_the_time_of_a_folder_is_that_of_the_newest_thing_below_it(tree: Path) -> None:
    for path in (*tree.rglob("*"), tree):
        os.utime(path, (1000, 1000), follow_symlinks=False)
    assert below(tree, type="folder", before=2000.0) == ["b", "b/deep"]
    os.utime(tree / "b" / "deep" / "d.log", (3000, 3000))
    assert below(tree, type="folder", before=2000.0) == [] and below(tree, type="folder", since=2000.0) == ["b", "b/deep"]
    os.utime(tree / "b" / "deep" / "d.log", (1000, 1000))
    os.utime(tree / "b" / "c.txt", (3000, 3000))
    assert below(tree, type="folder", before=2000.0) == ["b/deep"] and below(tree, type="folder", since=2000.0, depth=1) == ["b"]
    # What is hidden counts, too; and what was read, not when a folder was listed.
    os.utime(tree / "b" / "c.txt", (1000, 1000))
    os.utime(tree / ".hidden" / "e.txt", (3000, 1000))
    assert below(tree, type="folder", before=2000.0, hidden=True) == [".hidden", "b", "b/deep"]
    os.utime(tree / "b" / "deep", (3000, 1000))
    assert below(tree, type="folder", unused=2000.0, hidden=True) == ["b", "b/deep"]
    os.utime(tree / "b" / "c.txt", (1000, 3000))
    (status,) = [s for p, s in Wanted(type="folder", dated=True, depth=1).below(str(tree)) if p.endswith("/b")]
    assert status.st_mtime == 3000.0 and status.st_mtime_ns == 3000 * 10**9 and status.st_ino == os.stat(tree / "b").st_ino


def test_a_folder_that_cannot_be_read_is_not_said_to_be_old_or_empty(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (*tree.rglob("*"), tree):
        os.utime(path, (1000, 1000), follow_symlinks=False)
    (tree / "bare" / "closed").mkdir(parents=True)
    for path in (tree / "bare" / "closed", tree / "bare"):
        os.utime(path, (1000, 1000))
    scandir = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith(("/deep", "/closed")):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(files.os, "scandir", refusing)
    assert below(tree, type="folder", before=2000.0) == [] and below(tree, type="folder", since=500.0) == ["b", "bare", "b/deep", "bare/closed"]
    assert below(tree, type="folder", empty=True) == []


def test_a_folder_without_a_file_below_it_is_empty(tree: Path) -> None:
    (tree / "x" / "y" / "z").mkdir(parents=True)
    (tree / "x" / "w").mkdir()
    assert below(tree, type="folder", empty=True) == ["x", "x/w", "x/y", "x/y/z"]
    (tree / "x" / "y" / ".f").touch()
    assert below(tree, type="folder", empty=True) == ["x/w", "x/y/z"]


def test_a_mode_or_an_owner_means_files_where_no_folders_are_said(tree: Path) -> None:
    os.chmod(tree / "b", 0o777)
    os.chmod(tree / "a.TXT", 0o777)
    (tree / "to-b").symlink_to("b")  # every link has the mode 777
    for mode in ("777", "o+w", "+w"):
        assert below(tree, mode=mode)[:1] == ["a.TXT"] and not {"b", "to-b"} & set(below(tree, mode=mode)), mode
        assert "b" not in below(tree, mode=mode, named="*"), mode
    (tree / "to-b").unlink()
    assert below(tree, mode="777", type="folder") == ["b"]
    assert below(tree, mode="777", type="file") == ["a.TXT"] and Wanted(mode="777").count(str(tree)) == 1
    assert below(tree, mode="777", endings=("txt",)) == ["a.TXT"]
    assert below(tree, mode="a+x") == ["a.TXT"] and "b/deep" not in below(tree, mode="755")
    # In a folder of somebody's others' files may lie, and the result may be deleted.
    assert below(tree, uid=os.getuid()) == ["a.TXT", "empty", "b/back", "b/c.txt", "b/deep/d.log"]
    assert below(tree, uid=os.getuid(), type="folder") == ["b", "b/deep"]


def test_hidden_folders_that_are_passed_over_are_counted(tree: Path) -> None:
    (tree / "b" / ".hidden").mkdir()
    (tree / "b" / ".git").mkdir()
    for search in (Wanted(larger=1), Wanted()):
        list(search.below(str(tree)))
        assert search.passed == {".hidden": 2, ".git": 1}
    search = Wanted(hidden=True)
    list(search.below(str(tree)))
    assert not search.passed


def test_identity_tells_apart_and_stays(home: Path) -> None:
    file = home / "a"
    file.write_text("x")
    known = identify(str(file))
    assert is_same(os.lstat(file), known) and is_same(os.lstat(file), loosened(known))
    os.utime(file, (1, 1))
    assert not is_same(os.lstat(file), known)
    file.unlink()
    file.mkdir()
    assert not is_same(os.lstat(file), known)
    assert is_same(os.lstat(file), identify(str(file)))


def test_tree_size_agrees_with_du(tree: Path) -> None:
    import subprocess

    (tree / "big").write_bytes(b"x" * 100_000)
    os.link(tree / "big", tree / "b" / "same")
    total, count = tree_size(str(tree))
    said = subprocess.run(["du", "-s", "--block-size=1", str(tree)], capture_output=True, text=True, check=True).stdout
    assert total == int(said.split()[0])
    assert count == 8


@pytest.mark.parametrize(
    "wanted", [{}, {"type": "file"}, {"type": "folder"}, {"type": "link"}, {"endings": ("txt",)}, {"hidden": True}, {"named": "*t"}, {"larger": 2}]
)
def test_counting_agrees_with_finding(tree: Path, wanted: dict[str, object]) -> None:
    assert Wanted(**wanted).count(str(tree)) == len(below(tree, **wanted))  # type: ignore[arg-type]
