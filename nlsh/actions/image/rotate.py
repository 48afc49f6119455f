"""image.rotate: turned copies of pictures, beside them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from nlsh.actions.image import _chosen
from nlsh.actions.image._scene import png
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.steps import Step
from nlsh.plan.values import Choice, Paths
from nlsh.steps.pictures import RotatePicture
from nlsh.world import World


class Rotate(Action):
    """Turn pictures."""

    name = "image.rotate"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "The pictures. Each stays; its turned copy is made beside it: photo-rotated.jpg.", required=True)
        by = arg(Choice("right", "left", "half"), "A quarter to the right or left, or half way round.", default="right")

    def look(self, args: Any, world: World) -> Any:
        return list(_chosen.beside(args.paths, world, lambda stem, ending: f"{stem}-rotated{ending}", partial(RotatePicture, by=args.by)))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("rotate photo.png", "turn photo.png by 90 degrees", "rotate photo.png clockwise", "旋转photo.png"),
            plan='image.rotate("photo.png")',
            given={"photo.png": png(40, 30)},
            after={"photo-rotated.png": {}, "photo.png": png(40, 30)},
        ),
        Example(
            say=("turn scan.png to the left", "rotate scan.png counterclockwise", "把scan.png向左旋转"),
            plan='image.rotate("scan.png", by="left")',
            given={"scan.png": png(40, 30)},
            after={"scan-rotated.png": {}},
        ),
        Example(
            say=("turn scan.png upside down", "rotate scan.png by 180 degrees", "把scan.png旋转180度"),
            plan='image.rotate("scan.png", by="half")',
            given={"scan.png": png(40, 30)},
            after={"scan-rotated.png": {}},
        ),
        Example(
            say=("rotate album", "turn the album folder", "旋转album文件夹"),
            plan='image.rotate("album")',
            given={"album/a.png": png(4, 4)},
            refused="action.refused",
        ),
    )
