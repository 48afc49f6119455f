"""pdf.extract: some pages of a PDF file as a new one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count, groupby
from typing import Any

from nlsh.actions.pdf import _chosen
from nlsh.actions.pdf._scene import pdf
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.counted import Pages
from nlsh.plan.steps import Step
from nlsh.plan.values import Path
from nlsh.steps.content import fresh
from nlsh.steps.pdfs import ExtractPages
from nlsh.world import World


class Extract(Action):
    """Take some pages of a PDF file into a new one."""

    name = "pdf.extract"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        path = arg(Path(), "The PDF file.", required=True)
        pages = arg(Pages(), "Which: 3, 2-5, 1 and 4.", required=True)
        to = arg(Path(), "The new file, or the folder it is made in; left out: beside the old one, report-2-5.pdf.")

    def look(self, args: Any, world: World) -> Any:
        source = _chosen.one(args.path, world)
        stem = os.path.splitext(os.path.basename(source))[0]
        name = f"{stem}-{_short(args.pages)}.pdf"
        target = os.path.join(os.path.dirname(source), name) if args.to is None else _chosen.new_pdf(args.to, world, name)
        return ExtractPages(**fresh(source, target, world), pages=args.pages)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("take pages 2-3 out of report.pdf", "extract pages 2 to 3 of report.pdf", "提取report.pdf的第2-3页"),
            plan='pdf.extract("report.pdf", pages="2-3")',
            given={"report.pdf": pdf("one", "two", "three")},
            after={"report-2-3.pdf": {}, "report.pdf": pdf("one", "two", "three")},
        ),
        Example(
            say=("save page 1 of report.pdf as cover.pdf", "put the first page of report.pdf into cover.pdf", "把report.pdf的第一页存为cover.pdf"),
            plan='pdf.extract("report.pdf", pages="1", to="cover.pdf")',
            given={"report.pdf": pdf("one", "two")},
            after={"cover.pdf": {}},
        ),
        Example(
            say=("get page 9 of report.pdf", "extract page 9 from report.pdf", "提取report.pdf第9页"),
            plan='pdf.extract("report.pdf", pages="9")',
            given={"report.pdf": pdf("one", "two"), "report-9.pdf": "something else"},
            refused="action.refused",
        ),
    )


def _short(pages: tuple[int, ...]) -> str:
    """Return the pages in few characters: 2-5, 1+4."""
    counter = count()
    runs = [list(group) for _, group in groupby(pages, lambda page: page - next(counter))]
    text = "+".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
    return text if len(text) <= 40 else f"{len(pages)}-pages"
