"""git.stash: put changes that are not committed away, to be brought back later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.git._scene import repository
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Path, Text
from nlsh.steps.git_stash import StashChanges
from nlsh.world import World, git, git_changes

_START = (("Start", {"a.txt": "a", "b.txt": "b"}),)


class Stash(Action):
    """Put uncommitted changes away for later."""

    name = "git.stash"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        path = arg(Path(), "The repository.", default=".")
        message = arg(Text(), "A word on what it is.")

    def look(self, args: Any, world: World) -> Any:
        found = git.find(world.resolve(args.path))
        git_changes.fit(found)
        if not found.head():
            raise Refused(f"There is no commit in {found.top} yet.", hint=f"{git.UNCHANGED} Make one first with git.commit.")
        names = tuple(git_changes.changed(found))
        if not names:
            raise Refused(f"Nothing in {found.top} has changed: there is nothing to put away.", hint=git.UNCHANGED)
        if nested := next((n for n in names if n.endswith("/")), ""):
            raise Refused(f"{nested} is a repository of its own.", hint=f"{git.UNCHANGED} Move it elsewhere first.")
        git_changes.refuse_filtered(found, names)
        who = git_changes.who(found)
        options = (*git_changes.line_endings(found), "-c", f"user.name={who.name}", "-c", f"user.email={who.email}")
        message = args.message or f"changes to {git_changes.listed(names)}"
        return StashChanges(tuple(found.as_data().items()), names, message, int(world.now()), git_changes.fingerprint(found.top, names), options)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("stash my changes in code", "put what i changed in code away for now", "git stash in code", "把code里的修改暂存起来"),
            plan='git.stash("code")',
            given=repository("code", *_START, now={"a.txt": "A", "new.txt": "n"}),
            after={"code/a.txt": "a"},
            repositories=("code",),
            may_lack=True,
        ),
        Example(
            say=("stash code as half done", "put the changes in code aside, call them half done", "把code的修改存起来，叫half done"),
            plan='git.stash("code", message="half done")',
            given=repository("code", *_START, now={"b.txt": "B"}),
            after={"code/b.txt": "b"},
            repositories=("code",),
            may_lack=True,
        ),
        Example(
            say=("stash whatever is open in the repository code", "先把code仓库没提交的都收起来"),
            plan='git.stash("code")',
            given=repository("code", *_START),
            refused="action.refused",
            may_lack=True,
        ),
        Example(
            say=("stash the changes in notes", "git stash notes", "暂存notes的修改"),
            plan='git.stash("notes")',
            given={"notes/a.txt": "a"},
            refused="world.not-found",
            may_lack=True,
        ),
    )
