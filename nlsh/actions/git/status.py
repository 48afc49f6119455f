"""git.status: what has changed in a repository since its last commit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.git import _chosen
from nlsh.actions.git._scene import repository
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.plan.values import Path
from nlsh.world import World, git

_COMMITS = (("Start", {"a.txt": "a", "b.txt": "b"}),)


class Status(Action):
    """Show what has changed in a repository."""

    name = "git.status"
    effects = ("fs.read", "tool.read")

    class Args(BaseArgs):
        path = arg(Path(), "The repository, or a folder or file in it: only what changed there.", default=".")

    def look(self, args: Any, world: World) -> Any:
        return _chosen.look(args, world)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _chosen.needs(seen, (*git.STATUS, *git.Repository.from_data(seen).within))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        found = git.Repository.from_data(seen)
        for change in git.status(found):
            yield Note(change) if isinstance(change, str) else change
        yield from _chosen.unfiltered(found)

    examples = (
        Example(
            say=("what has changed in the repository code", "git status of code", "show uncommitted files in code", "code仓库有什么改动"),
            plan='git.status("code")',
            given=repository("code", *_COMMITS, now={"a.txt": "changed", "new.txt": "n"}),
            result=("code/a.txt", "code/new.txt"),
            may_lack=True,
        ),
        Example(
            say=("is everything in code committed", "is code clean", "code都提交了吗"),
            plan='git.status("code")',
            given=repository("code", *_COMMITS),
            result=(),
            may_lack=True,
        ),
        Example(
            say=("git status of notes", "what changed in the repository notes", "notes仓库的状态"),
            plan='git.status("notes")',
            given={"notes/a.txt": "a"},
            refused="world.not-found",
        ),
    )
