"""git.branches: the branches of a repository, how far each is from the one it follows, and those that only its remotes have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.git import _chosen
from nlsh.actions.git._scene import repository
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.plan.values import Path
from nlsh.world import World, git, git_changes


class Branches(Action):
    """List the branches, those of remotes that are not here yet as well."""

    name = "git.branches"
    effects = ("fs.read", "tool.read")

    class Args(BaseArgs):
        path = arg(Path(), "The repository.", default=".")

    def look(self, args: Any, world: World) -> Any:
        return _chosen.look(args, world)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _chosen.needs(seen, git.BRANCHES, git.REMOTE_BRANCHES)

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        found = git.Repository.from_data(seen)
        here = list(git.branches(found))
        yield from here
        there = list(git.remote_branches(found, here))
        yield from there
        if there:
            names = git_changes.listed([b.name for b in there])
            yield Note(f"Not here yet, only on a remote as it was when last fetched: {names}. git.switch makes such a branch here.")

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
