"""file.chown: whose a file is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Flag, Name, Paths
from nlsh.steps.marks import ChangeOwner
from nlsh.world import World, privilege
from nlsh.world.files import group_id, identity, owner_id, owner_name


class Chown(Action):
    """Change the owner or the group of files."""

    name = "file.chown"
    effects = ("fs.read", "fs.meta", "priv.root")

    class Args(BaseArgs):
        paths = arg(Paths(), "The files or folders, themselves and not what is in them unless all is said.", required=True)
        owner = arg(Name(), "The new owner.")
        group = arg(Name(), "The new group.")
        all = arg(Flag(), "Also everything below the folders.", default=False)
        need_one_of = ("owner", "group")

    def look(self, args: Any, world: World) -> Any:
        # As chown writes it: owner:group.
        owner, _, group = (args.owner or "").partition(":")
        group = args.group or group
        uid, gid = owner_id(owner) if owner else None, group_id(group) if group else None
        found = []
        for path, status in _chosen.themselves(args.paths, world, "change the owner of", below=args.all):
            if stat.S_ISLNK(status.st_mode):
                raise Refused(f"{path} is a link: what counts is who owns what it leads to.", hint="Nothing was changed. Name what it leads to.")
            old = status.st_uid, status.st_gid
            new = old[0] if uid is None else uid, old[1] if gid is None else gid
            if new == old:
                continue
            if status.st_mode & 0o6000 or (stat.S_ISREG(status.st_mode) and _has_capabilities(path)):
                raise Refused(
                    f"{path} runs with rights of its own (setuid, setgid or capabilities), which it would lose.", hint="Nothing was changed. Leave it out."
                )
            found.append(ChangeOwner(path, new, old, identity(status), _root(path, status, old, new), _root(path, status, new, old)))
        return tuple(found)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("give notes.txt to the user nobody", "make nobody the owner of notes.txt", "chown nobody notes.txt", "把notes.txt的所有者改成nobody"),
            plan='file.chown("notes.txt", owner="nobody")',
            given={"notes.txt": "n"},
            after={"notes.txt": "n"},
            may_lack=True,
        ),
        Example(
            say=("make notes.txt mine", "I want to own notes.txt", "让我成为notes.txt的所有者"),
            plan='file.chown("notes.txt", owner="me")',
            given={"notes.txt": "n"},
            after={"notes.txt": "n"},
        ),
        Example(
            say=("make site and everything in it mine", "I want to own site with all that is below it", "让site和里面的全部内容都归我"),
            plan='file.chown("site", owner="me", all=true)',
            given={"site/a.html": "a", "site/css/b.css": "b"},
            after={"site/a.html": "a", "site/css/b.css": "b"},
        ),
        Example(
            say=("change the group of notes.txt to no-such-group-here", "chgrp no-such-group-here notes.txt", "把notes.txt的组改成no-such-group-here"),
            plan='file.chown("notes.txt", group="no-such-group-here")',
            given={"notes.txt": "n"},
            refused="world.not-found",
        ),
    )


def _has_capabilities(path: str) -> bool:
    try:
        return bool(os.getxattr(path, "security.capability"))
    except OSError:
        return False


def _root(path: str, status: os.stat_result, old: tuple[int, int], new: tuple[int, int]) -> str:
    """Return why a change of owner needs root rights, empty where it needs none. Raises NotPossible where nlsh does not have them."""
    if new[0] == old[0] and old[0] == os.geteuid() != 0 and new[1] in (os.getegid(), *os.getgroups()):
        return ""
    if not privilege.can_be_root():
        what = f"{path} belongs to {owner_name(status.st_uid)}" if status.st_uid != os.geteuid() else "Only root may give a file to another user or group"
        raise NotPossible(f"{what}: this needs root rights.", hint="Nothing was changed. Run nlsh with sudo and ask again.")
    return f"to change the owner of {path} (CAP_CHOWN)"
