"""Documents: their text without the program that made them, in another format by the real LibreOffice, and text in pictures by the real tesseract."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from nlsh.actions.document._scene import docx, xlsx
from nlsh.actions.image._scene import HELLO
from nlsh.plan import registry
from nlsh.plan.errors import NotPossible
from nlsh.testing import Scene
from nlsh.world import World, documents, tools

_OFFICE = "urn:oasis:names:tc:opendocument:xmlns"
_NAMES = " ".join(f'xmlns:{name}="{_OFFICE}:{name}:1.0"' for name in ("office", "text", "table"))
BODY = f"<office:document-content {_NAMES}><office:body>%s</office:body></office:document-content>"


def packed(path: Path, **parts: str | bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


def told(action: str, **written: Any) -> list[str]:
    unit = registry.get(action)
    args = unit.Args.bind(action, written)
    return [r.text for r in unit.observe(args, unit.look(args, World()), World())]  # type: ignore[attr-defined]


def test_the_text_of_each_kind(home: Path) -> None:
    (home / "a.docx").write_bytes(docx("One &amp; two", "", "三"))
    assert told("document.text", path="a.docx") == ["One & two", "", "三"]
    (home / "a.xlsx").write_bytes(xlsx(("a", "b"), ("", "d")))
    assert told("document.text", path="a.xlsx") == ["a\tb", "\td"]
    text = "<text:h>Title</text:h><text:p>a<text:s text:c='2'/>b<text:tab/>c <text:span>in</text:span> out</text:p>"
    packed(home / "a.odt", **{"content.xml": BODY % text})
    assert told("document.text", path="a.odt") == ["Title", "a  b\tc in out"]
    cell = "<table:table-cell><text:p>%s</text:p></table:table-cell>"
    packed(home / "a.ods", **{"content.xml": BODY % f"<table:table><table:table-row>{cell % 'x'}{cell % 'y'}</table:table-row></table:table>"})
    assert told("document.text", path="a.ods") == ["x\ty"]
    drawing = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    slides = {f"ppt/slides/slide{n}.xml": f"<x {drawing}><a:p><a:r><a:t>Slide {n}</a:t></a:r></a:p></x>" for n in (10, 2)}
    packed(home / "a.pptx", **{"ppt/presentation.xml": "<x/>", **slides})
    assert told("document.text", path="a.pptx") == ["Slide 2", "Slide 10"]


def test_what_is_no_document(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entities = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;&a;'>]><x>&b;</x>"
    outside = "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>"
    for number, xml in enumerate((entities, outside, "<x>", "no xml", b"\xff\xfe\0")):
        packed(home / f"{number}.docx", **{"word/document.xml": xml})
        with pytest.raises(NotPossible):
            told("document.text", path=f"{number}.docx")
    packed(home / "other.docx", readme="x")
    (home / "cut.docx").write_bytes(docx("x")[:-40])
    (home / "a.pdf").write_bytes(b"%PDF-1.4")
    for name in ("other.docx", "cut.docx", "a.pdf"):
        with pytest.raises(NotPossible):
            told("document.text", path=name)
    monkeypatch.setattr(documents, "MOST_BYTES", 10_000)
    (home / "bomb.docx").write_bytes(docx("x" * 20_000))
    with pytest.raises(NotPossible, match="more than"):
        told("document.text", path="bomb.docx")


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_a_confined_office_makes_a_pdf_and_nothing_else(tmp_path: Path) -> None:
    with Scene(tmp_path / "scene", {"papers/a b #1.docx": docx("Dear reader"), "papers/fake.docx": "PK no document"}) as scene:
        played = scene.play('document.convert("papers/a b #1.docx", to="pdf")')
        if played.error is not None and played.error.code == "world.not-possible":
            pytest.skip(str(played.error))
        assert played.error is None, played.error
        papers = scene.home / "papers"
        assert (papers / "a b #1.pdf").read_bytes().startswith(b"%PDF") and sorted(os.listdir(papers)) == ["a b #1.docx", "a b #1.pdf", "fake.docx"]
        assert scene.play("history.undo()").error is None
        assert sorted(os.listdir(papers)) == ["a b #1.docx", "fake.docx"]


def test_without_the_programs_it_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "SYSTEM_PATH", str(home))
    monkeypatch.setenv("PATH", str(home))
    (home / "papers").mkdir()
    (home / "papers" / "a.docx").write_bytes(docx("x"))
    (home / "papers" / "a.png").write_bytes(HELLO)
    for action, written in (("document.convert", {"paths": "papers/a.docx", "to": "pdf"}), ("image.text", {"paths": "papers/a.png"})):
        unit = registry.get(action)
        with pytest.raises(NotPossible, match="Not available here"):
            unit.look(unit.Args.bind(action, written), World())


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_text_in_pictures(home: Path) -> None:
    (home / "-note.png").write_bytes(HELLO)
    assert told("image.text", paths=str(home / "-note.png"), language="english") == ["Hello paper 42"]
    (home / "fake.png").write_text("no picture at all")
    with pytest.raises(NotPossible):
        told("image.text", paths="fake.png")
    with pytest.raises(NotPossible, match="tesseract-ocr-kor"):
        told("image.text", paths=str(home / "-note.png"), language="korean")
