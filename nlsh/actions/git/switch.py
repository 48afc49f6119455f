"""git.switch: check out another branch, or make one and go to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlsh.actions.git._scene import repository
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotFound, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Flag, Name, Path
from nlsh.steps.git_switch import SwitchBranch
from nlsh.world import World, git, git_changes

_TWO = (("Start", {"a.txt": "a"}), ("Change a", {"a.txt": "A"}))


class Switch(Action):
    """Switch to another branch, or make a new one."""

    name = "git.switch"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        branch = arg(Name(), "The branch's name.", required=True)
        create = arg(Flag(), "Make it, where the current one is.", default=False)
        path = arg(Path(), "The repository.", default=".")

    def look(self, args: Any, world: World) -> Any:
        found = git.find(world.resolve(args.path))
        git_changes.fit(found)
        head, old, name = found.head(), git_changes.branch_of(found), args.branch.strip()
        if not head:
            raise Refused(f"There is no commit in {found.top} yet.", hint=f"{git.UNCHANGED} Make one first with git.commit.")
        if name.startswith("-") or not _says(found, "check-ref-format", "--branch", name):
            raise Refused(f"“{args.branch}” cannot be the name of a branch.", hint=git.UNCHANGED)
        said, here = name, _last_commit(found, f"refs/heads/{name}")
        if not here and not args.create and _last_commit(found, f"refs/remotes/{name}"):
            name = name.partition("/")[2]  # as git.branches calls one that only a remote has
            here = _last_commit(found, f"refs/heads/{name}")
        if name == old:
            raise Refused(f"{found.top} is on {name} already.", hint=git.UNCHANGED)
        if args.create and here:
            raise Refused(f"There is a branch {name} in {found.top} already.", hint=f"{git.UNCHANGED} Switch to it without making it.")
        origin, after = ("", head) if args.create else ("", here) if here else _of_a_remote(found, name, said)
        written = git_changes.differing(found, head, after)
        git_changes.refuse_filtered(found, written)
        git_changes.refuse_in_the_way(found, written, "switching", read=False)
        hooks = git_changes.hooks(found, "post-checkout")
        return SwitchBranch(
            tuple(found.as_data().items()), old, name, head, after, not here, origin, written, git_changes.line_endings(found),
            ", without running its post-checkout" if hooks else "",
        )  # fmt: skip

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("switch code to the branch older", "check out the branch older in code", "go to branch older of code", "code切换到older分支"),
            plan='git.switch("older", path="code")',
            given=repository("code", *_TWO, branches={"older": 0}),
            after={"code/a.txt": "a", "code/.git/HEAD": "ref: refs/heads/older\n"},
            repositories=("code",),
            may_lack=True,
        ),
        Example(
            say=("make a new branch idea in code", "create a branch called idea in code and switch to it", "在code里新建idea分支"),
            plan='git.switch("idea", create=true, path="code")',
            given=repository("code", *_TWO, now={"a.txt": "not committed"}),
            after={"code/a.txt": "not committed", "code/.git/HEAD": "ref: refs/heads/idea\n"},
            repositories=("code",),
            may_lack=True,
        ),
        Example(
            say=("switch the repository code over to older now", "现在就把code仓库切到older"),
            plan='git.switch("older", path="code")',
            given=repository("code", *_TWO, branches={"older": 0}, now={"a.txt": "not committed"}),
            refused="action.refused",
            may_lack=True,
        ),
        Example(
            say=("check out the branch nowhere of code", "code切换到nowhere分支"),
            plan='git.switch("nowhere", path="code")',
            given=repository("code", *_TWO),
            refused="world.not-found",
            may_lack=True,
        ),
        Example(
            say=("create the branch older in code once more", "在code里再建一次older分支"),
            plan='git.switch("older", create=true, path="code")',
            given=repository("code", *_TWO, branches={"older": 0}),
            refused="action.refused",
            may_lack=True,
        ),
    )


def _says(found: git.Repository, *arguments: str) -> str:
    return found.output(*arguments, ok=(0, 1, 128)).strip()


def _last_commit(found: git.Repository, ref: str) -> str:
    return _says(found, "rev-parse", "-q", "--verify", f"{ref}^{{commit}}")


def _of_a_remote(found: git.Repository, name: str, said: str) -> tuple[str, str]:
    """Return the branch of a remote that was `said`, or else the one that is called `name`, and its last commit. Raises NotFound."""
    import difflib

    lines = found.output("for-each-ref", "--format=%(refname:lstrip=2)%00%(objectname)", "refs/remotes").splitlines()
    remote = dict(line.split("\0") for line in lines if "/" in line)
    hits = [said] if said in remote else [n for n in remote if n.partition("/")[2] == name]
    if len(hits) == 1:
        return hits[0], remote[hits[0]]
    known = found.output("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").split()
    near = difflib.get_close_matches(name, [*known, *(n.partition("/")[2] for n in remote)], 1)
    hint = f"Did you mean {near[0]}?" if near else f"Its branches are: {git_changes.listed(known)}. A new one is made with create=true."
    raise NotFound(f"There is no branch {name} in {found.top}.", hint=f"{git.UNCHANGED} {hint}")
