"""document.convert: a document in another format, beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from nlsh.actions.document._scene import docx, xlsx
from nlsh.actions.image import _chosen
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import DOCUMENT_FORMATS, Among
from nlsh.plan.values import Paths
from nlsh.steps.documents import ConvertDocument
from nlsh.world import World, tools

_UNCHANGED = "Nothing was changed."
# LIMIT: texts only: in LibreOffice 7.4 the engine, unlike the program, opens no tables; document.text and text.convert have those.
_TAKEN = ("docx", "docm", "doc", "odt", "rtf", "txt", "html", "htm")


class Convert(Action):
    """Convert text documents between Word, OpenDocument, RTF and PDF."""

    name = "document.convert"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        paths = arg(Paths(), "The documents. Each stays; the new one is made beside it: letter.pdf.", required=True)
        to = arg(Among(DOCUMENT_FORMATS), "The new format: pdf, docx, odt, …", required=True)

    def look(self, args: Any, world: World) -> Any:
        for path in _chosen.files(args.paths, world):
            ending = os.path.splitext(path)[1].lower().lstrip(".")
            if ending == args.to:
                raise Refused(f"{path} is {args.to} already.", hint=f"{_UNCHANGED} Leave it out.")
            if ending not in _TAKEN:
                raise NotPossible(f"{path} is no text document that can be converted.", hint=f"{_UNCHANGED} Taken are: {', '.join(_TAKEN)}.")
            if os.path.dirname(path) in (os.path.realpath(world.home), "/"):
                raise Refused(
                    f"{path} lies in {os.path.dirname(path)} itself: LibreOffice would have to be let into all of it.",
                    hint=f"{_UNCHANGED} Move it into a folder of its own, and convert it there.",
                )
        office = _engine()
        return list(_chosen.beside(args.paths, world, lambda stem, ending: f"{stem}.{args.to}", partial(ConvertDocument, to=args.to, office=office)))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("convert papers/letter.docx to pdf", "make a pdf of the word document papers/letter.docx", "把papers/letter.docx转成pdf"),
            plan='document.convert("papers/letter.docx", to="pdf")',
            given={"papers/letter.docx": docx("Dear reader,")},
            after={"papers/letter.pdf": {}, "papers/letter.docx": docx("Dear reader,")},
            may_lack=True,
        ),
        Example(
            say=("turn letter.docx, right here in my home folder, into odt", "把主目录里的letter.docx转成odt"),
            plan='document.convert("letter.docx", to="odt")',
            given={"letter.docx": docx("Dear reader,")},
            refused="action.refused",
        ),
        Example(
            say=("convert papers/letter.docx to docx", "把papers/letter.docx转成docx"),
            plan='document.convert("papers/letter.docx", to="docx")',
            given={"papers/letter.docx": docx("Dear reader,")},
            refused="action.refused",
        ),
        Example(
            say=("make a word document of papers/prices.xlsx", "把papers/prices.xlsx变成word文档"),
            plan='document.convert("papers/prices.xlsx", to="word")',
            given={"papers/prices.xlsx": xlsx(("tea", "1.50"))},
            refused="world.not-possible",
        ),
        Example(
            say=("i need papers/gone.odt as a pdf", "我要papers/gone.odt的pdf版"),
            plan='document.convert("papers/gone.odt", to="pdf")',
            refused="world.not-found",
        ),
    )


def _engine() -> str:
    """Return the path of the library that is LibreOffice's engine. Raises NotPossible where it is not installed."""
    program = os.path.realpath(tools.present("soffice") or tools.find("libreoffice", why="convert documents"))
    for name in ("libmergedlo.so", "libsofficeapp.so"):
        library = os.path.join(os.path.dirname(program), name)
        if os.path.exists(library):
            return library
    raise NotPossible(
        f"Not available here, because the engine of LibreOffice (LibreOfficeKit) is not beside {program}.",
        hint=f"{_UNCHANGED} A LibreOffice of the distribution's own has it; one in a container of its own (snap, flatpak) cannot be used.",
    )
