"""git.log: the latest commits of a repository."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.git import _chosen
from nlsh.actions.git._scene import repository
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Count
from nlsh.plan.effects import Effect
from nlsh.plan.records import Note, Record
from nlsh.plan.values import Path
from nlsh.world import World, git

_COMMITS = (("Start", {"a.txt": "a"}), ("Add b", {"a.txt": "a", "b.txt": "b"}), ("Change b", {"a.txt": "a", "b.txt": "B"}))


class Log(Action):
    """Show the latest commits."""

    name = "git.log"
    effects = ("fs.read", "tool.read")

    class Args(BaseArgs):
        limit = arg(Count(), "At most this many; left out: the latest 20.", default=20)
        path = arg(Path(), "The repository, or a folder or file in it: then the commits that changed it.", default=".")

    def look(self, args: Any, world: World) -> Any:
        return _chosen.look(args, world)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _chosen.needs(seen, (*git.log_command(_asked(args)), *git.Repository.from_data(seen).within))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        found = git.Repository.from_data(seen)
        if not found.head():
            yield Note("There are no commits yet.")
            return
        for number, commit in enumerate(git.log(found, _asked(args))):
            if number == args.limit:
                yield Note(f"These are the latest {args.limit}, and there are more: say how many, or look for some with git.search.")
                return
            yield commit

    examples = (
        Example(
            say=("show the last 2 commits in code", "latest two commits of the code repository", "code最近的2次提交"),
            plan='git.log(limit="2", path="code")',
            given=repository("code", *_COMMITS),
            result=(None, None),
            may_lack=True,
        ),
        Example(
            say=("who changed code/b.txt", "history of code/b.txt in git", "code/b.txt的提交历史"),
            plan='git.log(path="code/b.txt")',
            given=repository("code", *_COMMITS),
            result=(None, None),
            may_lack=True,
        ),
        Example(
            say=("git log of notes", "commits of notes", "notes的提交记录"),
            plan='git.log(path="notes")',
            given={"notes/a.txt": "a"},
            refused="world.not-found",
        ),
    )


def _asked(args: Any) -> int:
    """Return how many commits git is asked for: one more than are shown where nobody said a number, to know whether there are more."""
    return int(args.limit) + ("limit" not in args.written)
