"""A text that is looked for in documents: what PDF, Word, Excel and OpenDocument files say is found, and what could not be looked into is counted."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlsh.actions.document._scene import docx, xlsx
from nlsh.actions.pdf._scene import pdf
from nlsh.plan import registry
from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.records import Note
from nlsh.testing import Scene
from nlsh.world import World, contents, documents
from nlsh.world.files import Wanted

OLE = contents.OLE + b"\xa1\xb1\x1a\xe1" + b"\0" * 600


def records(action: str, **written: Any) -> list[Any]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return list(unit.observe(args, unit.look(args, World()), World()))


def names(found: list[Any]) -> list[str]:
    return [os.path.basename(r.path) for r in found if not isinstance(r, Note)]


def notes(found: list[Any]) -> list[str]:
    return [r.text for r in found if isinstance(r, Note)]


@pytest.fixture
def papers(home: Path) -> Path:
    root = home / "papers"
    root.mkdir()
    (root / "a.docx").write_bytes(docx("Buy MILK and", "bread"))
    (root / "b.xlsx").write_bytes(xlsx(("tea", "milk"), ("x", "y")))
    (root / "c.pdf").write_bytes(pdf("please buy", "milk today"))
    (root / "d.pdf").write_text("milk: a text that is called pdf")
    (root / "e.txt").write_text("Milk\n")
    (root / "f.docx").write_bytes(docx("nothing of that kind"))
    return root


def test_what_documents_say_is_found(papers: Path) -> None:
    found = records("file.find", under="papers", containing="milk")
    assert names(found) == ["a.docx", "b.xlsx", "c.pdf", "d.pdf", "e.txt"] and not notes(found)
    assert names(records("file.find", under="papers", kind="word documents", containing="milk")) == ["a.docx"]
    assert names(records("file.find", under="papers", kind="pdfs", containing="BUY")) == []
    assert records("file.count", under="papers", containing="milk")[0].count == 5


def test_a_phrase_goes_over_the_ends_of_lines_and_pages(papers: Path) -> None:
    assert names(records("file.find", under="papers", containing="buy milk")) == ["a.docx", "c.pdf"]
    assert names(records("file.find", under="papers", containing="milk and bread")) == ["a.docx"]
    (papers / "zh.docx").write_bytes(docx("合同编", "号：１２３", "ﬁnal oﬃce"))
    for text in ("合同编号", "合同编号:123", "final office", "编 号"):
        assert names(records("file.find", under="papers", containing=text)) == ["zh.docx"], text


def test_what_cannot_be_looked_into_is_counted(papers: Path) -> None:
    (papers / "old.doc").write_bytes(OLE)
    (papers / "locked.docx").write_bytes(OLE)
    (papers / "bad.pdf").write_bytes(b"%PDF-1.4 and no more")
    (papers / "scan.pdf").write_bytes(pdf("", ""))
    (papers / "cut.odt").write_bytes(docx("milk")[:-40])
    for action in ("file.find", "file.count"):
        (note,) = notes(records(action, under="papers", containing="needle"))
        assert "5 documents (2 pdf" in note and "1 doc)" in note and "1 docx" in note and "1 odt" in note and 'kind="pdf"' in note, action
    (note,) = notes(records("file.find", under="papers", kind="pdf", containing="needle"))
    assert "2 documents (2 pdf)" in note and "kind=" not in note


def test_older_office_files_are_looked_through_as_they_are(papers: Path) -> None:
    (papers / "plain.doc").write_bytes(OLE + b"Buy Milk")
    (papers / "wide.xls").write_bytes(OLE + "Buy Milk".encode("utf-16-le"))
    (papers / "han.ppt").write_bytes(OLE + "牛奶".encode("utf-16-le"))
    assert {"plain.doc", "wide.xls"} <= set(names(records("file.find", under="papers", containing="milk")))
    assert names(records("file.find", under="papers", containing="牛奶")) == ["han.ppt"]


def test_a_search_for_lines_opens_documents_only_where_they_are_asked_for(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (papers / "old.doc").write_bytes(OLE)
    with monkeypatch.context() as patched:
        patched.setattr(documents, "text", lambda *_: pytest.fail("a document was opened"))
        for written in ({"text": "milk"}, {"regex": "(?i)milk"}):
            found = records("text.search", under="papers", **written)
            assert names(found) == ["d.pdf", "e.txt"]
            (note,) = notes(found)
            assert "5 documents" in note and "2 docx" in note and "1 xlsx" in note and 'kind="pdf"' in note
    found = records("text.search", text="milk", under="papers", kind="documents")
    assert [(os.path.basename(r.path), r.number, r.text) for r in found if not isinstance(r, Note)] == [
        ("a.docx", 1, "Buy MILK and"), ("c.pdf", 2, "milk today"), ("d.pdf", 1, "milk: a text that is called pdf"), ("e.txt", 1, "Milk"),
    ]  # fmt: skip
    assert "1 document (1 doc)" in notes(found)[0] and "kind=" not in notes(found)[0]
    assert [(r.number, r.text) for r in records("text.search", text="buy milk", under="papers/c.pdf")] == [(2, "please buy milk today")]
    assert [(r.number, r.text) for r in records("text.search", regex="^m", under="papers/c.pdf")] == [(2, "milk today")]


def test_a_document_that_takes_too_long_or_fails_oddly_does_not_end_the_search(papers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(path: str) -> Iterator[str]:
        if path.endswith("f.docx"):
            raise ZeroDivisionError
        while True:
            try:
                sum(range(1000))  # a parser that forgives everything
            except Exception:
                continue
        yield ""

    monkeypatch.setattr(documents, "lines", endless)
    monkeypatch.setattr(documents, "_OTHERS_S", 0.2)
    found = records("file.find", under="papers", containing="milk")
    assert names(found) == ["c.pdf", "d.pdf", "e.txt"]
    assert "3 documents (2 docx, 1 xlsx)" in notes(found)[0]
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0) and signal.getsignal(signal.SIGPROF) == signal.SIG_DFL
    monkeypatch.setattr(documents, "_ALL_OTHERS_S", 0.0)
    assert names(records("file.find", under="papers", containing="milk")) == ["d.pdf", "e.txt"]
    monkeypatch.setattr(documents, "LARGEST", 10)
    with pytest.raises(NotPossible, match="larger"):
        list(documents.text(str(papers / "c.pdf"), 1))


def test_a_search_can_be_stopped_before_each_document(papers: Path) -> None:
    def stop() -> None:
        raise NlshError("Not finished: it was cancelled.", code="step.cancelled")

    with pytest.raises(NlshError, match="cancelled"):
        list(Wanted(containing="milk", opening=stop).below(str(papers)))


def test_nothing_heavy_is_loaded_where_there_is_no_document(home: Path) -> None:
    import subprocess
    import sys

    (home / "a.txt").write_text("milk")
    (home / "b.pdf").write_text("milk")
    code = f"""
