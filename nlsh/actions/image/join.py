"""image.join: several pictures on one: side by side, one below the other, or a sheet of small ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions import _looking
from nlsh.actions.image import _chosen
from nlsh.actions.image._scene import png
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotFound, NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import IMAGE_FORMATS
from nlsh.plan.values import Choice, Path, Paths
from nlsh.steps.content import fresh
from nlsh.steps.picture_edits import JoinPictures
from nlsh.world import World, places
from nlsh.world.files import real_place

_MOST = 400
_NOT = ("gif", "ico")


class Join(Action):
    """Put several pictures on one."""

    name = "image.join"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "The pictures, in order.", required=True)
        to = arg(Path(), "The new picture; its ending says the format, png where it has none. Left out: joined.png, beside the first.")
        by = arg(Choice("row", "column", "grid"), "Side by side, one below the other, or as a contact sheet.", default="row")

    def look(self, args: Any, world: World) -> Any:
        sources = _chosen.files(args.paths, world)
        if len(sources) < 2:
            raise Refused(f"{sources[0]} is the only picture: there is nothing to put beside it.", hint="Nothing was changed. Name two or more.")
        if len(sources) > _MOST:
            raise Refused(f"{len(sources)} pictures are too many for one.", hint=f"Nothing was changed. Take at most {_MOST}.")
        target = real_place(places.new(args.to, cwd=world.cwd, home=world.home)) if args.to else _looking.joined(sources[0], world, ".png")
        ending = os.path.splitext(target)[1].lower().lstrip(".")
        if not ending:
            target, ending = f"{target}.png", "png"
        if ending in _NOT or not any(ending == f or ending in others for f, others in IMAGE_FORMATS.items()):
            raise NotPossible(f"nlsh writes no such sheet as .{ending}.", hint="Nothing was changed. End its name with .png, .jpg, .webp or .pdf.")
        if not world.is_folder(os.path.dirname(target)):
            raise NotFound(f"There is no folder {os.path.dirname(target)}.", hint="Nothing was changed. Make it first with folder.create.")
        fields = [fresh(path, target, world) for path in sources]
        return JoinPictures(**fields[0], others=tuple((f["source"], f["identity"]) for f in fields[1:]), by=args.by)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("put left.png and right.png side by side as both.png", "join left.png and right.png into both.png", "把left.png和right.png左右拼成both.png"),
            plan='image.join(["left.png", "right.png"], to="both.png")',
            given={"left.png": png(40, 30), "right.png": png(10, 20)},
            after={"both.png": {}, "left.png": png(40, 30)},
        ),
        Example(
            say=("put left.png and right.png next to each other", "left.png and right.png side by side in one picture", "把left.png和right.png左右拼在一起"),
            plan='image.join(["left.png", "right.png"])',
            given={"left.png": png(40, 30), "right.png": png(10, 20)},
            after={"joined.png": {}},
        ),
        Example(
            say=("stack page1.png on top of page2.png as page.jpg", "把page1.png和page2.png上下拼成page.jpg"),
            plan='image.join(["page1.png", "page2.png"], to="page.jpg", by="column")',
            given={"page1.png": png(40, 30), "page2.png": png(10, 20)},
            after={"page.jpg": {}},
        ),
        Example(
            say=(
                "make a contact sheet sheet.png of the photos in trip",
                "an overview of all pictures in trip as sheet.png",
                "把trip里的照片做成缩略图总览sheet.png",
            ),
            plan='a = file.find(under="trip", kind="photos", sort="name"); image.join(a, to="sheet.png", by="grid")',
            given={"trip/a.png": png(40, 20), "trip/b.png": png(20, 40), "trip/c.png": png(5, 5)},
            after={"sheet.png": {}},
        ),
        Example(
            say=("put left.png and right.png side by side once more as both.png", "再把left.png和right.png拼成both.png"),
            plan='image.join(["left.png", "right.png"], to="both.png")',
            given={"left.png": png(4, 4), "right.png": png(4, 4), "both.png": "an older one"},
            refused="action.refused",
        ),
        Example(
            say=("join alone.png into both.png", "只用alone.png拼成both.png"),
            plan='image.join("alone.png", to="both.png")',
            given={"alone.png": png(4, 4)},
            refused="action.refused",
        ),
    )
