"""git.clone: get a repository, from the web or from elsewhere on this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.actions.git._scene import bare
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Path, Text
from nlsh.steps.git_remote import CloneRepository, pairs_of
from nlsh.world import World, git, git_remotes, tools, web

_HUB = bare("hub.git", ("Start", {"a.txt": "a"}), ("Add b", {"a.txt": "a", "b.txt": "b"}))


class Clone(Action):
    """Clone a git repository."""

    name = "git.clone"
    effects = ("fs.read", "fs.write", "tool.run", "net.connect")

    class Args(BaseArgs):
        url = arg(Text(), "Where it is: https://example.org/project.git, or a folder here.", required=True)
        to = arg(Path(), "The new folder, or one in which it is made; left out: a new one here, called as the repository.")

    def look(self, args: Any, world: World) -> Any:
        program = tools.find("git")
        url = args.url.strip()
        if re.fullmatch(r"(www\.)?[\w-]+(\.[\w-]+)*\.[a-z]{2,}(/\S+)+", url, flags=re.I) and not os.path.exists(os.path.join(world.cwd, url)):
            url = f"https://{url}"
        way = git_remotes.way(url, world.cwd, do_it=f"git clone {url}")
        name = web.bare_name(re.sub(r"(/\.git|\.git)?/*$", "", way.url)) or "repository"
        target = os.path.join(os.path.realpath(world.cwd), name)
        if args.to is not None:
            target = _chosen.goal((f"/{name}",), args.to, world, plural=False, verb="clone").targets[0]
        parent = os.path.dirname(target)
        if world.exists(target):
            raise Refused(f"There is already something at {target}.", hint=f"{git.UNCHANGED} nlsh does not overwrite: say another name.")
        if parent in (os.path.realpath(world.home), "/"):
            raise Refused(
                f"{target} would lie in {parent} itself: git would have to be let into all of it.",
                hint=f"{git.UNCHANGED} Say a folder of your projects in to=, such as ~/projects.",
            )
        if not os.path.isdir(parent) or not os.access(parent, os.W_OK | os.X_OK):
            raise NotPossible(f"There is no folder {parent} in which you may make something.", hint=f"{git.UNCHANGED} Make it first with folder.create.")
        return CloneRepository(program, pairs_of(way), target)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield seen

    examples = (
        Example(
            say=("clone hub.git into work", "get a clone of the repository hub.git in work", "把hub.git克隆到work里"),
            plan='git.clone("hub.git", to="work")',
            given={**_HUB, "work": None},
            after={"work/hub/a.txt": "a", "work/hub/b.txt": "b"},
            may_lack=True,
        ),
        Example(
            say=("clone hub.git as work/mine", "git clone hub.git work/mine", "把hub.git克隆成work/mine"),
            plan='git.clone("hub.git", to="work/mine")',
            given={**_HUB, "work": None},
            after={"work/mine/b.txt": "b"},
            may_lack=True,
        ),
        Example(
            say=("clone git@example.org:ada/shell.git into work", "克隆git@example.org:ada/shell.git到work"),
            plan='git.clone("git@example.org:ada/shell.git", to="work")',
            given={"work": None},
            refused="world.not-possible",
        ),
        Example(
            say=("clone hub.git straight into my home folder", "把hub.git克隆到主目录"),
            plan='git.clone("hub.git", to="~")',
            given=_HUB,
            refused="action.refused",
            may_lack=True,
        ),
        Example(
            say=("clone the repository at nowhere.git into work", "克隆nowhere.git到work"),
            plan='git.clone("nowhere.git", to="work")',
            given={"work": None},
            refused="world.not-found",
            may_lack=True,
        ),
    )
