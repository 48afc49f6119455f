"""pdf.info: pages, title and author of PDF files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.pdf import _chosen
from nlsh.actions.pdf._scene import pdf
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Record
from nlsh.plan.values import Paths
from nlsh.steps import handles
from nlsh.world import World


class Info(Action):
    """Show pages, title and author of PDF files."""

    name = "pdf.info"
    effects = ("fs.read",)

    class Args(BaseArgs):
        paths = arg(Paths(), "The PDF files.", required=True)

    def look(self, args: Any, world: World) -> Any:
        return {"paths": _chosen.files(args.paths, world)}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return tuple(Effect("fs.read", p) for p in seen["paths"])

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.pdfs import look

        for number, path in enumerate(seen["paths"], start=1):
            try:
                yield look(path)
            except OSError as error:
                raise NotPossible(f"{path} cannot be read: {error.strerror or error}.", hint="Nothing was changed.") from error
            handles.progress(number, len(seen["paths"]))

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
