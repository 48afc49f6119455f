"""pdf.split: a file for each page of a PDF file, in a new folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen as places_chosen
from nlsh.actions.pdf import _chosen
from nlsh.actions.pdf._scene import pdf
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Path
from nlsh.steps.pdfs import SplitPdf, is_page
from nlsh.world import World
from nlsh.world.files import identify, real_place


class Split(Action):
    """Split a PDF file into one file a page."""

    name = "pdf.split"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        path = arg(Path(), "The PDF file.", required=True)
        to = arg(
            Path(),
            "The folder for the pages, made if it is missing (report-pages in it, where it has such files); left out: report-pages beside report.pdf.",
        )

    def look(self, args: Any, world: World) -> Any:
        source = _chosen.one(args.path, world)
        if not os.path.isfile(source) or not os.access(source, os.R_OK):
            raise NotPossible(f"{source} is not a file that you may read.", hint="Nothing was changed. See file.info.")
        stem = os.path.splitext(os.path.basename(source))[0]
        folder = os.path.dirname(source)
        if args.to is not None:
            folder = real_place(world.resolve(args.to, must_exist=False))
        shared = args.to is not None and world.is_folder(folder) and not _has_pages(folder, stem)
        if args.to is None or (world.is_folder(folder) and not shared):
            folder = os.path.join(os.path.realpath(folder), f"{stem}-pages")
        if world.exists(folder) and not shared:
            raise Refused(f"There is already something at {folder}.", hint="Nothing was changed. Say another folder in to=.")
        step = SplitPdf(source, folder, stem, identify(source), int(world.now() * 1e9), shared=shared)
        return step, places_chosen.missing_folders(folder, world)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        step, folders = seen
        yield from places_chosen.Goal((), folders).make()
        yield step

    examples = (
        Example(
            say=("split report.pdf into pages", "make one file a page out of report.pdf", "把report.pdf按页拆分"),
            plan='pdf.split("report.pdf")',
            given={"report.pdf": pdf("one", "two")},
            after={"report-pages/report-1.pdf": {}, "report-pages/report-2.pdf": {}, "report.pdf": pdf("one", "two")},
        ),
        Example(
            say=("split report.pdf into the folder pages", "put each page of report.pdf into pages", "把report.pdf的每一页放到pages文件夹"),
            plan='pdf.split("report.pdf", to="pages")',
            given={"report.pdf": pdf("one", "two")},
            after={"pages/report-1.pdf": {}, "pages/report-2.pdf": {}},
        ),
        Example(
            say=("in pages i'd like one file for each page of report.pdf", "report.pdf的每一页都放到pages里"),
            plan='pdf.split("report.pdf", to="pages")',
            given={"report.pdf": pdf("one", "two"), "pages/mine.txt": "mine"},
            after={"pages/report-1.pdf": {}, "pages/report-2.pdf": {}, "pages/mine.txt": "mine"},
        ),
        Example(
            say=("split report.pdf by pages again", "take report.pdf apart into pages once more", "再次按页拆分report.pdf"),
            plan='pdf.split("report.pdf")',
            given={"report.pdf": pdf("one", "two"), "report-pages/report-1.pdf": "an older one"},
            refused="action.refused",
        ),
    )


def _has_pages(folder: str, stem: str) -> bool:
    """Return whether the names of pages are taken in a folder; what cannot be looked into may hold any. One that is yet to be made holds none."""
    try:
        return any(is_page(stem, name) for name in os.listdir(folder))
    except FileNotFoundError:
        return False
    except OSError:
        return True
