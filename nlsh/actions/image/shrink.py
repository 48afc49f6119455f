"""image.shrink: copies of pictures that fit into a size, beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from nlsh.actions.image import _chosen
from nlsh.actions.image._scene import noise, png
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Bytes
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Paths
from nlsh.steps.picture_edits import ShrinkPicture
from nlsh.world import World


class Shrink(Action):
    """Make copies of pictures that take less space."""

    name = "image.shrink"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "The pictures. Each stays; the smaller file is made beside it: photo-small.jpg.", required=True)
        to = arg(Bytes(), "At most so much: 500KB. Quality goes first, then pixels.", required=True)

    def look(self, args: Any, world: World) -> Any:
        small = next((p for p in _chosen.files(args.paths, world) if os.path.getsize(p) <= args.to), "")
        if small:
            raise Refused(f"{small} is not larger than that: it has {os.path.getsize(small):,} bytes.", hint="Nothing was changed. Leave it out.")
        return list(_chosen.beside(args.paths, world, lambda stem, ending: f"{stem}-small{ending}", partial(ShrinkPicture, size=args.to)))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("make photo.png smaller than 10KB", "compress the picture photo.png to 10KB", "squeeze photo.png under 10KB", "把图片photo.png压到10KB以内"),
            plan='image.shrink("photo.png", to="10KB")',
            given={"photo.png": noise(100, 60)},
            after={"photo-small.png": {}, "photo.png": noise(100, 60)},
        ),
        Example(
            say=("the photos in trip are too big to mail, get each below 8KB", "把trip里的照片都压缩到8KB以下，好发邮件"),
            plan='a = file.find(under="trip", kind="photos"); image.shrink(a, to="8KB")',
            given={"trip/a.png": noise(80, 60), "trip/b.png": noise(90, 60)},
            after={"trip/a-small.png": {}, "trip/b-small.png": {}},
        ),
        Example(
            say=("reduce the file size of logo.png to 2MB", "把logo.png的文件大小减到2MB"),
            plan='image.shrink("logo.png", to="2MB")',
            given={"logo.png": png(8, 8)},
            refused="action.refused",
        ),
        Example(
            say=("get the picture dense.png below 1KB again", "再把图片dense.png压到1KB"),
            plan='image.shrink("dense.png", to="1KB")',
            given={"dense.png": noise(30, 30), "dense-small.png": "an older one"},
            refused="action.refused",
        ),
        Example(
            say=("compress nowhere.jpg to 100KB", "把nowhere.jpg压缩到100KB"),
            plan='image.shrink("nowhere.jpg", to="100KB")',
            refused="world.not-found",
        ),
    )
