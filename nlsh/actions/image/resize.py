"""image.resize: copies of pictures in another size, beside them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from nlsh.actions.image import _chosen
from nlsh.actions.image._scene import png
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Percent
from nlsh.plan.errors import BadArgument
from nlsh.plan.steps import Step
from nlsh.plan.terms import Pixels
from nlsh.plan.values import Paths
from nlsh.steps.pictures import ResizePicture
from nlsh.world import World


class Resize(Action):
    """Make smaller or larger copies of pictures."""

    name = "image.resize"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "The pictures. Each stays; its copy is made beside it: photo-800.jpg.", required=True)
        width = arg(Pixels(), "The new width in pixels; the height follows.")
        height = arg(Pixels(), "The new height in pixels; the width follows.")
        scale = arg(Percent(), "The new size, as a share of the old one.")
        need_one_of = ("width", "height", "scale")

    def look(self, args: Any, world: World) -> Any:
        if args.scale and (args.width or args.height):
            raise BadArgument("image.resize takes a scale or a size in pixels, not both.", hint='For example width="800".')
        width, height = args.width or 0, args.height or 0
        pixels = f"{width or ''}{f'x{height}' if height else ''}"
        mark = f"{args.scale:.4g}pct" if args.scale else pixels
        make = partial(ResizePicture, width=width, height=height, scale=args.scale or 0.0)
        return list(_chosen.beside(args.paths, world, lambda stem, ending: f"{stem}-{mark}{ending}", make))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("make photo.png 20 pixels wide", "resize photo.png to a width of 20", "scale photo.png down to 20px wide", "把photo.png缩小到20像素宽"),
            plan='image.resize("photo.png", width="20")',
            given={"photo.png": png(40, 30)},
            after={"photo-20.png": {}, "photo.png": png(40, 30)},
        ),
        Example(
            say=("shrink photo.png to half its size", "make photo.png half as big", "把photo.png缩小一半"),
            plan='image.resize("photo.png", scale="half")',
            given={"photo.png": png(40, 30)},
            after={"photo-50pct.png": {}},
        ),
        Example(
            say=("resize all pictures in trip to 10 pixels high", "make every photo in trip 10px high", "把trip里的图片都改成10像素高"),
            plan='a = file.find(under="trip", kind="photos"); image.resize(a, height="10")',
            given={"trip/a.png": png(40, 20), "trip/b.png": png(20, 40)},
            after={"trip/a-x10.png": {}, "trip/b-x10.png": {}},
        ),
        Example(
            say=("make photo.png 20px wide again", "resize photo.png to 20 wide once more", "再把photo.png改成20像素宽"),
            plan='image.resize("photo.png", width="20")',
            given={"photo.png": png(40, 30), "photo-20.png": "an older one"},
            refused="action.refused",
        ),
    )
