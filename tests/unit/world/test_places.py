"""What people call a place, and the path that it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlsh.plan.errors import NotFound, Refused
from nlsh.world import places


@pytest.fixture
def project(home: Path) -> Path:
    for folder in ("Desktop", "Downloads", "Pictures", "work/src/api", "work/Logs", "work/music"):
        (home / folder).mkdir(parents=True)
    for file in ("Downloads/a.pdf", "work/report.pdf", "work/README.md", "work/notes.txt", "work/notes.md"):
        (home / file).write_text("x")
    os.chdir(home / "work")
    return home / "work"


def resolve(written: str, project: Path, *, must_exist: bool = True) -> str:
    found = places.resolve(written, cwd=str(project), home=str(project.parent), must_exist=must_exist)
    return os.path.relpath(found, project.parent)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        (".", "work"),
        ("here", "work"),
        ("this folder", "work"),
        ("当前目录", "work"),
        ("home", "."),
        ("my home folder", "."),
        ("~", "."),
        ("~/Downloads", "Downloads"),
        ("~/downloads", "Downloads"),
        ("downloads", "Downloads"),
        ("my downloads folder", "Downloads"),
        ("the Downloads directory", "Downloads"),
        ("in my downloads", "Downloads"),
        ("下载", "Downloads"),
        ("下载文件夹", "Downloads"),
        ("下载文件夹里", "Downloads"),
        ("我的图片", "Pictures"),
        ("on my desktop", "Desktop"),
        ("桌面上", "Desktop"),
        ("上一级", "."),
        ("one folder up", "."),
        ("主文件夹", "."),
        ("downloads/a.pdf", "Downloads/a.pdf"),
        ("logs", "work/Logs"),
        ("the logs folder", "work/Logs"),
        ("src/API", "work/src/api"),
        ("report", "work/report.pdf"),
        ("the report", "work/report.pdf"),
        ("readme.md", "work/README.md"),
        ('"report.pdf"', "work/report.pdf"),
        ("music", "work/music"),
        ("parent folder", "."),
        ("..", "."),
        ("src/../Logs", "work/Logs"),
    ],
)
def test_places_that_exist(project: Path, written: str, path: str) -> None:
    assert resolve(written, project) == path


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("archive", "work/archive"),
        ("the archive folder", "work/archive"),
        ("downloads", "Downloads"),
        ("downloads/new", "work/downloads/new"),
        ("my downloads folder/new", "Downloads/new"),
        ("images", "Pictures"),
        ("videos", "work/videos"),
        ("my videos folder", "Videos"),
        ("report", "work/report"),
        ("old/photos", "work/old/photos"),
        ("logs/today", "work/Logs/today"),
        ("profile", "work/profile"),
        ("themes", "work/themes"),
        ("myfile.txt", "work/myfile.txt"),
        ("subdir", "work/subdir"),
        ("公里", "work/公里"),
        ("备份文件夹", "work/备份"),
    ],
)
def test_places_to_put_something(project: Path, written: str, path: str) -> None:
    assert resolve(written, project, must_exist=False) == path


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("new folder", "work/new folder"), ("my folder", "work/my folder"), ("Old directory", "work/Old directory"), ("the end", "work/the end"),
        ("新建文件夹", "work/新建文件夹"), ("music2", "work/music2"),
        ("the docs folder", "work/docs"), ("downloads", "work/downloads"), ("docs/api", "work/docs/api"), ("~/x/y", "x/y"),
    ],
)  # fmt: skip
def test_new_things_are_made_here(project: Path, written: str, path: str) -> None:
    assert os.path.relpath(places.new(written, cwd=str(project), home=str(project.parent)), project.parent) == path


def test_a_name_that_exists_always_wins(project: Path) -> None:
    (project / "downloads").mkdir()
    (project / " padded ").write_text("x")
    (project / "'quoted'").write_text("x")
    assert resolve("downloads", project) == "work/downloads"
    assert resolve(" padded ", project) == "work/ padded "
    assert resolve("'quoted'", project) == "work/'quoted'"


def test_user_dirs_file_is_followed(project: Path) -> None:
    config = Path(os.environ["XDG_CONFIG_HOME"])
    config.mkdir(parents=True)
    (config / "user-dirs.dirs").write_text('XDG_DOWNLOAD_DIR="$HOME/Herunterladen"\n')
    (project.parent / "Herunterladen").mkdir()
    assert resolve("downloads", project) == "Herunterladen"


def test_ambiguous_names_are_asked_about(project: Path) -> None:
    with pytest.raises(Refused, match=r"notes\.md.*notes\.txt"):
        resolve("notes", project)


def test_what_is_missing_is_named_with_the_nearest(project: Path) -> None:
    with pytest.raises(NotFound) as caught:
        resolve("reprot.pdf", project)
    assert "report.pdf" in caught.value.hint


def matches(project: Path, *written: str) -> list[str]:
    found = places.matches(written, cwd=str(project), home=str(project.parent))
    return [os.path.relpath(p, project) for p in found]


def test_patterns_match_in_their_folder_only(project: Path) -> None:
    (project / "src" / "deep.md").write_text("x")
    (project / ".hidden.md").write_text("x")
    assert matches(project, "*.md") == ["README.md", "notes.md"]
    assert matches(project, ".*.md") == [".hidden.md"]
    assert matches(project, "*.md", "notes.md", "report.pdf") == ["README.md", "notes.md", "report.pdf"]
    assert matches(project, ".md files") == ["README.md", "notes.md"]


def test_a_file_that_looks_like_a_pattern_is_that_file(project: Path) -> None:
    (project / "[a]*.txt").write_text("x")
    assert matches(project, str(project / "[a]*.txt")) == ["[a]*.txt"]


def test_a_pattern_that_matches_nothing_is_an_error(project: Path) -> None:
    with pytest.raises(NotFound):
        matches(project, "*.xyz")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30))
def test_any_text_gives_a_path_or_an_error(written: str) -> None:
    for must_exist in (True, False):
        try:
            found = places.resolve(written, cwd="/usr", home="/root", must_exist=must_exist)
        except (NotFound, Refused):
            continue
        assert found.startswith("/") and "/../" not in f"{found}/" and not found.startswith("//")
    assert places.new(written, cwd="/usr", home="/root").startswith("/")
