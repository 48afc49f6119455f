"""Documents of word processors, spreadsheets and presentations: their text, read from the XML in them, without a program that opens them.

Only for the confined worker. Owns what of OOXML (docx, xlsx, pptx) and OpenDocument (odt, ods, odp) is text, and how much of it is read.
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

from nlsh.plan.errors import NotPossible

ENDINGS = ("docx", "docm", "xlsx", "xlsm", "pptx", "odt", "ods", "odp")
UNCHANGED = "Nothing was changed."
MOST_BYTES = 256 << 20  # of one part, unpacked
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_TEXT, _TABLE = (_OFFICE % n for n in ("text", "table"))


def lines(path: str) -> Iterator[str]:
    """Yield the text of a document, a line for each paragraph or row of cells. Raises NotPossible for what is none or is damaged, and OSError."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError

    try:
        with zipfile.ZipFile(path) as parts:
            names = set(parts.namelist())
            if "word/document.xml" in names:
                yield from _word(parts)
            elif "xl/workbook.xml" in names:
                yield from _excel(parts, names)
            elif "ppt/presentation.xml" in names:
                yield from _slides(parts, names)
            elif "content.xml" in names:
                yield from _open_document(parts)
            else:
                raise NotPossible(f"{path} is no document whose text can be read here.", hint=f"{UNCHANGED} Read are: {', '.join(ENDINGS)}.")
    except (zipfile.BadZipFile, DefusedXmlException, ParseError, zlib.error, KeyError, ValueError, EOFError, NotImplementedError) as error:
        raise NotPossible(f"{path} is damaged, or is not a document that can be read here.", hint=UNCHANGED) from error
    except RuntimeError as error:  # what zipfile says of a member with a password
        raise NotPossible(f"{path} has a password.", hint=UNCHANGED) from error


class _Limited:
    """A part of a document, up to so many bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._left = file, MOST_BYTES

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._left -= len(data)
        if self._left < 0:
            raise NotPossible(f"A part of it holds more than {MOST_BYTES >> 20} MB of text.", hint=f"{UNCHANGED} Do not trust this file.")
        return data


def _elements(parts: zipfile.ZipFile, name: str) -> Iterator[tuple[str, Any]]:
    """Yield (start or end, element) of a part, as it is read."""
    from defusedxml.ElementTree import iterparse

    with parts.open(name) as file:
        yield from iterparse(_Limited(file), events=("start", "end"))


def _plain(tag: str) -> str:
    return tag.rpartition("}")[2]


def _paragraphs(parts: zipfile.ZipFile, name: str) -> Iterator[str]:
    """Yield the paragraphs of a part of OOXML: of a text, or of a slide."""
    text: list[str] = []
    for event, element in _elements(parts, name):
        if event != "end":
            continue
        kind = _plain(element.tag)
        if kind == "t":
            text.append(element.text or "")
        elif kind in ("tab", "br", "cr"):
            text.append("\t" if kind == "tab" else " ")
        elif kind == "p":
            yield "".join(text)
            text.clear()
            element.clear()


def _word(parts: zipfile.ZipFile) -> Iterator[str]:
    yield from _paragraphs(parts, "word/document.xml")


def _slides(parts: zipfile.ZipFile, names: set[str]) -> Iterator[str]:
    found = [n for n in names if re.fullmatch(r"ppt/slides/slide\d+\.xml", n)]
    for name in sorted(found, key=lambda n: int(re.sub(r"\D", "", os.path.basename(n)))):
        yield from (line for line in _paragraphs(parts, name) if line.strip())


def _excel(parts: zipfile.ZipFile, names: set[str]) -> Iterator[str]:
    shared: list[str] = []
    if "xl/sharedStrings.xml" in names:
        for event, element in _elements(parts, "xl/sharedStrings.xml"):
            if event == "end" and _plain(element.tag) == "si":
                shared.append("".join(t.text or "" for t in element.iter() if _plain(t.tag) == "t"))
                element.clear()
    found = [n for n in names if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", n)]
    for name in sorted(found, key=lambda n: int(re.sub(r"\D", "", os.path.basename(n)))):
        for event, element in _elements(parts, name):
            if event == "end" and _plain(element.tag) == "row":
                cells = [_cell(c, shared) for c in element if _plain(c.tag) == "c"]
                if any(cells):
                    yield "\t".join(cells)
                element.clear()


def _cell(cell: Any, shared: list[str]) -> str:
    value = next((c.text or "" for c in cell if _plain(c.tag) == "v"), "")
    if cell.get("t") == "s":
        return shared[int(value)] if value.isdigit() and int(value) < len(shared) else ""
    return value or "".join(t.text or "" for t in cell.iter() if _plain(t.tag) == "t")


def _open_document(parts: zipfile.ZipFile) -> Iterator[str]:
    row: list[str] | None = None
    for event, element in _elements(parts, "content.xml"):
        if element.tag == f"{_TABLE}table-row":
            if event == "start":
                row = []
            else:
                if row and any(row):
                    yield "\t".join(row)
                row = None
                element.clear()
        elif event == "end" and element.tag == f"{_TABLE}table-cell" and row is not None:
            row.append(" ".join(_words(p) for p in element if p.tag == f"{_TEXT}p"))
        elif event == "end" and element.tag in (f"{_TEXT}p", f"{_TEXT}h") and row is None:
            yield _words(element)
            element.clear()


def _words(paragraph: Any) -> str:
    """Return the text of a paragraph, with the blanks and tabs that are elements in it."""
    found = [paragraph.text or ""]
    for part in paragraph:
        if part.tag == f"{_TEXT}s":
            found.append(" " * min(int(part.get(f"{_TEXT}c", "1")), 1000))
        elif part.tag in (f"{_TEXT}tab", f"{_TEXT}line-break"):
            found.append("\t" if part.tag.endswith("tab") else " ")
        else:
            found.append(_words(part))
        found.append(part.tail or "")
    return "".join(found)
