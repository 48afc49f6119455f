"""image.crop: a part of each picture, beside it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from nlsh.actions.image import _chosen
from nlsh.actions.image._scene import png
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import BadArgument
from nlsh.plan.steps import Step
from nlsh.plan.terms import Pixels
from nlsh.plan.values import Choice, Paths
from nlsh.steps.picture_edits import PARTS, SHAPES, CropPicture
from nlsh.world import World


class Crop(Action):
    """Crop pictures to a part of them."""

    name = "image.crop"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "The pictures. Each stays; the part is made beside it: photo-cropped.jpg.", required=True)
        width = arg(Pixels(), "How wide the part is; left out: as the picture.")
        height = arg(Pixels(), "How high the part is; left out: as the picture.")
        shape = arg(Choice(*SHAPES), "As much as has this shape.")
        edges = arg(Pixels(), "Cut so much off on every side.")
        part = arg(Choice(*PARTS), "Which part of the picture.", default="middle")
        need_one_of = ("width", "height", "shape", "edges")

    def look(self, args: Any, world: World) -> Any:
        said = [name for name, value in (("a size", args.width or args.height), ("a shape", args.shape), ("edges", args.edges)) if value]
        if len(said) > 1:
            raise BadArgument(f"image.crop takes {' or '.join(said)}, not both.", hint='For example shape="square".')
        fields = {"width": args.width or 0, "height": args.height or 0, "shape": args.shape or "", "edges": args.edges or 0, "part": args.part}
        return list(_chosen.beside(args.paths, world, lambda stem, ending: f"{stem}-cropped{ending}", partial(CropPicture, **fields)))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("crop photo.png to a square", "make a square picture out of photo.png", "cut photo.png square", "把photo.png裁成正方形"),
            plan='image.crop("photo.png", shape="square")',
            given={"photo.png": png(40, 30)},
            after={"photo-cropped.png": {}, "photo.png": png(40, 30)},
        ),
        Example(
            say=("cut 5 pixels off each side of scan.png", "trim the edges of scan.png by 5 pixels", "把scan.png四边各裁掉5像素"),
            plan='image.crop("scan.png", edges="5 pixels")',
            given={"scan.png": png(40, 30)},
            after={"scan-cropped.png": {}},
        ),
        Example(
            say=("crop the top left 10 by 20 pixels of photo.png", "裁出photo.png左上角宽10高20像素"),
            plan='image.crop("photo.png", width="10", height="20", part="top left")',
            given={"photo.png": png(40, 30)},
            after={"photo-cropped.png": {}},
        ),
        Example(
            say=("crop all pictures in trip to 16:9", "make the photos in trip 16:9 by cutting", "把trip里的照片都裁成16:9"),
            plan='a = file.find(under="trip", kind="photos"); image.crop(a, shape="16:9")',
            given={"trip/a.png": png(40, 40), "trip/b.png": png(20, 40)},
            after={"trip/a-cropped.png": {}, "trip/b-cropped.png": {}},
        ),
        Example(
            say=("crop photo.png to a square once more", "再把photo.png裁成正方形"),
            plan='image.crop("photo.png", shape="square")',
            given={"photo.png": png(40, 30), "photo-cropped.png": "an older one"},
            refused="action.refused",
        ),
    )
