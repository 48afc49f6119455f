"""What a reading leaves over of its request."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlsh.plan import registry
from nlsh.plan.registry import parse
from nlsh.planner.leftover import Ordinary, excepted, left_over
from nlsh.planner.planner import Calibration, Evidence

WORDS = "rename\nthe\nfolder\nto\nzip\nfind\nfiles\nin\nover\n有多\n多大\n个文\n文件\n件夹\n这个\n"


@pytest.fixture
def ordinary(tmp_path: Path) -> Ordinary:
    file = tmp_path / "ordinary.txt"
    file.write_text(WORDS, encoding="utf-8")
    return Ordinary(file)


@pytest.mark.parametrize(
    ("request_", "plan", "left"),
    [
        ("rename the folder Pension Papers to Letters", 'file.rename("Pension", to="Letters")', (0, 1, 0)),
        ("rename the folder Pension Papers to Letters", 'file.rename("Pension Papers", to="Letters")', (0, 0, 0)),
        ("zip final to out.zip", 'archive.create("final", format="zip")', (1, 0, 0)),
        ("zip final to out.zip", 'archive.create("final", to="out.zip")', (0, 0, 0)),
        ("find files over 200 MB in 'my things'", 'file.find(larger="200 MB")', (1, 0, 0)),
        ("书信 这个文件夹有多大", "folder.size()", (0, 2, 0)),
        ("书信 这个文件夹有多大", 'folder.size("书信")', (0, 0, 0)),
        ("/mnt/冷备有多大", 'folder.size("/mnt/")', (0, 2, 1)),
        ("rename 遗嘱.odt to a.odt", 'file.rename(".odt", to="a.odt")', (0, 2, 1)),
        ("find .pdf文件", 'file.find(kind=".pdf文件")', (0, 0, 0)),
    ],
)
def test_what_is_left_over(ordinary: Ordinary, request_: str, plan: str, left: tuple[int, int, int]) -> None:
    assert left_over(request_, registry.parse(plan), ordinary) == left


def test_without_its_list_only_what_is_cut_counts(tmp_path: Path) -> None:
    unknown = Ordinary(tmp_path / "absent.txt")
    assert left_over("zip wombat to out.zip", registry.parse('archive.create("wombat")'), unknown) == (0, 0, 0)
    assert left_over("/mnt/冷备有多大", registry.parse('folder.size("/mnt/")'), unknown) == (0, 0, 1)


def test_what_is_left_over_speaks_against_a_reading() -> None:
    calibration = Calibration(named=-1.0, unknown=-0.5, cut=-2.0)
    whole = Evidence(-0.1, -0.1)
    for less in (Evidence(-0.1, -0.1, named=1), Evidence(-0.1, -0.1, unknown=1), Evidence(-0.1, -0.1, cut=1)):
        assert calibration.confidences([less]) < calibration.confidences([whole])


@pytest.mark.parametrize(
    ("request_", "plan", "times"),
    [
        ("delete everything except notes.txt", 'file.trash("notes.txt")', True),
        ("shred all but a.txt", 'file.shred("a.txt")', True),
        ("删除报告.pdf以外的文件", 'file.trash("报告.pdf")', True),
        ("kill everything other than bash", 'process.kill(name="bash")', True),
        ("remove all packages but not vim", 'package.remove("vim")', True),
        ("show everything except notes.txt", 'file.read("notes.txt")', False),
        ("make notes.txt private, nobody except me", 'file.chmod("notes.txt", mode="private")', False),
        ("delete notes.txt", 'file.trash("notes.txt")', False),
    ],
)
def test_what_is_to_be_kept_speaks_against_destroying(request_: str, plan: str, times: bool) -> None:
    assert excepted(request_, parse(plan)) is times
