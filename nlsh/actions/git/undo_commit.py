"""git.undo_commit: take back the last commit; what it changed stays, ready to be committed anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.git._scene import repository
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Path
from nlsh.steps.git import MoveBranch
from nlsh.world import World, git

_TWO = (("Start", {"a.txt": "a"}), ("Oops", {"a.txt": "a", "b.txt": "b"}))


class UndoCommit(Action):
    """Take back the last commit and keep its changes."""

    name = "git.undo_commit"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        path = arg(Path(), "The repository.", default=".")

    def look(self, args: Any, world: World) -> Any:
        found = git.find(world.resolve(args.path))
        if under_way := git.unfinished(found):
            raise Refused(f"A {under_way} is under way in {found.top}.", hint=f"{git.UNCHANGED} Finish it or give it up first, with git.")
        commit = found.head()
        if not commit:
            raise Refused(f"There is no commit in {found.top} yet.", hint=git.UNCHANGED)
        parents, subject = found.output("log", "-1", "--no-show-signature", "--format=%P%x00%s", commit).rstrip("\n").split("\0")
        if not parents:
            raise Refused(f"“{subject}” is the first commit in {found.top}: nothing comes before it.", hint=git.UNCHANGED)
        if " " in parents:
            raise Refused(f"“{subject}” is a merge: it has several commits before it.", hint=f"{git.UNCHANGED} `git reset --soft` to the one you mean.")
        known = found.output("for-each-ref", f"--contains={commit}", "--count=1", "--format=%(refname:lstrip=2)", "refs/remotes").strip()
        if known:
            raise Refused(
                f"“{subject}” is on {known} already: others may have it.", hint=f"{git.UNCHANGED} `git revert {commit[:10]}` makes a commit that takes it back."
            )
        names = found.output("diff-tree", "--no-commit-id", "--name-only", "-r", "-z", "--no-ext-diff", "--no-textconv", parents, commit)
        branch = found.output("symbolic-ref", "-q", "HEAD", ok=(0, 1)).strip()
        if not os.access(found.git_dir, os.W_OK) or not os.access(found.common_dir, os.W_OK):
            raise NotPossible(f"You may not change the repository {found.top}.", hint=git.UNCHANGED)
        files = tuple(n for n in names.split("\0") if n)
        return MoveBranch(tuple(found.as_data().items()), branch, commit, parents, subject, files, _time_of(found, branch))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("undo the last commit in code", "take back my last commit in code but keep the changes", "撤销code里的上一次提交"),
            plan='git.undo_commit("code")',
            given=repository("code", *_TWO),
            after={"code/.git/refs/heads/main": repository("code", _TWO[0])["code/.git/refs/heads/main"], "code/b.txt": "b"},
            may_lack=True,
        ),
        Example(
            say=("undo the last commit in notes", "take back the commit in notes", "撤销notes的提交"),
            plan='git.undo_commit("notes")',
            given={"notes/a.txt": "a"},
            refused="world.not-found",
        ),
    )


def _time_of(found: git.Repository, branch: str) -> int:
    try:
        return os.stat(os.path.join(found.common_dir, branch) if branch else os.path.join(found.git_dir, "HEAD")).st_mtime_ns
    except OSError:
        return -1  # the branch is named in a list of all
