"""git.unstash: bring back the changes that were put away last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.git._scene import repository
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Path
from nlsh.steps import git_stash
from nlsh.world import World, git, git_changes

_START = (("Start", {"a.txt": "a", "b.txt": "b"}),)


class Unstash(Action):
    """Bring stashed changes back."""

    name = "git.unstash"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        path = arg(Path(), "The repository.", default=".")

    def look(self, args: Any, world: World) -> Any:
        found = git.find(world.resolve(args.path))
        git_changes.fit(found)
        id, at, message = git_stash.latest(found)
        if not id:
            raise Refused(f"There is nothing in the stash of {found.top}.", hint=git.UNCHANGED)
        names = git_stash.files_of(found, id)
        git_changes.refuse_filtered(found, names)
        git_stash.refuse_to_mix(found, id, names)
        if others := git_changes.changed(found):
            # Undo puts all of it away again, and must not take other changes with it.
            raise Refused(f"{git_changes.listed(tuple(others))} has changes that are not committed.", hint=f"{git.UNCHANGED} Commit them first.")
        who = git_changes.who(found)
        options = (*git_changes.line_endings(found), "-c", f"user.name={who.name}", "-c", f"user.email={who.email}")
        return git_stash.PopStash(tuple(found.as_data().items()), names, message.partition(": ")[2] or message, at, id, options)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("bring back what i stashed in code", "pop the stash of code", "git stash pop in code", "恢复code里暂存的修改"),
            plan='git.unstash("code")',
            given=repository("code", *_START, stash={"a.txt": "put away", "b.txt": "b"}),
            after={"code/a.txt": "put away", "code/b.txt": "b"},
            repositories=("code",),
            may_lack=True,
        ),
        Example(
            say=("i need the changes again that i put aside in code", "get my stashed work in code back", "把code里收起来的修改拿回来"),
            plan='git.unstash("code")',
            given=repository("code", *_START, now={"a.txt": "mine"}, stash={"a.txt": "put away", "b.txt": "b"}),
            refused="action.refused",
            may_lack=True,
        ),
        Example(
            say=("unstash the repository code", "apply the latest stash of code and drop it", "应用code最近的stash"),
            plan='git.unstash("code")',
            given=repository("code", *_START),
            refused="action.refused",
            may_lack=True,
        ),
        Example(
            say=("pop the stash of notes", "get the stashed changes of notes back", "恢复notes暂存的修改"),
            plan='git.unstash("notes")',
            given={"notes/a.txt": "a"},
            refused="world.not-found",
            may_lack=True,
        ),
    )
