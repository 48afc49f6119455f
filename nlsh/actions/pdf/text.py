"""pdf.text: the text of a PDF file, page after page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.pdf import _chosen
from nlsh.actions.pdf._scene import pdf
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Line, Note, Record
from nlsh.plan.values import Path
from nlsh.steps import handles
from nlsh.world import World


class Text(Action):
    """Show the text of a PDF file."""

    name = "pdf.text"
    effects = ("fs.read",)

    class Args(BaseArgs):
        path = arg(Path(), "The PDF file.", required=True)

    def look(self, args: Any, world: World) -> Any:
        return {"path": _chosen.one(args.path, world)}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("fs.read", seen["path"]),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.pdfs import pages

        number = bare = 0
        try:
            for page, lines in enumerate(pages(seen["path"]), start=1):
                bare += not any(line.strip() for line in lines)
                for line in lines:
                    number += 1
                    yield Line(line, number)
                handles.progress(page)
        except OSError as error:
            raise NotPossible(f"{seen['path']} cannot be read: {error.strerror or error}.", hint="Nothing was changed.") from error
        if bare:
            yield Note(f"{bare} of {page} pages of {seen['path']} have no text: they may be pictures of text, as a scanner makes them.")

    examples = (
        Example(
            say=("show the text of letter.pdf", "what does letter.pdf say", "read letter.pdf to me", "显示letter.pdf的文字"),
            plan='pdf.text("letter.pdf")',
            given={"letter.pdf": pdf("Dear reader,", "kind regards")},
            result=("Dear reader,", "kind regards"),
        ),
        Example(
            say=("text of fake.pdf", "print what fake.pdf says", "fake.pdf里写了什么"),
            plan='pdf.text("fake.pdf")',
            given={"fake.pdf": "%PDF-1.4 and then nothing that could be one"},
            refused="world.not-possible",
        ),
    )
