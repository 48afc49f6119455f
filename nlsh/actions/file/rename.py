"""file.rename: a new name in the same folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.actions.file._renaming import names_in, ordered
from nlsh.plan.action import ABSENT, Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Name, Path
from nlsh.steps.files import MovePath
from nlsh.world import World
from nlsh.world.files import identify


class Rename(Action):
    """Give a file or folder a new name where it is."""

    name = "file.rename"
    effects = ("fs.read", "fs.write", "fs.delete")

    class Args(BaseArgs):
        path = arg(Path(), "What to rename.", required=True)
        to = arg(Name(), "Its new name, without a folder.", required=True)

    def look(self, args: Any, world: World) -> Any:
        new = args.to.strip()
        if "/" in new or "\0" in new or new in (".", "..", ""):
            raise Refused(f"“{args.to}” is not a bare name.", hint="Nothing was changed. To put it elsewhere, use file.move.")
        sources = _chosen.chosen((args.path,), world, "rename")
        if len(sources) != 1:
            raise Refused(f"“{args.path}” means {len(sources)} things; one can have that name.", hint="Nothing was changed. Name one.")
        target = os.path.join(os.path.dirname(sources[0]), new)
        if target == sources[0]:
            raise Refused(f"{sources[0]} has that name already.", hint="Nothing was changed.")
        known, link = identify(sources[0]), os.path.islink(sources[0])
        return tuple(MovePath(old, new, known, link=link) for old, new in ordered({sources[0]: target}, names_in(world)))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=(
                "rename draft.txt to final.txt",
                "call draft.txt final.txt instead",
                "change the name of draft.txt to final.txt",
                "把draft.txt改名为final.txt",
            ),
            plan='file.rename("draft.txt", to="final.txt")',
            given={"draft.txt": "text"},
            after={"draft.txt": ABSENT, "final.txt": "text"},
        ),
        Example(
            say=("rename the folder photos to pictures 2023", "the photos folder should be called pictures 2023", "把photos文件夹重命名为pictures 2023"),
            plan='file.rename("photos", to="pictures 2023")',
            given={"photos/a.jpg": "a"},
            after={"photos": ABSENT, "pictures 2023/a.jpg": "a"},
        ),
        Example(
            say=("rename a.txt to b.txt", "give a.txt the name b.txt", "把a.txt重命名成b.txt"),
            plan='file.rename("a.txt", to="b.txt")',
            given={"a.txt": "a", "b.txt": "b"},
            refused="action.refused",
        ),
    )
