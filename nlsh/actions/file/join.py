"""file.join: several files, one after the other, in a new one."""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nlsh.actions import _looking
from nlsh.actions.file import _chosen
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.kinds import KINDS
from nlsh.plan.steps import Step
from nlsh.plan.values import Path, Paths
from nlsh.steps.making import JoinFiles, Piece
from nlsh.world import World
from nlsh.world.files import Identity, identity, status_of
from nlsh.world.tables import Table, is_table
from nlsh.world.texts import encoding_of, kind_of_endings, line_endings, sample

_START = 64 << 10
_LONGEST_ROW = 64 << 10
# Files with an inner order: what they are, by which endings, and what puts several together.
_PACKED = (
    ("a PDF file", ("pdf",), "pdf.merge puts PDF files together."),
    ("a picture", tuple(e for e in KINDS["image"][0] if e != "raw"), "image.join puts pictures on one."),
    ("sound", KINDS["audio"][0], "media.join puts sound together."),
    ("a film", KINDS["video"][0], "media.join puts films together."),
    (
        "an office file",
        ("docx", "doc", "docm", "odt", "rtf", "pages", "epub", "xlsx", "xls", "xlsm", "ods", "pptx", "ppt", "odp"),
        "document.convert makes PDF files of text documents, which pdf.merge puts together.",
    ),
)
_TEXTS = frozenset(
    e
    for kind in ("text", "markdown", "log", "config", "code", "python", "javascript", "typescript", "shell", "c", "c++", "web", "subtitle")
    for e in KINDS[kind][0]
) | {"csv", "tsv", "tab", "json", "jsonl", "xml", "tex", "rst", "srt", "bib", "eml", "ics", "patch", "diff"}
# As split(1) calls the pieces of a file.
_CUT_UP = re.compile(r"x[a-z]{2,}")


class Join(Action):
    """Join files into one, in the order given.

    Texts are joined line by line: a last line without an end gets one, and a first row that all CSV files have stands once. All else, the parts of a
    file that was split among it, is joined byte by byte.
    """

    name = "file.join"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "The files, in their order; those of a pattern by name, 2 before 10.", required=True)
        to = arg(Path(), "The new file; left out: joined and the ending of the first, beside it.")

    def look(self, args: Any, world: World) -> Any:
        pieces: list[Piece] = []
        for written in args.paths:
            for path in sorted(world.matches((written,)), key=natural):
                path = os.path.realpath(path)
                status = status_of(path)
                if not stat.S_ISREG(status.st_mode):
                    raise Refused(f"{path} is not a regular file.", hint="Nothing was changed. Name files only.")
                if not os.access(path, os.R_OK):
                    raise NotPossible(f"You may not read {path}.", hint="Nothing was changed. See who may with file.info.")
                pieces.append((path, identity(status)))
        if len(pieces) < 2:
            raise Refused("One file alone cannot be joined to anything.", hint="Nothing was changed. Name at least two.")
        _refuse_packed(path for path, _ in pieces)
        target = _chosen.free_place(args.to, world) if args.to else _looking.joined(pieces[0][0], world)
        folders = _chosen.missing_folders(os.path.dirname(target), world)
        made = _chosen.Goal((target,), folders).make()
        if not folders and not os.access(os.path.dirname(target), os.W_OK | os.X_OK) and os.path.dirname(target) not in world.planned:
            raise NotPossible(f"You may not create anything in {os.path.dirname(target)}.", hint="Nothing was changed. Say another place.")
        starts = _starts(pieces)
        ends = _ends(pieces, starts)
        return (*made, JoinFiles(tuple(pieces), target, int(world.now() * 1e9), starts if any(starts) else (), ends if any(ends) else ()))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=(
                "join a.txt and b.txt into all.txt",
                "put a.txt and b.txt together as all.txt",
                "concatenate a.txt and b.txt to all.txt",
                "把a.txt和b.txt合并成all.txt",
            ),
            plan='file.join(["a.txt", "b.txt"], to="all.txt")',
            given={"a.txt": "a\n", "b.txt": "b\n"},
            after={"all.txt": "a\nb\n", "a.txt": "a\n"},
        ),
        Example(
            say=("put the parts of film.mkv together again as film.mkv", "join film.mkv.* into film.mkv", "把film.mkv.*合并成film.mkv"),
            plan='file.join("film.mkv.*", to="film.mkv")',
            given={f"film.mkv.{n}": str(n) for n in (1, 2, 10)},
            after={"film.mkv": "1210"},
        ),
        Example(
            say=("put one.txt and two.txt together in both.txt", "one.txt和two.txt接起来存成both.txt"),
            plan='file.join(["one.txt", "two.txt"], to="both.txt")',
            given={"one.txt": "no end", "two.txt": "next"},
            after={"both.txt": "no end\nnext"},
        ),
        Example(
            say=("combine jan.csv and feb.csv as year.csv", "把jan.csv和feb.csv接成year.csv"),
            plan='file.join(["jan.csv", "feb.csv"], to="year.csv")',
            given={"jan.csv": "day,sum\r\n1,5\r\n2,7", "feb.csv": "day,sum\n1,9\n"},
            after={"year.csv": "day,sum\r\n1,5\r\n2,7\r\n1,9\n"},
        ),
        Example(
            say=("join a.txt and b.txt", "put a.txt and b.txt together in one file", "把a.txt和b.txt接成一个文件"),
            plan='file.join(["a.txt", "b.txt"])',
            given={"a.txt": "a\n", "b.txt": "b\n"},
            after={"joined.txt": "a\nb\n"},
        ),
        Example(
            say=("join a.txt and b.txt into a.txt", "把a.txt和b.txt合并到a.txt"),
            plan='file.join(["a.txt", "b.txt"], to="a.txt")',
            given={"a.txt": "a", "b.txt": "b"},
            refused="action.refused",
        ),
    )


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower().lstrip(".")


