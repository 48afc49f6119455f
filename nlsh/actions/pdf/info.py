"""pdf.info: pages, title and author of PDF files."""

from __future__ import annotations

from nlsh.actions._looking import LooksInto
from nlsh.actions.pdf import _chosen
from nlsh.actions.pdf._scene import pdf
from nlsh.plan.action import BaseArgs, Example, arg
from nlsh.plan.records import Record
from nlsh.plan.values import Paths


class Info(LooksInto):
    """Show pages, title and author of PDF files."""

    name = "pdf.info"
    pattern = _chosen.PATTERN

    class Args(BaseArgs):
        paths = arg(Paths(), "The PDF files.", required=True)

    def _record(self, path: str) -> Record:
        from nlsh.world.pdfs import look

        return look(path)

    examples = (
        Example(
            say=("how many pages does report.pdf have", "who wrote report.pdf", "show info about report.pdf", "report.pdf有多少页"),
            plan='pdf.info("report.pdf")',
            given={"report.pdf": pdf("one", "two", title="A report")},
            result=("report.pdf",),
        ),
        Example(
            say=("pages and titles of all pdfs here", "how long are the *.pdf files", "这里的pdf各有多少页"),
            plan='pdf.info("*.pdf")',
            given={"a.pdf": pdf("a"), "b.pdf": pdf("b", "b"), "c.txt": "c"},
            result=("a.pdf", "b.pdf"),
        ),
        Example(
            say=("how many pages has fake.pdf", "page count of fake.pdf", "fake.pdf几页"),
            plan='pdf.info("fake.pdf")',
            given={"fake.pdf": "this is text"},
            refused="world.not-possible",
        ),
    )
