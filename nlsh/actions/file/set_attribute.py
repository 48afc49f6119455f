"""file.set_attribute: flags of the file system, such as "cannot be changed"."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Choice, Flag, Paths
from nlsh.steps.marks import SetFlag
from nlsh.world import World, privilege
from nlsh.world.files import identity
from nlsh.world.flags import FLAGS, flags_of


class SetAttribute(Action):
    """Set or clear a flag of the file system on files."""

    name = "file.set_attribute"
    effects = ("fs.read", "fs.meta", "priv.root")

    class Args(BaseArgs):
        paths = arg(Paths(), "The files or folders.", required=True)
        attribute = arg(Choice(*FLAGS), "Which flag: cannot be changed at all, can only grow, or is left out by dump.", required=True)
        off = arg(Flag(), "Clear it.", default=False)

    def look(self, args: Any, world: World) -> Any:
        found = []
        for path, status in _chosen.themselves(args.paths, world, "change the flags of"):
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                raise Refused(f"{path} is neither a file nor a folder: it has no flags.", hint="Nothing was changed. Name what it leads to.")
            try:
                has = bool(flags_of(path) & FLAGS[args.attribute])
            except OSError as error:
                raise NotPossible(
                    f"The flags of {path} cannot be read: {error.strerror}.", hint="Nothing was changed. Not every file system has them."
                ) from error
            if has is not args.off:
                continue
            if not privilege.can_be_root():
                raise NotPossible(
                    f"To make {path} {args.attribute}, or not, needs root rights: nlsh lets nobody else change flags of a file system.",
                    hint="Nothing was changed. Run nlsh with sudo and ask again.",
                )
            found.append(SetFlag(path, args.attribute, not args.off, identity(status)))
        return tuple(found)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("make notes.txt immutable", "nobody may change notes.txt any more, not even root", "chattr +i notes.txt", "把notes.txt设为不可更改"),
            plan='file.set_attribute("notes.txt", attribute="immutable")',
            given={"notes.txt": "n"},
            after={"notes.txt": "n"},
            may_lack=True,
        ),
        Example(
            say=("make app.log append-only", "app.log may only grow", "chattr +a app.log", "让app.log只能追加"),
            plan='file.set_attribute("app.log", attribute="append-only")',
            given={"app.log": "a"},
            after={"app.log": "a"},
            may_lack=True,
        ),
        Example(
            say=("notes.txt is not to be immutable any more", "chattr -i notes.txt", "取消notes.txt的不可更改属性"),
            plan='file.set_attribute("notes.txt", attribute="immutable", off=true)',
            given={"notes.txt": "n"},
            after={"notes.txt": "n"},
            may_lack=True,
        ),
        Example(
            say=("make my home folder immutable", "把我的主目录设为不可更改"),
            plan='file.set_attribute("~", attribute="immutable")',
            given={"a": "a"},
            refused="action.refused",
        ),
    )
