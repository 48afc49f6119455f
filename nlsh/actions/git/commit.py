"""git.commit: commit what has changed in a repository, or some files of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.git._scene import repository
from nlsh.plan.action import Action, BaseArgs, Example, Looked, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Paths, Text
from nlsh.steps.git_commit import Commit as CommitStep
from nlsh.world import World, git, git_changes

_START = (("Start", {"a.txt": "a", "b.txt": "b"}),)
_HOOKS = ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit")


class Commit(Action):
    """Commit changes with a message."""

    name = "git.commit"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        message = arg(Text(), "What the commit says.", required=True)
        paths = arg(
            Paths(),
            "The repository, all of it where left out: its changes, new files too; or files and folders in it: only theirs.",
            default=(".",),
        )

    def look(self, args: Any, world: World) -> Any:
        if not args.message.strip():
            raise Refused("A commit needs a message that says something.", hint=git.UNCHANGED)
        places = [os.path.realpath(world.resolve(p, must_exist=False)) for p in args.paths]
        found = [git.find(p) for p in places]
        repository_ = found[0]
        if other := next((f.top for f in found if f.top != repository_.top), ""):
            raise Refused(f"{repository_.top} and {other} are two repositories.", hint=f"{git.UNCHANGED} Commit in one after the other.")
        git_changes.fit(repository_)
        # As `git commit --all`: wherever in the repository one stands.
        whole = repository_.top in places or "paths" not in args.written
        within = [] if whole else [os.path.relpath(p, repository_.top) for p in places]
        names = tuple(git_changes.changed(repository_, within))
        rest = [] if whole else sorted(git_changes.changed(repository_).keys() - set(names))
        if not names:
            where = git_changes.listed(within) if within else repository_.top
            elsewhere = f" {git_changes.listed(rest)} {'has' if len(rest) == 1 else 'have'}." if rest else ""
            raise Refused(f"Nothing has changed in {where} since the last commit.{elsewhere}", hint=f"{git.UNCHANGED} See git.status.")
        if nested := next((n for n in names if n.endswith("/")), ""):
            raise Refused(f"{nested} is a repository of its own.", hint=f"{git.UNCHANGED} Name the files that are to be committed, without it.")
        git_changes.refuse_filtered(repository_, names)
        who, hooks = git_changes.who(repository_), git_changes.hooks(repository_, *_HOOKS)
        left_out = [*([f"without running its {' and '.join(hooks)}"] if hooks else []), *(["not signed"] if who.signs else [])]
        step = CommitStep(
            tuple(repository_.as_data().items()), git_changes.branch_of(repository_), repository_.head(), args.message, names,
            git_changes.fingerprint(repository_.top, names), whole, who.name, who.email, int(world.now()), git_changes.line_endings(repository_),
            ", ".join(left_out),
        )  # fmt: skip
        return Looked((step,), (f"Changed, and not in this commit: {git_changes.listed(rest)}.",) if rest else ())

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen.steps

    examples = (
        Example(
            say=("commit everything in code as fix typos", "git commit all of code with the message fix typos", "把code里的改动都提交，说明是fix typos"),
            plan='git.commit("fix typos", paths="code")',
            given=repository("code", *_START, now={"a.txt": "A", "new.txt": "n"}),
            after={"code/a.txt": "A", "code/new.txt": "n"},
            repositories=("code",),
            may_lack=True,
        ),
        Example(
            say=("commit code/a.txt with the message new a", "only commit code/a.txt, message new a", "只提交code/a.txt，说明写new a"),
            plan='git.commit("new a", paths="code/a.txt")',
            given=repository("code", *_START, now={"a.txt": "A", "b.txt": "B"}),
            after={"code/a.txt": "A", "code/b.txt": "B"},
            repositories=("code",),
            may_lack=True,
        ),
        Example(
            say=("make a commit “both files” of code/a.txt and code/b.txt", "提交code/a.txt和code/b.txt，说明both files"),
            plan='git.commit("both files", paths=["code/a.txt", "code/b.txt"])',
            given=repository("code", *_START, now={"a.txt": "A", "b.txt": "B", "c.txt": "c"}),
            after={"code/c.txt": "c"},
            repositories=("code",),
            may_lack=True,
        ),
        Example(
            say=("commit code again as nothing new", "check in my changes to code, message nothing new", "再提交一次code，说明nothing new"),
            plan='git.commit("nothing new", paths="code")',
            given=repository("code", *_START),
            refused="action.refused",
            may_lack=True,
        ),
        Example(
            say=("commit my notes folder as today", "git commit notes, message today", "提交notes，说明today"),
            plan='git.commit("today", paths="notes")',
            given={"notes/a.txt": "a"},
            refused="world.not-found",
            may_lack=True,
        ),
    )
