"""image.info: size, format, camera and place of pictures."""

from __future__ import annotations

from nlsh.actions._looking import LooksInto
from nlsh.actions.image import _chosen
from nlsh.actions.image._scene import png
from nlsh.plan.action import BaseArgs, Example, arg
from nlsh.plan.records import Record
from nlsh.plan.values import Paths


class Info(LooksInto):
    """Show the size, format, camera and place of pictures."""

    name = "image.info"
    pattern = _chosen.PATTERN

    class Args(BaseArgs):
        paths = arg(Paths(), "The pictures.", required=True)

    def _record(self, path: str) -> Record:
        from nlsh.world.pictures import look

        return look(path)

    examples = (
        Example(
            say=("how big is photo.png", "what is the resolution of photo.png", "show details of the picture photo.png", "photo.png的尺寸是多少"),
            plan='image.info("photo.png")',
            given={"photo.png": png(40, 30)},
            result=("photo.png",),
        ),
        Example(
            say=("dimensions of all pngs here", "how large are the *.png pictures", "这里所有png图片的大小"),
            plan='image.info("*.png")',
            given={"a.png": png(8, 8), "b.png": png(9, 9), "c.txt": "c"},
            result=("a.png", "b.png"),
        ),
        Example(
            say=("show info about notes.png", "what picture is notes.png", "查看notes.png的图片信息"),
            plan='image.info("notes.png")',
            given={"notes.png": "this is text"},
            refused="world.not-possible",
        ),
    )
