"""git.restore: a file as it was in a commit, or some time ago."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from nlsh.actions.git._scene import repository
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Age
from nlsh.plan.errors import BadArgument, NotFound, NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Name, Path
from nlsh.steps.git_restore import RestoreVersion
from nlsh.world import World, git, git_changes

_TWO = (("Start", {"a.txt": "first\n", "b.txt": "b\n"}), ("Change a, drop b", {"a.txt": "second\n"}))
_FILE, _PROGRAM = "100644", "100755"


class Restore(Action):
    """Put a file back to what it was in an earlier commit."""

    name = "git.restore"
    effects = ("fs.read", "fs.write", "tool.run")

    class Args(BaseArgs):
        path = arg(Path(), "The file; it may be gone.", required=True)
        commit = arg(Name(), "In which commit: its id, a tag, a branch; left out: the last one.")
        ago = arg(Age(), "In the last commit that is at least so old.")

    def look(self, args: Any, world: World) -> Any:
        if args.commit and args.ago:
            raise BadArgument("git.restore takes a commit or a time, not both.", hint='For example ago="2 days".')
        place = os.path.realpath(world.resolve(args.path, must_exist=False))
        if os.path.isdir(place):
            raise Refused(f"{place} is a folder.", hint=f"{git.UNCHANGED} Name one file of it.")
        found = git.find(place)
        git_changes.fit(found)
        name = os.path.relpath(place, found.top)
        if not os.path.isdir(os.path.dirname(place)):
            raise NotFound(f"There is no folder {os.path.dirname(place)}.", hint=f"{git.UNCHANGED} Make it first with folder.create.")
        commit = _before(found, world.now() - args.ago) if args.ago else git_changes.commit_of(found, args.commit or "HEAD")
        said = found.output("log", "-1", "--no-show-signature", "--format=%h “%s”", commit).strip()
        mode, new = _entry(found, commit, name, said)
        git_changes.refuse_filtered(found, (name,))
        old, old_ns, bits = "", 0, 0o755 if mode == _PROGRAM else 0o644
        if os.path.lexists(place):
            status = os.lstat(place)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1 or not os.access(place, os.R_OK | os.W_OK):
                raise NotPossible(f"{place} is no plain file that you may change.", hint=git.UNCHANGED)
            old, old_ns, bits = found.output("hash-object", "--no-filters", "--", place).strip(), status.st_mtime_ns, stat.S_IMODE(status.st_mode)
        if old == new:
            raise Refused(f"{place} is what it was in {said} already.", hint=git.UNCHANGED)
        return RestoreVersion(tuple(found.as_data().items()), name, old, new, said, old_ns, int(world.now() * 1e9), bits)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("discard my changes to code/a.txt", "throw away what i changed in code/a.txt since the last commit", "撤掉我对code/a.txt的改动"),
            plan='git.restore("code/a.txt")',
            given=repository("code", *_TWO, now={"a.txt": "a mess\n"}),
            after={"code/a.txt": "second\n"},
            repositories=("code/.git",),
            may_lack=True,
        ),
        Example(
            say=("put code/a.txt back to how it was in main~1", "restore the main~1 version of code/a.txt", "把code/a.txt恢复到main~1的版本"),
            plan='git.restore("code/a.txt", commit="main~1")',
            given=repository("code", *_TWO),
            after={"code/a.txt": "first\n"},
            repositories=("code/.git",),
            may_lack=True,
        ),
        Example(
            say=("get code/b.txt back from main~1, it was deleted", "从main~1找回code/b.txt"),
            plan='git.restore("code/b.txt", commit="main~1")',
            given=repository("code", *_TWO),
            after={"code/b.txt": "b\n"},
            repositories=("code/.git",),
            may_lack=True,
        ),
        Example(
            say=("i want code/a.txt as it was a day ago", "the version of code/a.txt from a day ago please", "把code/a.txt恢复成1天前的样子"),
            plan='git.restore("code/a.txt", ago="a day")',
            given=repository("code", *_TWO, now={"a.txt": "today\n"}),
            after={"code/a.txt": "second\n"},
            repositories=("code/.git",),
            may_lack=True,
        ),
        Example(
            say=("discard the changes to code/a.txt although there are none", "code/a.txt没有改动，也撤掉"),
            plan='git.restore("code/a.txt")',
            given=repository("code", *_TWO),
            refused="action.refused",
            may_lack=True,
        ),
        Example(
            say=("bring code/never.txt back from git", "从git找回code/never.txt"),
            plan='git.restore("code/never.txt")',
            given=repository("code", *_TWO),
            refused="world.not-found",
            may_lack=True,
        ),
    )


def _before(found: git.Repository, at: float) -> str:
    said = found.output("rev-list", "-1", f"--before={int(at)}", "HEAD", ok=(0, 128)).strip()
    if not said:
        raise NotFound(f"There is no commit in {found.top} that is so old.", hint=f"{git.UNCHANGED} See them with git.log.")
    return said


def _entry(found: git.Repository, commit: str, name: str, said: str) -> tuple[str, str]:
    """Return mode and blob of a file in a commit. Raises NotFound, and NotPossible for links and the like."""
    line = found.output("ls-tree", "-z", commit, "--", name).rstrip("\0")
    if not line:
        raise NotFound(f"There is no {name} in {said}.", hint=f"{git.UNCHANGED} git.log with this path shows which commits have it.")
    mode, _, id = line.partition("\t")[0].split(" ")
    if mode not in (_FILE, _PROGRAM):
        raise NotPossible(f"{name} was a link, a folder or a submodule in {said}.", hint=git.UNCHANGED)
    return mode, id