def _refuse_packed(paths: Iterable[str]) -> None:
    """Raise NotPossible for files that are more than a row of bytes: one behind the other, no program opens them."""
    for path in paths:
        for what, endings, hint in _PACKED:
            if _ending(path) in endings:
                raise NotPossible(
                    f"{path} is {what}: put one behind the other, such files make none that a program opens.",
                    hint=f"Nothing was changed. {hint} Pieces of one file that was cut up are joined once their names end in .001, .002, …",
                )


def _is_text(path: str) -> bool:
    """Return whether a file is a whole text, by its name and its start: what may be a piece of one (log.txt.001, xaa) is not."""
    name = os.path.basename(path)
    if _ending(path) not in _TEXTS and (_ending(path) or _CUT_UP.fullmatch(name)):
        return False
    return (encoding_of(sample(path, _START)) or "utf-16").startswith(("utf-16", "utf-32")) is False


def _ends(pieces: Sequence[Piece], starts: Sequence[int]) -> tuple[str, ...]:
    """Return what is to be written behind each piece: a line end as the file has them, where a text follows a text without one at its end."""
    texts = [_is_text(path) for path, _ in pieces]
    seams = zip(pieces[:-1], starts[:-1], texts[:-1], texts[1:], strict=True)
    return (*(_missing_end(path, known) if text and more and start < known[3] else "" for (path, known), start, text, more in seams), "")


def _missing_end(path: str, known: Identity) -> str:
    size = known[3]
    with open(path, "rb") as file:
        if os.pread(file.fileno(), 1, size - 1) == b"\n":
            return ""
    return "\r\n" if kind_of_endings(line_endings(path, most=_START)) == "windows" else "\n"


def _starts(pieces: Sequence[Piece]) -> tuple[int, ...]:
    """Return where each piece begins: behind its first row, in bytes, where all are CSV files with the same row of names."""
    nothing = (0,) * len(pieces)
    sizes = {path: known[3] for path, known in pieces}
    full = [path for path, _ in pieces if sizes[path]]
    if len(full) < 2 or not all(is_table(path) and _is_text(path) for path in full):
        return nothing
    first = {path: sample(path, _LONGEST_ROW).partition(b"\n") for path in full}
    rows = {row.removeprefix(codecs.BOM_UTF8).removesuffix(b"\r") for row, _, _ in first.values()}
    if any(not end and len(row) < sizes[path] for path, (row, end, _) in first.items()):
        return nothing  # too long to be a row of names
    # A quotation that goes on in the next line would be cut in two.
    if len(rows) > 1 or any(row.count(b'"') % 2 for row in rows) or not Table(full[0]).names:
        return nothing
    behind = [len(first[path][0]) + len(first[path][1]) if path in first else 0 for path, _ in pieces]
    behind[[path for path, _ in pieces].index(full[0])] = 0
    return tuple(behind)


def natural(path: str) -> list[tuple[int, str]]:
    """Return what to sort names by so that numbers in them count as numbers: part2 before part10."""
    return [(int(text), "") if text.isdecimal() else (-1, text) for text in re.split(r"([0-9]+)", path)]
