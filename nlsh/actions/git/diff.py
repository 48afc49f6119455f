"""git.diff: the changes that are not committed yet, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.git import _chosen
from nlsh.actions.git._scene import repository
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.effects import Effect
from nlsh.plan.records import Line, Note, Record
from nlsh.plan.values import Path
from nlsh.world import World, git, git_changes


class Diff(Action):
    """Show the changes that are not committed yet."""

    name = "git.diff"
    effects = ("fs.read", "tool.read")

    class Args(BaseArgs):
        path = arg(Path(), "The repository, or a folder or file in it: only what changed there.", default=".")

    def look(self, args: Any, world: World) -> Any:
        return _chosen.look(args, world)

    def needs(self, args: Any, seen: Any) -> tuple[Effect, ...]:
        found = git.Repository.from_data(seen)
        return _chosen.needs(seen, (*git.diff_command(found), "HEAD", *found.within), (*git.STATUS, *found.within))

    def observe(self, args: Any, seen: Any, world: World) -> Iterator[Record]:
        found = git.Repository.from_data(seen)
        for number, line in enumerate(git.diff(found), start=1):
            yield Line(line, number)
        if new := git.untracked(found):
            what = "A new file is" if len(new) == 1 else "New files are"
            yield Note(f"{what} not in this, as git does not know {'it' if len(new) == 1 else 'them'} yet: {git_changes.listed(new)}.")
        yield from _chosen.unfiltered(found)

    examples = (
        Example(
            say=("what did I change in code", "git diff of code", "show my uncommitted changes in code", "显示code里未提交的修改"),
            plan='git.diff("code")',
            given=repository("code", ("Start", {"a.txt": "old\n"}), now={"a.txt": "new\n"}),
            result=("-old", "+new", ...),
            may_lack=True,
        ),
        Example(
            say=("what changed in code/a.txt since the last commit", "diff of code/a.txt", "code/a.txt改了什么"),
            plan='git.diff("code/a.txt")',
            given=repository("code", ("Start", {"a.txt": "a\n", "b.txt": "b\n"}), now={"b.txt": "B\n"}),
            result=(),
            may_lack=True,
        ),
        Example(
            say=("diff of code, where there is only a new file", "code里只多了一个新文件，看看差异"),
            plan='git.diff("code")',
            given=repository("code", ("Start", {"a.txt": "a\n"}), now={"new.txt": "n\n"}),
            result=(),
            may_lack=True,
        ),
        Example(
            say=("git diff of notes", "uncommitted changes in notes", "notes有什么未提交的修改"),
            plan='git.diff("notes")',
            given={"notes/a.txt": "a"},
            refused="world.not-found",
        ),
    )
