"""git.push: give the commits of the current branch to a remote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.git._scene import bare, follows, repository
from nlsh.plan.action import Action, BaseArgs, Example, Never, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Name, Path
from nlsh.steps.git_remote import PushBranch, pairs_of
from nlsh.world import World, git, git_changes, git_remotes

_ONE = (("Start", {"a.txt": "a"}),)
_TWO = (*_ONE, ("Change a", {"a.txt": "A"}))
_SHOWN = 3


class Push(Action):
    """Push commits to a remote."""

    name = "git.push"
    effects = ("fs.read", "fs.write", "tool.run", "net.connect")
    undo = Never("what was pushed others may have fetched by then")

    class Args(BaseArgs):
        path = arg(Path(), "The repository.", default=".")
        remote = arg(Name(), "To which remote; left out: the one that the branch follows.")

    def look(self, args: Any, world: World) -> Any:
        found = git.find(world.resolve(args.path))
        git_changes.fit(found)
        branch, head = git_changes.branch_of(found), found.head()
        if not branch or not head:
            raise Refused(f"{found.top} is on no branch with commits.", hint=f"{git.UNCHANGED} Commit first with git.commit.")
        remote = git_remotes.remote_of(found, branch, args.remote, pushes=True)
        subjects = found.output("log", "-z", "--no-show-signature", "--format=%s", head, "--not", f"--remotes={remote.name}").split("\0")
        subjects = [s for s in subjects if s]
        known = found.output("rev-parse", "-q", "--verify", remote.tracking, ok=(0, 1, 128)).strip()
        if not subjects and known == head:
            raise Refused(f"{remote.name} has all the commits of {branch} already.", hint=git.UNCHANGED)
        shown = ", ".join(f"“{s}”" for s in subjects[:_SHOWN]) + (f" and {len(subjects) - _SHOWN} more" if len(subjects) > _SHOWN else "")
        words = f"{len(subjects)} commit{'s' if len(subjects) != 1 else ''} of {branch} ({shown})" if subjects else f"the branch {branch}"
        hooks = ", without running its pre-push" if git_changes.hooks(found, "pre-push") else ""
        return PushBranch(tuple(found.as_data().items()), branch, head, remote.name, remote.branch, pairs_of(remote.way), words, hooks)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("push code", "push my commits in code to the remote", "git push in code", "推送code的提交"),
            plan='git.push("code")',
            given={**bare("hub.git", *_ONE), **repository("code", *_TWO, **follows("../hub.git"))},
            after={"hub.git/refs/heads/main": repository("code", *_TWO)["code/.git/refs/heads/main"]},
            may_lack=True,
        ),
        Example(
            say=("push code to origin", "send the commits of code up to origin", "把code推送到origin"),
            plan='git.push("code", remote="origin")',
            given={**bare("hub.git", *_ONE), **repository("code", *_TWO, **follows("../hub.git"))},
            after={"hub.git/refs/heads/main": repository("code", *_TWO)["code/.git/refs/heads/main"]},
            may_lack=True,
        ),
        Example(
            say=("push code to the remote backup", "把code推到backup"),
            plan='git.push("code", remote="backup")',
            given=repository("code", *_ONE),
            refused="world.not-found",
            may_lack=True,
        ),
        Example(
            say=("push code up over ssh", "通过ssh推送code"),
            plan='git.push("code")',
            given=repository("code", *_ONE, **follows("git@example.org:ada/shell.git")),
            refused="world.not-possible",
        ),
        Example(
            say=("push the folder notes", "推送notes文件夹"),
            plan='git.push("notes")',
            given={"notes/a.txt": "a"},
            refused="world.not-found",
            may_lack=True,
        ),
    )
