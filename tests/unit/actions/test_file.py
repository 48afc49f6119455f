"""What the file actions make of their arguments, and what they refuse."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotFound, Refused
from nlsh.plan.records import Note, Record
from nlsh.plan.steps import Step
from nlsh.steps.files import CopyPath, MakeFolder, MovePath, SetTimes
from nlsh.steps.trash import TrashPath
from nlsh.testing import build
from nlsh.world import World


def steps(action: str, world: World | None = None, **written: Any) -> tuple[Step, ...]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return tuple(unit.steps(args, unit.look(args, world or World())))


def records(action: str, **written: Any) -> list[Record]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return list(unit.observe(args, unit.look(args, World()), World()))


def paths(home: Path, found: list[Record]) -> list[str]:
    return [os.path.relpath(r.path, home) for r in found if not isinstance(r, Note)]  # type: ignore[attr-defined]


@pytest.fixture
def tree(home: Path) -> Iterator[Path]:
    build(
        home,
        {
            "a.txt": "a", "b.txt": "b", "c.log": "c", "folder/a.txt": "other a", "folder/sub/d.txt": "d", "empty": None,
            "link": {"link": "folder"}, "lonely": {"link": "/nowhere"},
        },
    )  # fmt: skip
    yield home


def moves(home: Path, found: tuple[Step, ...]) -> list[tuple[str, str]]:
    return [(os.path.relpath(s.source, home), os.path.relpath(s.target, home)) for s in found if isinstance(s, (MovePath, CopyPath))]


def makes(home: Path, found: tuple[Step, ...]) -> list[str]:
    return [os.path.relpath(s.path, home) for s in found if isinstance(s, MakeFolder)]


@pytest.mark.parametrize(
    ("what", "to", "moved", "made"),
    [
        ("a.txt", "folder/sub", [("a.txt", "folder/sub/a.txt")], []),
        ("a.txt", "new.txt", [("a.txt", "new.txt")], []),
        ("a.txt", "new", [("a.txt", "new/a.txt")], ["new"]),
        ("a.txt", "x/2024", [("a.txt", "x/2024/a.txt")], ["x", "x/2024"]),
        ("a.txt", "new.bak", [("a.txt", "new.bak")], []),
        ("a.txt", "A", [("a.txt", "A")], []),
        ("a.txt", "x/License", [("a.txt", "x/License")], ["x"]),
        ("a.txt", ".config", [("a.txt", ".config")], []),
        ("plain", "new", [("plain", "new")], []),
        ("plain", "plain.old", [("plain", "plain.old")], []),
        ("plain", "x/plain", [("plain", "x/plain")], ["x"]),
        ("Dr. Ho", "new", [("Dr. Ho", "new")], []),
        ("man.1", "new", [("man.1", "new")], []),
        ("dir.d", "new", [("dir.d", "new")], []),
        ("folder", "new", [("folder", "new")], []),
        ("folder", "new/", [("folder", "new/folder")], ["new"]),
        ("a.txt", "new/", [("a.txt", "new/a.txt")], ["new"]),
        ("a.txt", "the new folder", [("a.txt", "new/a.txt")], ["new"]),
        ("a.txt", "x/y/z.txt", [("a.txt", "x/y/z.txt")], ["x", "x/y"]),
        ("a.txt", "link/sub", [("a.txt", "folder/sub/a.txt")], []),
        ("*.txt", "texts", [("a.txt", "texts/a.txt"), ("b.txt", "texts/b.txt")], ["texts"]),
        ("*.log", "logs", [("c.log", "logs/c.log")], ["logs"]),
        (("c.log",), "logs", [("c.log", "logs/c.log")], ["logs"]),
        (("a.txt", "c.log"), "v1.2/", [("a.txt", "v1.2/a.txt"), ("c.log", "v1.2/c.log")], ["v1.2"]),
        ("folder", "empty", [("folder", "empty/folder")], []),
        ("link", "empty", [("link", "empty/link")], []),
        (("folder", "folder/a.txt"), "empty", [("folder", "empty/folder")], []),
    ],
)
def test_where_things_go(tree: Path, what: Any, to: str, moved: list[tuple[str, str]], made: list[str]) -> None:
    build(tree, {"plain": "p", "Dr. Ho": "h", "man.1": "m", "dir.d": None})
    found = steps("file.move", paths=what, to=to)
    assert moves(tree, found) == moved
    assert makes(tree, found) == made


@pytest.mark.parametrize(
    ("what", "to"),
    [
        ("a.txt", "b.txt"),
        ("a.txt", "folder"),
        ("a.txt", "a.txt"),
        ("a.txt", "."),
        (("a.txt", "b.txt"), "both.zip"),
        (("a.txt", "b.txt"), "c.log"),
        (("a.txt", "folder/a.txt"), "empty"),
        ("folder", "folder/sub"),
        ("folder", "link"),
        ("~", "/tmp/x"),
        ("/", "x"),
        ("..", "/tmp/x"),
        ("/etc", "x"),
        ("a.txt", "c.log/x"),
    ],
)
@pytest.mark.parametrize("action", ["file.move", "file.copy"])
def test_what_would_overwrite_or_swallow_itself_is_refused(tree: Path, action: str, what: Any, to: str) -> None:
    if action == "file.copy" and what in ("~", "..", "/etc"):
        return  # they may be copied; what is checked here for them is that they stay
    with pytest.raises(Refused):
        steps(action, paths=what, to=to)


@pytest.mark.parametrize("action", ["file.trash", "file.delete", "file.chmod", "file.move"])
@pytest.mark.parametrize("path", ["/", "~", "..", "/etc", "/usr", "/home", "/tmp"])
def test_precious_folders_are_refused(tree: Path, action: str, path: str) -> None:
    more = {"file.chmod": {"mode": "755"}, "file.move": {"to": "x"}}.get(action, {})
    with pytest.raises(Refused):
        steps(action, paths=path, **more)


def test_the_folder_one_is_in_is_not_thrown_away(tree: Path) -> None:
    os.chdir(tree / "folder" / "sub")
    for path in (".", "..", str(tree / "folder")):
        with pytest.raises(Refused, match="folder you are in"):
            steps("file.trash", paths=path)
    assert steps("file.chmod", paths=".", mode="700")


def test_a_link_is_meant_and_not_what_it_leads_to(tree: Path) -> None:
    (step,) = steps("file.trash", paths="link")
    assert isinstance(step, TrashPath) and step.path == str(tree / "link")
    assert not any(e.kind == "fs.read" for e in step.effects())
    (step,) = steps("file.trash", paths="lonely")
    assert step.path == str(tree / "lonely")
    with pytest.raises(Refused, match="is a link"):
        steps("file.chmod", paths="link", mode="700")


def test_a_path_through_a_link_is_shown_as_what_it_is(tree: Path) -> None:
    (step,) = steps("file.trash", paths="link/a.txt")
    assert step.path == str(tree / "folder" / "a.txt")  # type: ignore[attr-defined]


def notes(action: str, **written: Any) -> tuple[str, ...]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return unit.notes(args, unit.look(args, World()))


def test_the_preview_says_whether_a_missing_place_is_a_folder_or_a_name(tree: Path) -> None:
    into = f"There is no folder {tree}/new: it is made, and a.txt goes into it. With an ending, new would be the new name."
    assert notes("file.move", paths="a.txt", to="new") == notes("file.copy", paths="a.txt", to="new") == (into,)
    called = f"There is no folder {tree}/new: {{}} will be called new. End it with / if it is to be a folder."
    assert notes("file.move", paths="folder", to="new") == (called.format("folder"),)
    assert notes("file.copy", paths="folder", to="new") == (called.format("the copy of folder"),)
    for to in ("folder/sub", "new.txt", "new/", "x/a.txt", "the new folder"):
        assert notes("file.move", paths="a.txt", to=to) == ()
    assert notes("file.move", paths=("a.txt", "b.txt"), to="new") == notes("file.move", paths="folder", to="x/folder") == ()


def test_what_is_linked_to_or_cloned_still_gets_the_name_that_is_said(tree: Path) -> None:
    (step,) = steps("file.link", path="a.txt", to="latest")
    assert step.path == str(tree / "latest")  # type: ignore[attr-defined]


def test_two_calls_do_not_choose_the_same_name_in_the_trash(tree: Path) -> None:
    first = steps("file.trash", paths="a.txt")
    second = steps("file.trash", World().expecting(first), paths="folder/a.txt")
    assert [s.name for s in (*first, *second)] == ["a.txt", "a.2.txt"]  # type: ignore[attr-defined]


def test_a_later_call_counts_on_what_an_earlier_one_makes(tree: Path) -> None:
    first = steps("folder.create", paths="docs")
    found = steps("file.move", World().expecting(first), paths="a.txt", to="docs")
    assert moves(tree, found) == [("a.txt", "docs/a.txt")] and makes(tree, found) == []
    with pytest.raises(Refused):
        steps("file.move", World().expecting(found), paths="folder/a.txt", to="docs/a.txt")


def test_what_is_in_the_trash_is_not_trashed_again(tree: Path) -> None:
    build(tree, {".local/share/Trash/files/x": "x", ".local/share/Trash/info/x.trashinfo": "x"})
    with pytest.raises(Refused, match="in the trash already"):
        steps("file.trash", paths=".local/share/Trash/files/x")
    with pytest.raises(Refused):
        steps("file.trash", paths=".local/share")


def test_a_folder_is_copied_entry_by_entry_and_its_times_last(tree: Path) -> None:
    found = steps("file.copy", paths="folder", to="copy")
    assert [type(s).__name__ for s in found] == ["MakeFolder", "CopyPath", "MakeFolder", "CopyPath", "SetTimes", "SetTimes"]
    last = found[-1]
    assert isinstance(last, SetTimes) and last.path == str(tree / "copy")
    for step in found:
        step.check() if not isinstance(step, SetTimes) else None
        step.apply()
    assert os.stat(tree / "copy").st_mtime_ns == os.stat(tree / "folder").st_mtime_ns
    assert (tree / "copy/sub/d.txt").read_text() == "d"


def test_rename_stays_in_its_folder(tree: Path) -> None:
    assert moves(tree, steps("file.rename", path="folder/sub", to="new name")) == [("folder/sub", "folder/new name")]
    for new in ("a.txt", "x/y", "..", "sub/"):
        with pytest.raises(Refused):
            steps("file.rename", path="folder/sub", to=new)


def test_chmod_does_nothing_where_the_mode_is_right(tree: Path) -> None:
    assert steps("file.chmod", paths="a.txt", mode="644") == ()
    (step,) = steps("file.chmod", paths="folder", mode="a-w")
    assert step.mode == 0o555  # type: ignore[attr-defined]
    os.chmod(tree / "a.txt", 0o4755)
    with pytest.raises(Refused, match="setuid"):
        steps("file.chmod", paths="a.txt", mode="700")


def test_folder_create(tree: Path) -> None:
    assert makes(tree, steps("folder.create", paths=("new/a", "new/b"))) == ["new", "new/a", "new/b"]
    assert makes(tree, steps("folder.create", paths="x", under="folder")) == ["folder/x"]
    assert makes(tree, steps("folder.create", paths="downloads")) == ["downloads"]
    for written in ("folder", "a.txt", "a.txt/x"):
        with pytest.raises(Refused):
            steps("folder.create", paths=written)
    with pytest.raises(NlshError):
        steps("folder.create", paths="x", under="nowhere")


def test_find_takes_files_and_folders_and_several(tree: Path) -> None:
    assert paths(tree, records("file.find", under=("folder", "a.txt"), kind="txt")) == ["folder/a.txt", "folder/sub/d.txt", "a.txt"]
    assert paths(tree, records("file.find", under=("folder", "folder/sub"), kind="txt")) == ["folder/a.txt", "folder/sub/d.txt"]
    assert paths(tree, records("file.find", under="link", named="d.txt")) == ["folder/sub/d.txt"]
    assert paths(tree, records("file.find", sort="name", limit="2")) == ["a.txt", "b.txt"]
    assert paths(tree, records("file.find", owner="me", type="folder")) == ["empty", "folder", "folder/sub"]
    with pytest.raises(NotFound):
        records("file.find", owner="no-such-user-here")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_find_says_what_it_could_not_read(tree: Path) -> None:
    os.chmod(tree / "folder" / "sub", 0)
    try:
        found = records("file.find", kind="txt")
    finally:
        os.chmod(tree / "folder" / "sub", 0o755)
    assert paths(tree, found) == ["a.txt", "b.txt", "folder/a.txt"]
    assert isinstance(found[-1], Note) and str(tree / "folder" / "sub") in found[-1].text


def test_find_notes_a_folder_that_cannot_be_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nlsh.world import files

    scandir = os.scandir

    def refusing(path: str) -> Any:
        if path.endswith("/sub"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(files.os, "scandir", refusing)
    found = records("file.find", kind="txt")
    assert paths(tree, found) == ["a.txt", "b.txt", "folder/a.txt"]
    assert isinstance(found[-1], Note) and str(tree / "folder" / "sub") in found[-1].text


def test_read_numbers_lines_and_names_files(tree: Path) -> None:
    build(tree, {"long": "".join(f"{n}\n" for n in range(1, 6))})
    assert [(r.number, r.text, r.path) for r in records("file.read", paths="long", last="2")] == [(4, "4", ""), (5, "5", "")]  # type: ignore[attr-defined]
    assert [r.text for r in records("file.read", paths="long", first="4", last="2")] == ["3", "4"]  # type: ignore[attr-defined]
    assert [r.path for r in records("file.read", paths=("a.txt", "b.txt"))] == [str(tree / "a.txt"), str(tree / "b.txt")]  # type: ignore[attr-defined]
    with pytest.raises(NlshError, match="is a folder"):
        records("file.read", paths="folder")


def test_info_tells_of_a_link_and_does_not_follow_it(tree: Path) -> None:
    (found,) = records("file.info", paths="lonely")
    assert (found.type, found.target) == ("link", "/nowhere")  # type: ignore[attr-defined]
    (found,) = records("file.info", paths="folder")
    assert found.content_type == "inode/directory" and found.created_at  # type: ignore[attr-defined]


def test_archive_names(tree: Path) -> None:
    def destination(**written: Any) -> str:
        return os.path.relpath(steps("archive.create", **written)[-1].destination, tree)  # type: ignore[attr-defined]

    assert destination(paths="folder") == "folder.tar.gz"
    assert destination(paths="folder/sub", format="zip") == "folder/sub.zip"
    assert destination(paths=("a.txt", "b.txt")) == "archive.tar.gz"
    assert destination(paths="folder", to="backup") == "backup.tar.gz"
    assert destination(paths="folder", to="backup.tar.xz") == "backup.tar.xz"
    assert destination(paths="folder", to="empty") == "empty/folder.tar.gz"
    assert destination(paths="folder", to="new/", format="zip") == "new/folder.zip"
    with pytest.raises(Refused):
        destination(paths="folder", to="x.zip", format="tar")
