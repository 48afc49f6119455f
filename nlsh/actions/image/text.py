"""image.text: the text in pictures and scans (OCR)."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from nlsh.actions.image import _chosen
from nlsh.actions.image._scene import HELLO
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Line, Note, Record
from nlsh.plan.terms import OCR_LANGUAGES, Among
from nlsh.plan.values import Paths
from nlsh.steps import handles
from nlsh.world import World, ocr


class Text(Action):
    """Read the text in pictures."""

    name = "image.text"
    effects = ("fs.read", "tool.read")

    class Args(BaseArgs):
        paths = arg(Paths(), "The pictures: photos of text, scans, screenshots.", required=True)
        language = arg(Among(OCR_LANGUAGES), "The language of the text; left out: English and Chinese, as far as tesseract has them here.")

    def look(self, args: Any, world: World) -> Any:
        paths, tesseract = _chosen.files(args.paths, world), ocr.program()
        return {"paths": paths, "tesseract": tesseract, "languages": ocr.languages(tesseract, args.language)}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        commands = (Effect("tool.read", shlex.join(ocr.reading(seen["tesseract"], p, seen["languages"]))) for p in seen["paths"])
        return (*commands, *(Effect("fs.read", p) for p in seen["paths"]))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        several = len(seen["paths"]) > 1
        for done, path in enumerate(seen["paths"], start=1):
            number = 0
            for number, line in enumerate(ocr.lines(seen["tesseract"], path, seen["languages"]), start=1):
                yield Line(line, number, path if several else "")
            if not number:
                yield Note(f"tesseract found no text in {path}.")
            handles.progress(done, len(seen["paths"]))

    examples = (
        Example(
            say=("what text is in the picture note.png", "read the text in the scan note.png", "ocr note.png", "识别note.png里的文字"),
            plan='image.text("note.png")',
            given={"note.png": HELLO},
            result=("Hello paper 42",),
            may_lack=True,
        ),
        Example(
            say=("get the english text out of the photo note.png", "recognise the english words in note.png", "识别图片note.png里的英文"),
            plan='image.text("note.png", language="english")',
            given={"note.png": HELLO},
            result=("Hello paper 42",),
            may_lack=True,
        ),
        Example(
            say=("read what is written on all pictures in scans", "ocr every picture in scans", "把scans里的图片都识别成文字"),
            plan='a = file.find(under="scans", kind="pictures"); image.text(a)',
            given={"scans/1.png": HELLO},
            result=("Hello paper 42",),
            may_lack=True,
        ),
        Example(
            say=("what is written on nowhere.jpg", "nowhere.jpg上写着什么"),
            plan='image.text("nowhere.jpg")',
            refused="world.not-found",
        ),
        Example(
            say=("recognise the text in the folder album", "识别album文件夹里的文字"),
            plan='image.text("album")',
            given={"album/a.png": HELLO},
            refused="action.refused",
        ),
    )
