"""image.strip: copies of pictures without camera, place and other metadata, beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.image import _chosen
from nlsh.actions.image._scene import png
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.steps import Step
from nlsh.plan.values import Paths
from nlsh.steps.pictures import StripPicture
from nlsh.world import World


class Strip(Action):
    """Remove camera, place and other metadata from pictures."""

    name = "image.strip"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "The pictures. Each stays; its copy without metadata is made beside it: photo-stripped.jpg.", required=True)

    def look(self, args: Any, world: World) -> Any:
        return list(_chosen.beside(args.paths, world, lambda stem, ending: f"{stem}-stripped{ending}", StripPicture))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("remove the metadata from photo.png", "strip photo.png", "take the gps data out of photo.png", "去掉photo.png的元数据"),
            plan='image.strip("photo.png")',
            given={"photo.png": png(40, 30, comment="at home")},
            after={"photo-stripped.png": png(40, 30), "photo.png": png(40, 30, comment="at home")},
        ),
        Example(
            say=("strip the location from every picture in trip", "remove exif from all photos in trip", "去掉trip里所有照片的位置信息"),
            plan='a = file.find(under="trip", kind="photos"); image.strip(a)',
            given={"trip/a.png": png(4, 4, comment="x"), "trip/b.png": png(5, 5)},
            after={"trip/a-stripped.png": png(4, 4), "trip/b-stripped.png": png(5, 5)},
        ),
        Example(
            say=("strip metadata from photo.png once more", "remove exif from photo.png again", "再次去掉photo.png的元数据"),
            plan='image.strip("photo.png")',
            given={"photo.png": png(4, 4), "photo-stripped.png": "an older one"},
            refused="action.refused",
        ),
    )
