"""Documents of word processors, spreadsheets and presentations: their text, read from the XML in them, without a program that opens them.

Only for the confined worker. Owns what of OOXML (docx, xlsx, pptx) and OpenDocument (odt, ods, odp) is text, how much of it is read, and how a text
is looked for in documents, PDF files among them.
"""

from __future__ import annotations

import math
import os
import re
import signal
import threading
import time
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from nlsh.plan.errors import NotPossible
from nlsh.world.contents import READ_ENDINGS

ENDINGS = ("docx", "docm", "xlsx", "xlsm", "pptx", "odt", "ods", "odp")
UNCHANGED = "Nothing was changed."
MOST_BYTES = 256 << 20  # of one part, unpacked
LARGEST = 512 << 20  # of a file that is looked through for a text
# Processor time for one document that is looked through, and for all of them: where documents are what is asked for, and where they lie among others.
_ASKED_S, _OTHERS_S, _ALL_OTHERS_S = 60.0, 10.0, 60.0
# Chinese and Japanese are written without blanks: one between two of these is the end of a line.
_HAN = r"[\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]"
_UNSPACED = re.compile(rf"(?<={_HAN}) (?={_HAN})")
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


def text(path: str, seconds: float) -> Iterator[str]:
    """Yield the lines of a document or PDF file, as document.text and pdf.text show them, within so many seconds of processor time.

    Raises OSError, and NotPossible for what is damaged, locked, larger than LARGEST or takes longer. The time is bounded in the main thread only,
    where Python handles signals: that is where steps run.
    """
    if os.path.getsize(path) > LARGEST:
        raise NotPossible(f"{path} is larger than {LARGEST >> 20} MB.", hint=UNCHANGED)
    source = _pdf_lines(path) if path.lower().endswith(".pdf") else lines(path)
    return _timed(source, path, seconds) if threading.current_thread() is threading.main_thread() else source


def _pdf_lines(path: str) -> Iterator[str]:
    from nlsh.world.pdfs import pages

    for page in pages(path):
        yield from page


class _TooLong(BaseException):
    """Not an Exception: no parser that forgives much may forgive this."""


def _timed(source: Iterator[str], path: str, seconds: float) -> Iterator[str]:
    inside = False

    def over(*_: object) -> None:
        if inside:
            raise _TooLong

    before = signal.signal(signal.SIGPROF, over)  # not the timer of `patterns`, which may be at work around this
    signal.setitimer(signal.ITIMER_PROF, seconds, 0.2)
    try:
        while True:
            inside = True
            line = next(source, None)
            inside = False
            if line is None:
                return
            yield line
    except _TooLong:
        inside = False
        raise NotPossible(f"{path} takes too long to read.", hint=UNCHANGED) from None
    finally:
        inside = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class Reader:
    """Gives the text of documents, within limits of time, and counts in `unread`, by their endings, those of which it cannot.

    `asked`: documents are what is asked for, so each may take longer, and all of them as long as they do. `opening` is called before each is opened.
    """

    def __init__(self, unread: Counter[str], *, asked: bool, opening: Callable[[], None] | None = None) -> None:
        self.unread = unread
        self._opening = opening
        self._each_s, self._left_s = (_ASKED_S, math.inf) if asked else (_OTHERS_S, _ALL_OTHERS_S)

    def lines(self, path: str) -> Iterator[str]:
        """Yield the text of a document line by line; none, or a part, where it cannot be read. Raises OSError, and what `opening` does."""
        ending = os.path.splitext(path)[1].lower()
        if ending not in READ_ENDINGS or self._left_s <= 0:
            self.unread[ending] += 1
            return
        if self._opening is not None:
            self._opening()
        begun, bare = time.process_time(), ending == ".pdf"  # what a scanner made is pictures of text
        try:
            for line in text(path, min(self._each_s, self._left_s)):
                bare = bare and not line.strip()
                yield line
        except OSError:
            raise
        except Exception:  # one that is damaged in a way that nobody thought of must not end the search through all others
            bare = True
        finally:
            self._left_s -= time.process_time() - begun
        if bare:
            self.unread[ending] += 1


class Phrase:
    """A text that is looked for in the text of documents. Lines end there where the page did: one end, or many blanks, is one blank."""

    def __init__(self, text: str, *, ignore_case: bool) -> None:
        self._folds = ignore_case
        self._wanted = self._plain(text) or text

    def lines_of(self, source: Iterable[str]) -> Iterator[tuple[int, str]]:
        """Yield number and text of each line in which the phrase stands; of one that goes on in the next lines, where it ends."""
        over, tail, before = len(self._wanted) - 1, "", ""
        for number, line in enumerate(source, 1):
            if not line or line.isspace():
                continue
            here = self._plain(line)
            joined = self._plain(f"{tail} {here}") if tail else here
            if self._wanted in joined:
                yield number, line if self._wanted in here else f"{before} {line}"
            before, tail = line, joined[-over:] if over else ""

    def _plain(self, text: str) -> str:
        """Return a text in the form that is compared: without the letters that only typesetters have (ﬁ), nor their blanks."""
        spaced = " ".join((text if text.isascii() else unicodedata.normalize("NFKC", text)).split())
        joined = spaced if spaced.isascii() else _UNSPACED.sub("", spaced)
        return joined.casefold() if self._folds else joined
