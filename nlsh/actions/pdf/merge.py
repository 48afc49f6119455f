"""pdf.merge: one PDF file out of several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions import _looking
from nlsh.actions.pdf import _chosen
from nlsh.actions.pdf._scene import pdf
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Path, Paths
from nlsh.steps.content import fresh
from nlsh.steps.pdfs import MergePdfs
from nlsh.world import World


class Merge(Action):
    """Join PDF files into one."""

    name = "pdf.merge"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "The PDF files, in order.", required=True)
        to = arg(Path(), "The new file, or the folder it is made in; left out: joined.pdf, beside the first.")

    def look(self, args: Any, world: World) -> Any:
        sources = _chosen.files(args.paths, world)
        if len(sources) < 2:
            raise Refused(f"{sources[0]} is the only file: there is nothing to join it with.", hint="Nothing was changed. Name two or more.")
        target = _chosen.new_pdf(args.to, world, "joined.pdf") if args.to else _looking.joined(sources[0], world, ".pdf")
        fields = [fresh(path, target, world) for path in sources]
        return MergePdfs(**fields[0], others=tuple((f["source"], f["identity"]) for f in fields[1:]))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("merge a.pdf and b.pdf into both.pdf", "join a.pdf and b.pdf as both.pdf", "把a.pdf和b.pdf合并成both.pdf"),
            plan='pdf.merge(["a.pdf", "b.pdf"], to="both.pdf")',
            given={"a.pdf": pdf("one"), "b.pdf": pdf("two", "three")},
            after={"both.pdf": {}, "a.pdf": pdf("one")},
        ),
        Example(
            say=("combine all pdfs in scans into scans.pdf", "make one pdf scans.pdf of those in scans", "把scans里的pdf合成scans.pdf"),
            plan='a = file.find(under="scans", kind="pdfs", sort="name"); pdf.merge(a, to="scans.pdf")',
            given={"scans/1.pdf": pdf("one"), "scans/2.pdf": pdf("two")},
            after={"scans.pdf": {}},
        ),
        Example(
            say=("merge a.pdf and b.pdf", "combine a.pdf and b.pdf into one", "把a.pdf和b.pdf合成一个"),
            plan='pdf.merge(["a.pdf", "b.pdf"])',
            given={"a.pdf": pdf("one"), "b.pdf": pdf("two"), "joined.pdf": pdf("an older one")},
            after={"joined-2.pdf": {}, "joined.pdf": pdf("an older one")},
        ),
        Example(
            say=("merge a.pdf and b.pdf into b.pdf", "append a.pdf to b.pdf as b.pdf", "把a.pdf和b.pdf合并到b.pdf"),
            plan='pdf.merge(["a.pdf", "b.pdf"], to="b.pdf")',
            given={"a.pdf": pdf("one"), "b.pdf": pdf("two")},
            refused="action.refused",
        ),
    )
