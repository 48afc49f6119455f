"""folder.create: new folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from nlsh.actions.file._chosen import missing_folders
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import NotFound, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Path, Paths
from nlsh.steps.files import MakeFolder
from nlsh.world import World, places
from nlsh.world.files import real_place


class Create(Action):
    """Create folders, with the folders they are to be in."""

    name = "folder.create"
    effects = ("fs.write",)

    class Args(BaseArgs):
        paths = arg(Paths(), "The folders to create.", required=True)
        under = arg(Path(), "The folder to create them in.", default=".")

    def look(self, args: Any, world: World) -> Any:
        base = os.path.realpath(world.resolve(args.under)) if args.under != "." else world.cwd
        if not os.path.isdir(base):
            raise NotFound(f"{base} is not a folder.", hint="Nothing was changed. Say a folder to create it in.")
        folders: dict[str, None] = {}
        for written in args.paths:
            path = real_place(places.new(written, cwd=base, home=world.home))
            if world.exists(path):
                what = "folder" if world.is_folder(path) else "file"
                raise Refused(f"There is already a {what} {path}.", hint="Nothing was changed. Choose another name.")
            after = replace(world, planned=MappingProxyType({**world.planned, **dict.fromkeys(folders, "folder")}))
            folders.update(dict.fromkeys(missing_folders(path, after)))
        return tuple(MakeFolder(f) for f in folders)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("create a folder called projects", "make a new directory projects", "I need a projects folder here", "新建一个projects文件夹"),
            plan='folder.create("projects")',
            given={"a": "a"},
            after={"projects": None, "a": "a"},
        ),
        Example(
            say=("make the folders in and out", "create two directories, in and out", "创建in和out两个文件夹"),
            plan='folder.create(["in", "out"])',
            given={},
            after={"in": None, "out": None},
        ),
        Example(
            say=("create the folder 2024/jan/raw", "make 2024/jan/raw with the folders above it", "创建文件夹2024/jan/raw"),
            plan='folder.create("2024/jan/raw")',
            given={"2024": None},
            after={"2024/jan/raw": None},
        ),
        Example(
            say=("create a folder called summer in my pictures folder", "make summer under Pictures", "在图片文件夹里新建summer"),
            plan='folder.create("summer", under="my pictures folder")',
            given={"Pictures/a.jpg": "a"},
            after={"Pictures/summer": None},
        ),
        Example(
            say=("create a folder called notes", "make a notes folder", "新建notes文件夹"),
            plan='folder.create("notes")',
            given={"notes": "a file"},
            refused="action.refused",
        ),
    )
