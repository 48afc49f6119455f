"""git.show: what a commit says and changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.git import _chosen
from nlsh.actions.git._scene import repository
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Line, Record
from nlsh.plan.values import Name, Path
from nlsh.world import World, git, git_changes

_TWO = (("Start", {"a.txt": "a\n"}), ("Change a", {"a.txt": "A\n", "b.txt": "b\n"}))
_SHOW = ("show", "--no-ext-diff", "--no-textconv", "--no-color", "--no-show-signature", "--find-renames", "--submodule=short", "--format=medium")


class Show(Action):
    """Show what a commit says and changed."""

    name = "git.show"
    effects = ("fs.read", "tool.read")

    class Args(BaseArgs):
        commit = arg(Name(), "Its id, a tag or a branch.", default="HEAD")
        path = arg(Path(), "The repository, or a folder or file in it: only what changed there.", default=".")

    def look(self, args: Any, world: World) -> Any:
        seen = _chosen.look(args, world)
        return {"repository": seen, "commit": git_changes.commit_of(git.Repository.from_data(seen), args.commit)}

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        return _chosen.needs(seen["repository"], (*_SHOW, seen["commit"], *git.Repository.from_data(seen["repository"]).within))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        found = git.Repository.from_data(seen["repository"])
        for number, line in enumerate(found.lines(*_SHOW, seen["commit"], *found.within), start=1):
            yield Line(line, number)

    examples = (
        Example(
            say=("show the last commit of code", "what did the latest commit in code change", "显示code最后一次提交的内容"),
            plan='git.show(path="code")',
            given=repository("code", *_TWO),
            result=("    Change a", "-a", "+A", ...),
            may_lack=True,
        ),
        Example(
            say=("show commit main~1 of code", "what is in the commit main~1 of code", "看看code的提交main~1"),
            plan='git.show("main~1", path="code")',
            given=repository("code", *_TWO),
            result=("    Start", "+a", ...),
            may_lack=True,
        ),
        Example(
            say=("what did main change in code/b.txt", "main这次提交改了code/b.txt的什么"),
            plan='git.show("main", path="code/b.txt")',
            given=repository("code", *_TWO),
            result=("+b", ...),
            may_lack=True,
        ),
        Example(
            say=("show commit abcdef1 of code", "code的提交abcdef1改了什么"),
            plan='git.show("abcdef1", path="code")',
            given=repository("code", *_TWO),
            refused="world.not-found",
            may_lack=True,
        ),
    )
