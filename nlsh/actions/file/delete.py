"""file.delete: gone for good."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import ABSENT, Action, BaseArgs, Example, Never, arg
from nlsh.plan.steps import Step
from nlsh.plan.values import Paths
from nlsh.steps.files import DeletePath
from nlsh.world import World
from nlsh.world.files import identify, walk


class Delete(Action):
    """Delete files and folders for good, past the trash."""

    name = "file.delete"
    effects = ("fs.read", "fs.delete")
    undo = Never("what is deleted for good is not kept anywhere; file.trash keeps it")

    class Args(BaseArgs):
        paths = arg(Paths(), "What to delete.", required=True)

    def look(self, args: Any, world: World) -> Any:
        found = []
        for path in _chosen.chosen(args.paths, world, "delete"):
            entries = sum(1 for _ in walk(path)) if _chosen.is_folder(path) else 0
            found.append(DeletePath(path, identify(path), entries))
        return tuple(found)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("permanently delete secret.key", "delete secret.key for good, not to the trash", "irreversibly remove secret.key", "彻底删除secret.key"),
            plan='file.delete("secret.key")',
            given={"secret.key": "k", "other.key": "o"},
            after={"secret.key": ABSENT, "other.key": "o", ".local/share/Trash/files/secret.key": ABSENT},
        ),
        Example(
            say=("permanently delete the build folder", "wipe build for good, skip the trash", "永久删除build文件夹"),
            plan='file.delete("build")',
            given={"build/a.o": "a", "build/sub/b.o": "b", "build/out": {"link": "../src"}, "src/a.c": "a"},
            after={"build": ABSENT, "src/a.c": "a"},
        ),
        Example(
            say=("permanently delete everything on this computer", "erase / for good", "彻底删除根目录"),
            plan='file.delete("/")',
            given={"a": "a"},
            refused="action.refused",
        ),
    )
