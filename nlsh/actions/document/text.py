"""document.text: the text of a document of a word processor, spreadsheet or presentation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions import _looking
from nlsh.actions.document._scene import docx, xlsx
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.records import Line, Note, Record
from nlsh.plan.values import Path
from nlsh.world import World


class Text(Action):
    """Show the text of a Word, Excel, PowerPoint or OpenDocument file."""

    name = "document.text"
    effects = ("fs.read",)

    class Args(BaseArgs):
        path = arg(Path(), "The document: docx, xlsx, pptx, odt, ods or odp.", required=True)

    def look(self, args: Any, world: World) -> Any:
        from nlsh.world.documents import ENDINGS, UNCHANGED

        found = _looking.files((args.path,), world, "*.docx")
        if len(found) != 1:
            raise Refused(f"“{args.path}” means {len(found)} files; say which one.", hint=UNCHANGED)
        ending = os.path.splitext(found[0])[1].lower().lstrip(".")
        if ending == "pdf":
            raise NotPossible(f"{found[0]} is a PDF file.", hint=f"{UNCHANGED} pdf.text shows its text.")
        if ending not in ENDINGS:
            raise NotPossible(f"{found[0]} is no document whose text can be read here.", hint=f"{UNCHANGED} Read are: {', '.join(ENDINGS)}.")
        return {"path": found[0]}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return (Effect("fs.read", seen["path"]),)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.documents import lines

        number = 0
        try:
            for number, line in enumerate(lines(seen["path"]), start=1):
                yield Line(line, number)
        except OSError as error:
            raise NotPossible(f"{seen['path']} cannot be read: {error.strerror or error}.", hint="Nothing was changed.") from error
        if not number:
            yield Note(f"There is no text in {seen['path']}.")

    examples = (
        Example(
            say=("what does letter.docx say", "show the text of the word document letter.docx", "read letter.docx to me", "letter.docx里写了什么"),
            plan='document.text("letter.docx")',
            given={"letter.docx": docx("Dear reader,", "kind regards")},
            result=("Dear reader,", "kind regards"),
        ),
        Example(
            say=("show what is in the spreadsheet prices.xlsx", "print the cells of prices.xlsx", "显示表格prices.xlsx的内容"),
            plan='document.text("prices.xlsx")',
            given={"prices.xlsx": xlsx(("tea", "1.50"), ("milk", "0.70"))},
            result=("tea\t1.50", "milk\t0.70"),
        ),
        Example(
            say=("extract the text of minutes.docx", "提取minutes.docx的文字"),
            plan='document.text("minutes.docx")',
            given={"minutes.docx": docx("会议记录")},
            result=("会议记录",),
        ),
        Example(
            say=("what does fake.docx say", "fake.docx写了什么"),
            plan='document.text("fake.docx")',
            given={"fake.docx": "this is text"},
            refused="world.not-possible",
        ),
        Example(
            say=("show the text of gone.odt", "显示gone.odt的文字"),
            plan='document.text("gone.odt")',
            refused="world.not-found",
        ),
    )
