"""image.convert: copies of pictures in another format, beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from nlsh.actions.image import _chosen
from nlsh.actions.image._scene import png
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import IMAGE_FORMATS, Among
from nlsh.plan.values import Paths
from nlsh.steps.pictures import ConvertPicture
from nlsh.world import World


class Convert(Action):
    """Convert pictures to another format."""

    name = "image.convert"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "The pictures. Each stays; the new one is made beside it: photo.png.", required=True)
        to = arg(Among(IMAGE_FORMATS), "The new format.", required=True)

    def look(self, args: Any, world: World) -> Any:
        for path in _chosen.files(args.paths, world):
            if os.path.splitext(path)[1].lower().lstrip(".") in (args.to, *IMAGE_FORMATS[args.to]):
                raise Refused(f"{path} is {args.to} already.", hint="Nothing was changed. Leave it out.")
        return list(_chosen.beside(args.paths, world, lambda stem, ending: f"{stem}.{args.to}", partial(ConvertPicture, to=args.to)))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("convert photo.png to jpg", "save photo.png as a jpeg", "turn photo.png into a jpg", "把photo.png转成jpg"),
            plan='image.convert("photo.png", to="jpg")',
            given={"photo.png": png(40, 30)},
            after={"photo.jpg": {}, "photo.png": png(40, 30)},
        ),
        Example(
            say=("convert all pngs in shots to webp", "make webp files of the pictures in shots", "把shots里的图片都转成webp"),
            plan='a = file.find(under="shots", kind="pngs"); image.convert(a, to="webp")',
            given={"shots/a.png": png(8, 8), "shots/b.png": png(9, 9)},
            after={"shots/a.webp": {}, "shots/b.webp": {}},
        ),
        Example(
            say=("make a pdf of scan.png", "scan.png as pdf please", "把scan.png转换为pdf"),
            plan='image.convert("scan.png", to="pdf")',
            given={"scan.png": png(40, 30)},
            after={"scan.pdf": {}},
        ),
        Example(
            say=("convert logo.png to gif", "turn logo.png into a gif", "把logo.png转成gif"),
            plan='image.convert("logo.png", to="gif")',
            given={"logo.png": png(8, 8), "logo.gif": "an older one"},
            refused="action.refused",
        ),
    )
