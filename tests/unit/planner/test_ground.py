"""Grounding: a span that names nothing is widened to what exists; one that means something is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlsh.plan.registry import format, parse
from nlsh.planner.ground import as_a_name, existing, for_folders, ground, places_left, sense, taken_twice


@pytest.mark.parametrize(
    ("files", "request_", "plan", "grounded"),
    [
        (["Pension Papers/"], "rename the folder Pension Papers to Old", 'file.rename("Pension", to="Old")', 'file.rename("Pension Papers", to="Old")'),
        (["回忆录.txt"], "把回忆录.txt打开看看", 'file.read(".txt")', 'file.read("回忆录.txt")'),
        (["成片/"], "成片 里最新的视频", 'file.find("片", kind="视频")', 'file.find("成片", kind="视频")'),
        (["a.txt", "a.txt b"], "read a.txt b", 'file.read("a.txt")', 'file.read("a.txt")'),
        ([], "trash the old things", 'file.trash("old")', 'file.trash("old")'),
        (["*.log files"], "trash *.log files", 'file.trash("*.log")', 'file.trash("*.log")'),
        (["downloads list"], "what is in downloads list", 'file.list("downloads")', 'file.list("downloads")'),
        (["x y", "z w"], "move x y and z w to /tmp", 'file.move(["x", "z"], to="/tmp")', 'file.move(["x y", "z w"], to="/tmp")'),
    ],
)
def test_paths(home: Path, files: list[str], request_: str, plan: str, grounded: str) -> None:
    for name in files:
        if name.endswith("/"):
            (home / name).mkdir()
        else:
            (home / name).write_text("")
    assert format(ground(parse(plan), request_, cwd=str(home), home=str(home))) == format(parse(grounded))


def test_only_paths_are_grounded(home: Path) -> None:
    (home / "fire fox").write_text("")
    plan = parse('process.kill(name="fire")')
    assert ground(plan, "kill fire fox", cwd=str(home), home=str(home)) == plan


def test_words_that_mean_the_same_make_the_same_sense(home: Path) -> None:
    (home / "logs").mkdir()
    same = [parse(f'archive.create("{p}")') for p in ("logs", "the logs folder", "./logs", "~/logs")]
    assert len({sense(p, cwd=str(home), home=str(home)) for p in same}) == 1
    other = parse('archive.create("log")')
    assert sense(other, cwd=str(home), home=str(home)) != sense(same[0], cwd=str(home), home=str(home))
    assert len({sense(parse(f'file.find(newer="{d}")'), cwd="/", home="/") for d in ("two days", "last two days", "2d")}) == 1


def test_paths_that_exist_are_evidence(home: Path) -> None:
    (home / "docs").mkdir()
    request = "find txt files in docs"
    counts = [existing(parse(p), request, cwd=str(home), home=str(home)) for p in ('file.find("docs", kind="txt files")', 'file.find(kind="txt files")')]
    assert counts == [1, 0]
    assert existing(parse('file.find("elsewhere")'), "look elsewhere", cwd=str(home), home=str(home)) == 0


def test_a_kind_that_is_also_a_name_here_is_both(tmp_path: Path) -> None:
    plan = parse('a = file.find(kind="logs"); archive.create(a)')
    assert as_a_name(plan, cwd=str(tmp_path), home=str(tmp_path)) is None
    (tmp_path / "logs").mkdir()
    assert as_a_name(plan, cwd=str(tmp_path), home=str(tmp_path)) == parse('archive.create("logs")')
    for other in ('file.find(kind="logs")', 'a = file.find(under="x", kind="logs"); archive.create(a)', 'a = file.find(kind="pdfs"); archive.create(a)'):
        assert as_a_name(parse(other), cwd=str(tmp_path), home=str(tmp_path)) is None


def test_a_folder_that_is_here_and_left_out_speaks_against_a_reading(home: Path) -> None:
    (home / "docs").mkdir(exist_ok=True)

    def left(plan: str, request: str) -> int:
        return places_left(parse(plan), request, cwd=str(home), home=str(home))

    for request in ("find the txt files in docs", "docs里的txt文件", "which txt files are under docs"):
        assert left('file.find(kind="txt files")', request) == 1
        assert left('file.find("docs", kind="txt files")', request) == 0
    assert left('file.find(kind="txt files")', "find the txt files in nowhere") == 0
    assert left('file.find(kind="docs")', "find the docs") == 0


def test_what_is_done_to_files_is_done_to_folders_by_another_action(home: Path) -> None:
    (home / "logs").mkdir()
    (home / "a.txt").touch()
    here = {"cwd": str(home), "home": str(home)}
    other = for_folders(parse('archive.compress("logs")'), **here)
    assert other is not None and format(other) == 'archive.create("logs")'
    assert for_folders(parse('archive.compress("a.txt")'), **here) is None
    assert existing(parse('archive.compress("logs")'), "compress logs", **here) == -1
    assert existing(parse('archive.compress("a.txt")'), "compress a.txt", **here) == 1


@pytest.mark.parametrize(
    "request_, plan, times",
    [
        ("find the logs folder", 'file.find("the logs folder", kind="logs")', 1),
        ("find pngs in pngs", 'file.find("pngs", kind="pngs")', 0),
        ("find pngs in Pictures", 'file.find("Pictures", kind="pngs")', 0),
    ],
)
def test_a_word_is_not_both_a_kind_and_a_part_of_a_path(request_: str, plan: str, times: int) -> None:
    assert taken_twice(parse(plan), request_) == times
