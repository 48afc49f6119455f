"""file.chmod: who may read, write and run a file."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Flag, Mode, Paths, apply_mode
from nlsh.steps.files import ChangeMode
from nlsh.world import World
from nlsh.world.files import identity


class Chmod(Action):
    """Change who may read, write and run files."""

    name = "file.chmod"
    effects = ("fs.meta",)

    class Args(BaseArgs):
        paths = arg(Paths(), "The files or folders, themselves and not what is in them unless all is said.", required=True)
        mode = arg(Mode(), "Octal, as chmod takes it, or in words: executable, read-only, writable, private.", required=True)
        all = arg(Flag(), "Also everything below the folders; who may read one of these may still enter it.", default=False)

    def look(self, args: Any, world: World) -> Any:
        found = []
        for path, status in _chosen.themselves(args.paths, world, "change the mode of", below=args.all):
            if stat.S_ISLNK(status.st_mode):
                raise Refused(f"{path} is a link: it has no mode of its own.", hint="Nothing was changed. Name what it leads to.")
            old = stat.S_IMODE(status.st_mode)
            if old & 0o6000:
                raise Refused(f"{path} has a setuid or setgid bit, which nlsh does not change.", hint="Nothing was changed.")
            # In a folder X means x, as for chmod.
            wanted = args.mode.replace("X", "x") if stat.S_ISDIR(status.st_mode) else args.mode
            new = apply_mode(wanted, old & 0o777) & 0o777 | old & 0o1000
            if args.all and stat.S_ISDIR(status.st_mode):
                # Else nobody could reach what is in it: chmod -R 644 is said for the sake of the files.
                entering = (new & 0o444) >> 2
                new |= entering if wanted.isdigit() else entering & old
            if new != old:
                found.append(ChangeMode(path, new, old, identity(status)))
        return tuple(found)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("make backup.sh executable", "I want to be able to run backup.sh", "give backup.sh execute permission", "让backup.sh可以执行"),
            plan='file.chmod("backup.sh", mode="executable")',
            given={"backup.sh": {"text": "#!/bin/sh\n", "mode": "644"}},
            after={"backup.sh": {"text": "#!/bin/sh\n", "mode": "755"}},
        ),
        Example(
            say=("set the mode of notes.txt to 600", "chmod 600 notes.txt", "make the permissions of notes.txt 600", "把notes.txt的权限改成600"),
            plan='file.chmod("notes.txt", mode="600")',
            given={"notes.txt": {"text": "n", "mode": "644"}},
            after={"notes.txt": {"text": "n", "mode": "600"}},
        ),
        Example(
            say=("make all shell scripts in bin executable", "every script under bin should be runnable", "把bin里的脚本都设为可执行"),
            plan='a = file.find(under="bin", kind="shell scripts"); file.chmod(a, mode="executable")',
            given={"bin/a.sh": {"text": "a", "mode": "600"}, "bin/b.sh": {"text": "b", "mode": "640"}, "bin/c.txt": {"text": "c", "mode": "600"}},
            after={"bin/a.sh": {"text": "a", "mode": "711"}, "bin/b.sh": {"text": "b", "mode": "751"}, "bin/c.txt": {"text": "c", "mode": "600"}},
        ),
        Example(
            say=("set everything in site to 644", "chmod -R 644 site", "change site and all that is in it to mode 644", "把site和里面所有东西的权限改成644"),
            plan='file.chmod("site", mode="644", all=true)',
            given={"site/a.html": {"text": "a", "mode": "600"}, "site/css/b.css": {"text": "b", "mode": "755"}},
            after={"site/a.html": {"text": "a", "mode": "644"}, "site/css/b.css": {"text": "b", "mode": "644"}, "site/css": None},
        ),
        Example(
            say=("make the folder old and everything below it read-only", "write-protect old and all that is in it", "把old文件夹连同里面的内容设为只读"),
            plan='file.chmod("old", mode="read-only", all=true)',
            given={"old/a.txt": {"text": "a", "mode": "644"}, "old/sub/b.txt": {"text": "b", "mode": "664"}},
            after={"old/a.txt": {"text": "a", "mode": "444"}, "old/sub/b.txt": {"text": "b", "mode": "444"}},
        ),
        Example(
            say=("make the whole system writable", "chmod 777 /", "把根目录权限改成777"),
            plan='file.chmod("/", mode="777")',
            given={"a": "a"},
            refused="action.refused",
        ),
    )
