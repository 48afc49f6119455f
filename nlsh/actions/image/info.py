"""image.info: size, format, camera and place of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.image import _chosen
from nlsh.actions.image._scene import png
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotPossible
from nlsh.plan.records import Record
from nlsh.plan.values import Paths
from nlsh.steps import handles
from nlsh.world import World


class Info(Action):
    """Show the size, format, camera and place of pictures."""

    name = "image.info"
    effects = ("fs.read",)

    class Args(BaseArgs):
        paths = arg(Paths(), "The pictures.", required=True)

    def look(self, args: Any, world: World) -> Any:
        return {"paths": _chosen.files(args.paths, world)}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return tuple(Effect("fs.read", p) for p in seen["paths"])

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.pictures import look

        for number, path in enumerate(seen["paths"], start=1):
            try:
                yield look(path)
            except OSError as error:
                raise NotPossible(f"{path} cannot be read: {error.strerror}.", hint="Nothing was changed.") from error
            handles.progress(number, len(seen["paths"]))

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
