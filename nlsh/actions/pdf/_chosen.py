"""Which PDF files are meant, and where a new one goes."""

from __future__ import annotations

import os

from nlsh.actions import _looking
from nlsh.plan.errors import NotFound, Refused
from nlsh.world import World, places
from nlsh.world.files import real_place

PATTERN = "*.pdf"


def files(written: tuple[str, ...], world: World) -> list[str]:
    """Return the files that are meant. Raises NotFound, and Refused for folders."""
    return _looking.files(written, world, PATTERN)


def one(written: str, world: World) -> str:
    """Return the one file that is meant. Raises NotFound and Refused."""
    found = files((written,), world)
    if len(found) != 1:
        raise Refused(f"“{written}” means {len(found)} files; say which one.", hint="Nothing was changed.")
    return found[0]


def new_pdf(written: str, world: World, name: str) -> str:
    """Return the path of the PDF file that is to be made: `name` in it where `written` is a folder. Raises NotFound for a folder that is not there."""
    place = world.resolve(written, must_exist=False)
    if written.endswith("/") or world.is_folder(place):
        path = os.path.join(os.path.realpath(place), name)
    else:
        path = real_place(places.new(written, cwd=world.cwd, home=world.home))
        if not path.lower().endswith(".pdf"):
            path += ".pdf"
    if not world.is_folder(os.path.dirname(path)):
        raise NotFound(f"There is no folder {os.path.dirname(path)}.", hint="Nothing was changed. Make it first with folder.create.")
    return path
