"""PDF files, by pypdf: what they are and what they say. Only for the confined worker: a PDF is parsed nowhere else.

Owns how one is opened, and the words for what cannot be opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from nlsh.plan.errors import NlshError, NotPossible
from nlsh.plan.records.documents import Pdf

UNCHANGED = "Nothing was changed."
_MM_PER_POINT = 25.4 / 72


@contextmanager
def opened(file: IO[bytes], path: str) -> Iterator[Any]:
    """Give the PdfReader. Raises NotPossible for what is no PDF, is damaged or is encrypted; so for what is found out while it is read."""
    import logging

    import pypdf
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it tells of every oddity; a person is told what it means
    start = file.read(1024)
    file.seek(0)
    if b"%PDF-" not in start:
        raise NotPossible(f"{path} is not a PDF file.", hint=UNCHANGED)
    try:
        reader = pypdf.PdfReader(file)
        if reader.is_encrypted:
            raise NotPossible(f"{path} is encrypted.", hint=f"{UNCHANGED} Open it with its password in a viewer, and save it without one.")
        if not reader.pages:
            raise NotPossible(f"{path} has no pages.", hint=f"{UNCHANGED} It may be damaged.")
        yield reader
    except NlshError:
        raise
    except RecursionError as error:
        raise NotPossible(f"{path} is nested more deeply than any document.", hint=f"{UNCHANGED} Do not trust this file.") from error
    except (PyPdfError, ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, AssertionError, NotImplementedError) as error:
        # What is not PyPdfError comes of objects that are not what the format says they are.
        raise NotPossible(f"{path} is damaged, or is not a PDF that can be read here: {error or type(error).__name__}.", hint=UNCHANGED) from error


def look(path: str) -> Pdf:
    """Return what there is to say about the PDF at `path`. Raises NotPossible and OSError."""
    with open(path, "rb") as file, opened(file, path) as reader:
        told = reader.metadata or {}
        box = reader.pages[0].mediabox
        return Pdf(
            path, len(reader.pages), _text(told.get("/Title")), _text(told.get("/Author")), os.fstat(file.fileno()).st_size,
            _when(_text(told.get("/CreationDate"))), _text(told.get("/Creator")),
            round(float(box.width) * _MM_PER_POINT, 1), round(float(box.height) * _MM_PER_POINT, 1),
        )  # fmt: skip


def _text(value: Any) -> str:
    return " ".join(str(value).split())[:300] if value is not None else ""


def _when(written: str) -> str:
    digits = written.removeprefix("D:")
    if not digits[:12].isdigit() or len(digits) < 12:
        return ""
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]} {digits[8:10]}:{digits[10:12]}"


def pages(path: str) -> Iterator[list[str]]:
    """Yield the lines of text of each page. Raises NotPossible and OSError."""
    with open(path, "rb") as file, opened(file, path) as reader:
        for page in reader.pages:
            yield page.extract_text().splitlines()
