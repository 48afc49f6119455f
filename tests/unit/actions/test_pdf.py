"""PDF files: what is made out of their pages, what they say, and the words for those that cannot be read."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pypdf
import pytest

from nlsh.actions.pdf._scene import pdf
from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotFound, NotPossible, Refused, StaleStep
from nlsh.plan.records import Line, Note, Record
from nlsh.plan.steps import Step, step_from_data
from nlsh.steps.pdfs import SplitPdf
from nlsh.testing import Scene, snapshot
from nlsh.world import World, pdfs


def steps(action: str, world: World | None = None, **written: Any) -> tuple[Step, ...]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return tuple(unit.steps(args, unit.look(args, world or World())))


def records(action: str, **written: Any) -> list[Record]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return list(unit.observe(args, unit.look(args, World()), World()))


def run(*found: Step) -> None:
    for step in found:
        received = step_from_data(json.loads(json.dumps(step.as_data())))
        assert received == step
        received.check()
        received.apply()


def back(*found: Step) -> None:
    for step in reversed(found):
        run(step.inverse())  # type: ignore[arg-type]


def said(path: Path) -> list[str]:
    return [page.extract_text().strip() for page in pypdf.PdfReader(path).pages]


@pytest.fixture
def report(home: Path) -> Path:
    path = home / "report.pdf"
    path.write_bytes(pdf("one", "two", "three", "four", title="A  report\n of ours"))
    return path


def test_info(report: Path) -> None:
    (found,) = records("pdf.info", paths="report.pdf")
    assert (found.pages, found.title, found.author) == (4, "A report of ours", "nlsh")  # type: ignore[attr-defined]
    assert (found.width_mm, found.height_mm) == (209.9, 297.0)  # type: ignore[attr-defined]


def test_text_page_by_page_and_pages_without_any(home: Path, report: Path) -> None:
    assert [(r.text, r.number) for r in records("pdf.text", path="report.pdf")] == [("one", 1), ("two", 2), ("three", 3), ("four", 4)]  # type: ignore[attr-defined]
    writer = pypdf.PdfWriter(clone_from=report)
    writer.add_blank_page()
    writer.write(home / "scan.pdf")
    *lines, note = records("pdf.text", path="scan.pdf")
    assert len(lines) == 4 and isinstance(lines[0], Line) and isinstance(note, Note) and "1 of 5 pages" in note.text


@pytest.mark.parametrize(
    ("pages", "name", "texts"),
    [
        ("2", "report-2.pdf", ["two"]),
        ("2-4", "report-2-4.pdf", ["two", "three", "four"]),
        ("1 and 4", "report-1+4.pdf", ["one", "four"]),
        ("4,1-2", "report-4+1-2.pdf", ["four", "one", "two"]),
        ("第3页", "report-3.pdf", ["three"]),
    ],
)
def test_extract(home: Path, report: Path, pages: str, name: str, texts: list[str]) -> None:
    run(*steps("pdf.extract", path="report.pdf", pages=pages))
    assert said(home / name) == texts


def test_pages_that_are_not_there_are_refused_and_nothing_is_left(home: Path, report: Path) -> None:
    with pytest.raises(Refused, match="has 4 pages, and no page 9"):
        run(*steps("pdf.extract", path="report.pdf", pages="3,9"))
    assert os.listdir(home) == ["report.pdf"]


def test_where_new_files_go(home: Path, report: Path) -> None:
    (home / "other.pdf").write_bytes(pdf("other"))
    (home / "folder").mkdir()

    def target(action: str, world: World | None = None, **written: Any) -> str:
        return os.path.relpath(steps(action, world, **written)[-1].target, home)  # type: ignore[attr-defined]

    both = ("report.pdf", "other.pdf")
    assert target("pdf.merge", paths=both, to="both") == "both.pdf"
    assert target("pdf.merge", paths=both, to="folder") == "folder/joined.pdf"
    assert target("pdf.merge", paths=both, to="folder/x.PDF") == "folder/x.PDF"
    assert target("pdf.extract", path="report.pdf", pages="1", to="folder/") == "folder/report-1.pdf"
    with pytest.raises(NotFound, match="There is no folder"):
        target("pdf.merge", paths=both, to="nowhere/x.pdf")
    planned = World().expecting(steps("folder.create", paths="nowhere"))
    assert target("pdf.merge", planned, paths=both, to="nowhere/x.pdf") == "nowhere/x.pdf"
    with pytest.raises(Refused, match="already something"):
        target("pdf.merge", paths=both, to="other.pdf")
    with pytest.raises(Refused, match="only file"):
        target("pdf.merge", paths=("report.pdf",), to="x.pdf")
    with pytest.raises(Refused, match="is a folder"):
        target("pdf.merge", paths=("report.pdf", "folder"), to="x.pdf")


def test_merge_keeps_the_order_and_is_taken_back(home: Path, report: Path) -> None:
    (home / "a.pdf").write_bytes(pdf("last"))
    os.chmod(report, 0o600)
    before = snapshot(home)
    mtime_ns = os.stat(home).st_mtime_ns
    found = steps("pdf.merge", paths=("report.pdf", "a.pdf"), to="both.pdf")
    run(*found)
    assert said(home / "both.pdf") == ["one", "two", "three", "four", "last"]
    assert stat.S_IMODE((home / "both.pdf").stat().st_mode) == 0o600
    back(*found)
    os.utime(home, ns=(mtime_ns, mtime_ns))
    assert snapshot(home) == before
    (home / "a.pdf").write_bytes(pdf("changed"))
    with pytest.raises(StaleStep):
        run(*found)


def test_split_and_undo(home: Path, report: Path) -> None:
    before = snapshot(home)
    mtime_ns = os.stat(home).st_mtime_ns
    found = steps("pdf.split", path="report.pdf")
    assert isinstance(found[-1], SplitPdf) and found[-1].state() == "undone"
    run(*found)
    assert found[-1].state() == "done"
    assert [said(home / "report-pages" / f"report-{n}.pdf") for n in (1, 2, 3, 4)] == [["one"], ["two"], ["three"], ["four"]]
    back(*found)
    os.utime(home, ns=(mtime_ns, mtime_ns))
    assert snapshot(home) == before


@pytest.mark.parametrize("change", ["edit", "add"])
def test_undo_of_split_leaves_what_was_changed(home: Path, report: Path, change: str) -> None:
    found = steps("pdf.split", path="report.pdf", to="out")
    run(*found)
    (home / "out" / ("report-2.pdf" if change == "edit" else "mine.txt")).write_text("mine")
    with pytest.raises(StaleStep, match="added or changed"):
        back(*found)
    assert len(os.listdir(home / "out")) == (4 if change == "edit" else 5)


def test_split_into_a_folder_that_is_there(home: Path, report: Path) -> None:
    (home / "docs").mkdir()
    (home / "docs" / "mine.txt").write_text("mine")
    (home / "docs" / "report-x.pdf").write_text("mine")
    before = snapshot(home / "docs")
    found = steps("pdf.split", path="report.pdf", to="docs")
    assert found[-1].folder == str(home / "docs") and found[-1].state() == "undone"  # type: ignore[attr-defined]
    run(*found)
    assert found[-1].state() == "done" and sorted(os.listdir(home / "docs")) == ["mine.txt", *(f"report-{n}.pdf" for n in (1, 2, 3, 4)), "report-x.pdf"]
    # The names are taken now: the pages get a folder of their own in it, until that is taken, too.
    again = steps("pdf.split", path="report.pdf", to="docs")
    assert again[-1].folder == str(home / "docs" / "report-pages")  # type: ignore[attr-defined]
    (home / "docs" / "report-pages").mkdir()
    with pytest.raises(Refused, match="already something"):
        steps("pdf.split", path="report.pdf", to="docs")
    (home / "docs" / "report-pages").rmdir()
    # What else is there stays, and so do pages that were changed.
    page = (home / "docs" / "report-2.pdf").read_bytes()
    (home / "docs" / "report-2.pdf").write_bytes(b"mine")
    with pytest.raises(StaleStep, match="added or changed"):
        back(*found)
    (home / "docs" / "report-2.pdf").write_bytes(page)
    os.utime(home / "docs" / "report-2.pdf", ns=(found[-1].stamp_ns,) * 2)  # type: ignore[attr-defined]
    back(*found)
    assert {n: v for n, v in snapshot(home / "docs").items() if n != "."} == {n: v for n, v in before.items() if n != "."}


def test_a_page_that_comes_to_be_there_meanwhile_makes_it_stale(home: Path, report: Path) -> None:
    (home / "docs").mkdir()
    found = steps("pdf.split", path="report.pdf", to="docs")
    (home / "docs" / "report-3.pdf").write_text("mine")
    with pytest.raises(StaleStep, match="something in"):
        run(*found)
    assert (home / "docs" / "report-3.pdf").read_text() == "mine" and len(os.listdir(home / "docs")) == 1


def test_many_pages_sort_by_name(home: Path) -> None:
    (home / "r.pdf").write_bytes(pdf(*(f"p{n}" for n in range(1, 13))))
    run(*steps("pdf.split", path="r.pdf", to="out"))
    assert sorted(os.listdir(home / "out"))[:2] == ["r-01.pdf", "r-02.pdf"] and said(home / "out" / "r-12.pdf") == ["p12"]


EVERY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("pdf.info", {"paths": "x.pdf"}), ("pdf.text", {"path": "x.pdf"}), ("pdf.extract", {"path": "x.pdf", "pages": "1"}),
    ("pdf.split", {"path": "x.pdf"}), ("pdf.merge", {"paths": ("x.pdf", "report.pdf"), "to": "y.pdf"}),
    ("pdf.merge", {"paths": ("report.pdf", "x.pdf"), "to": "y.pdf"}),
)  # fmt: skip


def attempt(action: str, written: dict[str, Any]) -> None:
    if action in ("pdf.info", "pdf.text"):
        records(action, **written)
        return
    found = steps(action, **written)
    try:
        run(*found)
    except NlshError:
        if os.path.isdir("x-pages"):
            os.rmdir("x-pages")  # what the step before had made; the kernel's undo does this
        raise
    back(*found)


@pytest.mark.parametrize(("action", "written"), EVERY)
def test_encrypted_files_are_refused_in_words(home: Path, report: Path, action: str, written: dict[str, Any]) -> None:
    for user in ("secret", ""):
        writer = pypdf.PdfWriter(clone_from=report)
        writer.encrypt(user, "owner", algorithm="RC4-128")
        writer.write(home / "x.pdf")
        with pytest.raises(NotPossible, match="encrypted"):
            attempt(action, written)
    assert sorted(os.listdir(home)) == ["report.pdf", "x.pdf"]


@pytest.mark.parametrize("content", [b"", b"plain text", b"%PDF-1.4\n", b"%PDF-1.7\n" + bytes(5000), pdf()])
@pytest.mark.parametrize(("action", "written"), EVERY)
def test_broken_files_are_refused_in_words(home: Path, report: Path, action: str, written: dict[str, Any], content: bytes) -> None:
    (home / "x.pdf").write_bytes(content)
    with pytest.raises(NotPossible):
        attempt(action, written)
    assert sorted(os.listdir(home)) == ["report.pdf", "x.pdf"]


def test_a_pdf_with_another_byte_anywhere_is_never_more_than_a_refusal(home: Path, report: Path) -> None:
    data = report.read_bytes()
    for place in range(0, len(data), 3):
        for changed in (data[:place] + bytes([data[place] ^ 0x13]) + data[place + 1 :], data[:place]):
            (home / "x.pdf").write_bytes(changed)
            for action, written in EVERY[:3]:
                try:
                    attempt(action, written)
                except NlshError as error:
                    assert error.code in ("world.not-possible", "action.refused"), error
    assert sorted(os.listdir(home)) == ["report.pdf", "x.pdf"]


def test_look_parses_nothing(home: Path, report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdfs, "opened", lambda *a: pytest.fail("a PDF was opened while previewing"))
    (home / "x.pdf").write_bytes(b"no pdf")
    for action, written in EVERY:
        unit = registry.get(action)
        args = unit.Args.bind(action, written)
        assert unit.look(args, World())


@pytest.mark.parametrize("name", ["a b.pdf", "-x.pdf", "new\nline.pdf", "'q\".pdf", os.fsdecode(b"\xff.pdf"), "(1) [x]*.pdf"])
def test_odd_names(home: Path, name: str) -> None:
    (home / name).write_bytes(pdf("one", "two"))
    found = [*steps("pdf.split", path=name), *steps("pdf.extract", path=name, pages="2")]
    run(*found)
    stem = name.removesuffix(".pdf")
    assert said(home / f"{stem}-2.pdf") == ["two"] and said(home / f"{stem}-pages" / f"{stem}-1.pdf") == ["one"]
    back(*found)
    assert os.listdir(home) == [name]


def test_confined(tmp_path: Path) -> None:
    with Scene(tmp_path, {"r.pdf": pdf("one", "two"), "s.pdf": pdf("three")}) as scene:
        for plan in (
            'pdf.info("*.pdf")', 'pdf.text("r.pdf")', 'pdf.merge(["r.pdf", "s.pdf"], to="all.pdf")', 'pdf.split("all.pdf")', 'history.undo()',
            'pdf.extract("all.pdf", pages="3")', 'folder.create("new"); pdf.extract("all.pdf", pages="1", to="new/x.pdf")',
        ):  # fmt: skip
            played = scene.play(plan)
            assert played.error is None, f"{plan}: {played.error}"
        assert said(scene.home / "new" / "x.pdf") == ["one"]
        assert not (scene.home / "all-pages").exists()
