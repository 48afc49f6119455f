"""file.attributes: extended attributes, access lists and flags of files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.errors import NotFound, NotPossible
from nlsh.plan.records import Note, Record
from nlsh.plan.records.files import FileAttribute
from nlsh.plan.values import Paths
from nlsh.world import World
from nlsh.world.files import real_place


class Attributes(Action):
    """Show extended attributes, access lists and flags of files."""

    name = "file.attributes"
    effects = ("fs.read",)

    class Args(BaseArgs):
        paths = arg(Paths(), "The files or folders.", required=True)

    def look(self, args: Any, world: World) -> Any:
        return {"paths": list(dict.fromkeys(real_place(p) for p in world.matches(args.paths)))}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        # What a link leads to is not looked at.
        return tuple(Effect("fs.read", os.path.dirname(p) if os.path.islink(p) else p) for p in seen["paths"])

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        from nlsh.world.attributes import attributes

        for path in seen["paths"]:
            nothing = True
            try:
                for kind, name, value in attributes(path):
                    nothing = False
                    yield FileAttribute(path, kind, name, value)
            except FileNotFoundError as error:
                raise NotFound(f"There is no {path} any more.", hint="Nothing was changed.") from error
            except OSError as error:
                raise NotPossible(f"{path} cannot be looked at: {error.strerror}.", hint="Nothing was changed.") from error
            if nothing:
                yield Note(f"{path} has no extended attributes, access lists or flags.")

    examples = (
        Example(
            say=("extended attributes of report.pdf", "show the xattrs and flags of report.pdf", "does report.pdf have an acl?", "report.pdf的扩展属性"),
            plan='file.attributes("report.pdf")',
            given={"report.pdf": {"text": "r", "xattr": {"user.comment": "final"}}},
            result=("report.pdf", ...),
        ),
        Example(
            say=("attributes of draft.odt", "which flags does draft.odt have", "draft.odt的属性标志"),
            plan='file.attributes("draft.odt")',
            given={"other": "o"},
            refused="world.not-found",
        ),
    )
