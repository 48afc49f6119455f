"""git.branches: the branches of a repository, and how far each is from the one it follows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.git import _chosen
from nlsh.actions.git._scene import repository
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Record
from nlsh.plan.values import Path
from nlsh.world import World, git


class Branches(Action):
    """List the branches."""

    name = "git.branches"
    effects = ("fs.read", "tool.read")

    class Args(BaseArgs):
        path = arg(Path(), "The repository.", default=".")

    def look(self, args: Any, world: World) -> Any:
        return _chosen.look(args, world)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _chosen.needs(seen, git.BRANCHES)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        yield from git.branches(git.Repository.from_data(seen))

    examples = (
        Example(
            say=("which branches does code have", "list the branches of code", "what branch is code on", "code有哪些分支"),
            plan='git.branches("code")',
            given=repository("code", ("Start", {"a.txt": "a"})),
            result=("main",),
            may_lack=True,
        ),
        Example(
            say=("branches of notes", "show the git branches in notes", "notes的分支"),
            plan='git.branches("notes")',
            given={"notes/a.txt": "a"},
            refused="world.not-found",
        ),
    )
