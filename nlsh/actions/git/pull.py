"""git.pull: get what is new in the branch that this one follows, and move forward to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.git._scene import bare, follows, repository
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Name, Path
from nlsh.steps.git_remote import PullBranch, pairs_of
from nlsh.world import World, git, git_changes, git_remotes

_ONE = (("Start", {"a.txt": "a"}),)
_TWO = (*_ONE, ("Change a", {"a.txt": "A"}))


class Pull(Action):
    """Get new commits from a remote and move forward to them."""

    name = "git.pull"
    effects = ("fs.read", "fs.write", "tool.run", "net.connect")

    class Args(BaseArgs):
        path = arg(Path(), "The repository.", default=".")
        remote = arg(Name(), "From which remote; left out: the one that the branch follows.")

    def look(self, args: Any, world: World) -> Any:
        found = git.find(world.resolve(args.path))
        git_changes.fit(found)
        branch, head = git_changes.branch_of(found), found.head()
        if not branch or not head:
            raise Refused(f"{found.top} is on no branch that could move forward.", hint=f"{git.UNCHANGED} Switch to one first with git.switch.")
        remote = git_remotes.remote_of(found, branch, args.remote, pushes=False)
        hooks = ", without running its post-merge" if git_changes.hooks(found, "post-merge") else ""
        return PullBranch(
            tuple(found.as_data().items()), branch, head, remote.name, remote.branch, pairs_of(remote.way), git_changes.line_endings(found), hooks
        )  # fmt: skip

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("pull the latest changes of code", "update the repository code from its remote", "git pull in code", "拉取code的最新代码"),
            plan='git.pull("code")',
            given={**bare("hub.git", *_TWO), **repository("code", *_ONE, **follows("../hub.git"))},
            after={"code/a.txt": "A"},
            repositories=("code",),
            may_lack=True,
        ),
        Example(
            say=("pull code from origin", "get what is new on origin into code", "从origin拉取code"),
            plan='git.pull("code", remote="origin")',
            given={**bare("hub.git", *_TWO), **repository("code", *_ONE, **follows("../hub.git"), now={"b.txt": "mine"})},
            after={"code/a.txt": "A", "code/b.txt": "mine"},
            repositories=("code",),
            may_lack=True,
        ),
        Example(
            say=("is there anything new for code, then get it", "看看code有没有更新，有就拉下来"),
            plan='git.pull("code")',
            given={**bare("hub.git", *_ONE), **repository("code", *_TWO, **follows("../hub.git"))},
            after={"code/a.txt": "A"},
            repositories=("code",),
            may_lack=True,
        ),
        Example(
            say=("pull code from backup", "从backup拉取code"),
            plan='git.pull("code", remote="backup")',
            given=repository("code", *_ONE),
            refused="world.not-found",
            may_lack=True,
        ),
        Example(
            say=("pull code over ssh", "通过ssh拉取code"),
            plan='git.pull("code")',
            given=repository("code", *_ONE, **follows("git@example.org:ada/shell.git")),
            refused="world.not-possible",
        ),
    )
