"""Grounding: a span that names nothing is widened to what exists; one that means something is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlsh.plan.registry import format, parse
from nlsh.planner import ground as module
from nlsh.planner.ground import as_a_name, existing, for_folders, ground, heard, located, places_left, sense, taken_twice
from nlsh.planner.vocabulary import catalogue


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
        (["练习题.pdf"], "清样练习题.pdf共几页", 'pdf.info("清样练习题.pdf")', 'pdf.info("练习题.pdf")'),
        (["trip.mkv"], "can u convrt trip.mkv too MP3", 'media.convert("convrt trip.mkv", to="MP3")', 'media.convert("trip.mkv", to="MP3")'),
        (["Taxes/"], "how big is the scanned Taxes", 'folder.size("scanned Taxes")', 'folder.size("Taxes")'),
        # What is to be removed, moved or changed keeps the name that was said; two names are two files, and two halves of one are one.
        (["notes.txt"], "delete all but notes.txt", 'file.trash("all but notes.txt")', 'file.trash("all but notes.txt")'),
        (["keys.txt"], "shred old keys.txt", 'file.shred("old keys.txt")', 'file.shred("old keys.txt")'),
        (["照片/"], "删除照片备份", 'file.trash("照片备份")', 'file.trash("照片备份")'),
        (["a.pdf"], "merge old a.pdf and new a.pdf", 'pdf.merge(["old a.pdf", "new a.pdf"])', 'pdf.merge(["old a.pdf", "new a.pdf"])'),
        (["1920x1080/"], "pack 1920x1080", 'archive.create(["1920", "1080"])', 'archive.create("1920x1080")'),
        ([], "how big is ~/ old stuff", 'folder.size("~/ old stuff")', 'folder.size("~/ old stuff")'),
        # What is made is called as it is said, and what is here in another case is no part of another name.
        (["a.txt", "notes.txt"], "rename a.txt to old notes.txt", 'file.rename("a.txt", to="old notes.txt")', 'file.rename("a.txt", to="old notes.txt")'),
        (["notes/"], "make a folder old notes", 'folder.create("old notes")', 'folder.create("old notes")'),
        (["Old Report.txt", "Report.txt"], "trash old Report.txt", 'file.trash("old Report.txt")', 'file.trash("old Report.txt")'),
        (["notes.txt"], "trash old notes.doc", 'file.trash("old notes.doc")', 'file.trash("old notes.doc")'),
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


@pytest.mark.parametrize(
    ("request_", "plan", "grounded"),
    [
        ("a.mp3 needs to be 50% louder", 'media.volume("a.mp3", by="50%")', 'media.volume("a.mp3", by="50% louder")'),
        ("make a.mp3 1.5 times louder", 'media.volume("a.mp3", by="1.5")', 'media.volume("a.mp3", by="1.5 times louder")'),
        ("a.mp4快50%播", 'media.speed("a.mp4", by="50%")', 'media.speed("a.mp4", by="50% more")'),
        ("turn a.mp3 down by 20%", 'media.volume("a.mp3", by="20%")', 'media.volume("a.mp3", by="20% less")'),
        ("slow that down, a.mp4 at 2x", 'media.speed("a.mp4", by="2x")', 'media.speed("a.mp4", by="down to 2x")'),
        # What only says why, or another call's way, turns nothing.
        ("录的声音太小 a.mp3 2倍", 'media.volume("a.mp3", by="2倍")', 'media.volume("a.mp3", by="2倍")'),
        ("a.mp4太慢，弄成 2x", 'media.speed("a.mp4", by="2x")', 'media.speed("a.mp4", by="2x")'),
        ("a.mp3声音大小50%", 'media.volume("a.mp3", by="50%")', 'media.volume("a.mp3", by="50%")'),
        ("turn a.mp3 down to 50%", 'media.volume("a.mp3", by="50%")', 'media.volume("a.mp3", by="50%")'),
        ("play holiday2x.mp4 at 2x speed", 'media.speed("holiday2x.mp4", by="2x")', 'media.speed("holiday2x.mp4", by="2x")'),
        ("hold apache to 50% of the processor", 'resource.limit(name="apache", cpu="50%")', 'resource.limit(name="apache", cpu="50% of the machine")'),
        ("apache不许超过整机的50%", 'resource.limit(name="apache", cpu="50%")', 'resource.limit(name="apache", cpu="50% of the machine")'),
        ("apache hogs the machine, hold it to 50% cpu", 'resource.limit(name="apache", cpu="50%")', 'resource.limit(name="apache", cpu="50%")'),
    ],
)
def test_an_amount_means_what_the_words_around_it_make_of_it(request_: str, plan: str, grounded: str) -> None:
    assert format(heard(parse(plan), request_)) == format(parse(grounded))


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
    assert left('file.read("Docs/a.txt")', "show me a.txt in docs") == 0, "said as it is said, written as it is written"


def test_what_is_done_to_files_is_done_to_folders_by_another_action(home: Path) -> None:
    (home / "logs").mkdir()
    (home / "a.txt").touch()
    here = {"cwd": str(home), "home": str(home)}
    other = for_folders(parse('archive.compress("logs")'), **here)
    assert other is not None and format(other) == 'archive.create("logs")'
    assert for_folders(parse('archive.compress("a.txt")'), **here) is None
    assert existing(parse('archive.compress("logs")'), "compress logs", **here) == -1
    assert existing(parse('archive.compress("a.txt")'), "compress a.txt", **here) == 1


def test_a_service_that_is_installed_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kiln.service").touch()
    monkeypatch.setattr(module, "_UNITS", (str(tmp_path),))
    here = {"cwd": str(tmp_path), "home": str(tmp_path)}
    counts = {
        p: existing(parse(p), "is kiln up", **here)
        for p in ('service.status("kiln")', 'service.status("oven")', 'service.status("no unit!")', 'process.find(name="kiln")')
    }
    assert list(counts.values()) == [1, 0, 0, 0]
    (tmp_path / "getty@.service").touch()
    assert existing(parse('service.status("getty@tty1")'), "getty@tty1?", **here) == 1


@pytest.mark.parametrize(
    "request_, plan, times",
    [
        ("find the logs folder", 'file.find("the logs folder", kind="logs")', 1),
        ("find pngs in pngs", 'file.find("pngs", kind="pngs")', 0),
        ("find pngs in Pictures", 'file.find("Pictures", kind="pngs")', 0),
        ("merge a.pdf and b.pdf", 'pdf.merge(["a.pdf", "b.pdf"], to="b.pdf")', 1),
        ("merge a.pdf and b.pdf into b.pdf", 'pdf.merge(["a.pdf", "b.pdf"], to="b.pdf")', 0),
        ("videos over 500 MB", 'file.find("500 MB", kind="videos", larger="500 MB")', 1),
        ("show the newest in newest", 'file.find("newest", sort="newest")', 0),
        ("back up a.txt as a.txt.bak", 'file.copy("a.txt", to="a.txt.bak")', 0),
        ("move the pngs", 'a = file.find(kind="pngs"); file.move(a, to="pngs")', 0),
    ],
)
def test_a_word_that_is_said_once_is_not_two_values_of_a_call(request_: str, plan: str, times: int) -> None:
    assert taken_twice(parse(plan.replace("; ", "\n")), request_, catalogue()) == times


@pytest.mark.parametrize(
    ("request_", "plan", "meant"),
    [
        ("delete plan.txt in Documents", 'file.trash(["plan.txt", "Documents"])', 'file.trash("~/Documents/plan.txt")'),
        ("删除Documents里的plan.txt", 'file.trash(["Documents", "plan.txt"])', 'file.trash("~/Documents/plan.txt")'),
        ("unpack old.zip in my downloads folder", 'archive.extract("old.zip")', 'archive.extract("~/Downloads/old.zip")'),
        # What is here is meant as it is written, and so is what is in none of the places, or in two of them.
        ("delete here.txt in Documents", 'file.trash(["here.txt", "Documents"])', 'file.trash(["here.txt", "Documents"])'),
        ("delete gone.txt in Documents", 'file.trash(["gone.txt", "Documents"])', 'file.trash(["gone.txt", "Documents"])'),
        ("read both.txt, in Documents or in Downloads", 'file.read("both.txt")', 'file.read("both.txt")'),
        # Nothing is said to be in the place.
        ("delete plan.txt and Documents", 'file.trash(["plan.txt", "Documents"])', 'file.trash(["plan.txt", "Documents"])'),
        ("move plan.txt in Documents to Downloads", 'file.move("plan.txt", to="Downloads")', 'file.move("~/Documents/plan.txt", to="Downloads")'),
    ],
)
def test_what_is_said_to_be_in_a_folder_is_looked_for_there(home: Path, request_: str, plan: str, meant: str) -> None:
    for file in ("Documents/plan.txt", "Documents/here.txt", "here.txt", "Downloads/old.zip", "Documents/both.txt", "Downloads/both.txt"):
        (home / file).parent.mkdir(exist_ok=True)
        (home / file).write_text("")
    for cwd, said in ((home / "Documents", meant), (home, meant.replace("~/", ""))):
        # From within, what the folder holds is here.
        if cwd == home or "plan.txt" not in plan:
            assert format(located(parse(plan), request_, cwd=str(cwd), home=str(home))) == format(parse(said))


def test_several_folders_that_differ_in_case_are_no_error(home: Path) -> None:
    for name in ("Logs", "LOGS"):
        (home / name).mkdir()
    assert existing(parse('archive.compress("logs")'), "compress logs", cwd=str(home), home=str(home)) == 0


def test_a_large_folder_is_not_read_for_every_span(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "report.pdf").touch()
    looks: list[str] = []
    monkeypatch.setattr(module.os, "listdir", lambda folder: looks.append(folder) or [])
    request = "how many pages has the very long one that I wrote last spring about the old barn report.pdf"
    ground(parse('pdf.info("the very long one that I wrote last spring about the old barn report.pdf")'), request, cwd=str(home), home=str(home))
    assert len(looks) <= 2