import sys
from nlsh.world.files import Wanted
assert len(list(Wanted(containing="milk").below({str(home)!r}))) == 2
assert not {{"zipfile", "pypdf", "defusedxml", "nlsh.world.documents", "nlsh.world.pdfs"}} & set(sys.modules), sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})


@pytest.mark.parametrize(
    "plan", ['file.find(under="papers", containing="buy milk")', 'text.search("milk", under="papers", kind="documents")', 'file.find(containing="milk today")']
)
def test_confined(tmp_path: Path, plan: str) -> None:
    given = {"papers/a.docx": docx("Buy MILK"), "papers/c.pdf": pdf("please buy", "milk today"), "papers/x.txt": "none"}
    with Scene(tmp_path / "scene", given) as scene:
        played = scene.play(plan)
    assert played.error is None, played.error
    assert {os.path.basename(r.path) for r in played.records if not isinstance(r, Note)} >= {"c.pdf"}  # type: ignore[attr-defined]


# --- capitals ------------------------------------------------------------------------------------------------------------


def test_a_text_without_a_capital_is_found_in_any_case(home: Path) -> None:
    for name, text in (("a.txt", "MILK"), ("b.txt", "milk"), ("c.txt", "Äpfel"), ("d.txt", "iPhone手机"), ("e.txt", "x" * 70_000 + "MiLk")):
        (home / name).write_text(text)
    for text, found in (
        ("milk", ["a.txt", "b.txt", "e.txt"]), ("MILK", ["a.txt"]), ("Milk", []), ("äpfel", ["c.txt"]), ("ÄPFEL", []), ("iphone手机", ["d.txt"]),
        ("IPhone手机", []), ("手机", ["d.txt"]),
    ):  # fmt: skip
        assert names(records("file.find", containing=text)) == found, text
        assert names(records("text.search", text=text)) == found, text
    assert names(records("text.search", text="MILK", ignore_case=True)) == ["a.txt", "b.txt", "e.txt"]
    assert names(records("text.search", regex="milk")) == ["b.txt"]
    (home / "lines").write_text("Milk\nmilk\nTEA\n")
    assert [r.number for r in records("text.filter", path="lines", containing="milk") if not isinstance(r, Note)] == [1, 2]
    assert [r.number for r in records("text.filter", path="lines", containing="Milk") if not isinstance(r, Note)] == [1]
    assert [r.number for r in records("text.filter", path="lines", without="tea") if not isinstance(r, Note)] == [1, 2]
    assert [r.number for r in records("text.filter", path="lines", without="Tea") if not isinstance(r, Note)] == [1, 2, 3]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(before=st.text("milkMILK 牛\nü", max_size=30), wanted=st.text("milkMILK牛ü", min_size=1, max_size=5), any_case=st.booleans(), chunk=st.integers(1, 9))
def test_contains_agrees_with_python(tmp_path: Path, before: str, wanted: str, any_case: bool, chunk: int) -> None:
    file = tmp_path / "t"
    file.write_text(before)
    expected = wanted.lower() in before.lower() if any_case else wanted in before
    kept = contents.CHUNK, contents._SHORT
    contents.CHUNK, contents._SHORT = chunk, 2
    try:
        assert contents.contains(str(file), contents.Sought.of(wanted, ignore_case=any_case)) == expected
    finally:
        contents.CHUNK, contents._SHORT = kept


@settings(deadline=None, max_examples=60)
@given(lines=st.lists(st.text("ab 牛奶", max_size=6), max_size=6), wanted=st.text("ab牛奶", min_size=1, max_size=4))
def test_a_phrase_is_found_wherever_lines_end(lines: list[str], wanted: str) -> None:
    phrase = documents.Phrase(wanted, ignore_case=False)
    whole = documents.Phrase("x", ignore_case=False)._plain(" ".join(lines))
    assert bool(list(phrase.lines_of(lines))) == (wanted in whole)


def test_a_reader_counts_once(home: Path) -> None:
    (home / "a.docx").write_bytes(docx("x"))
    (home / "bad.docx").write_bytes(b"PK\x03\x04")
    reader = documents.Reader(unread := Counter(), asked=True)
    assert list(reader.lines(str(home / "a.docx"))) == ["x"] and list(reader.lines(str(home / "bad.docx"))) == []
    assert unread == {".docx": 1} and len(unread) == 1
