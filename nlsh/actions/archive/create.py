"""archive.create: pack things into one file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Choice, Path, Paths
from nlsh.steps.archives import CreateArchive
from nlsh.world import World, places
from nlsh.world.archives import FORMATS, SINGLE_ENDINGS, format_of
from nlsh.world.files import identify, real_place


class Create(Action):
    """Pack files and folders into a new archive."""

    name = "archive.create"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Paths(), "What to pack.", required=True)
        to = arg(Path(), "The archive's name, or the folder it is made in; left out: named after what is packed, beside it.")
        format = arg(Choice(*FORMATS), "The kind of archive, where its name does not say it; left out: tar.gz.")

    def look(self, args: Any, world: World) -> Any:
        sources = _chosen.outermost(real_place(p) for p in world.matches(args.paths))
        destination, kind = _destination(sources, args.to, args.format, world)
        if world.exists(destination):
            raise Refused(f"There is already something at {destination}.", hint="Nothing was changed. nlsh does not overwrite: say another name in to=.")
        if kind in SINGLE_ENDINGS.values() and (len(sources) > 1 or not os.path.isfile(sources[0]) or os.path.islink(sources[0])):
            raise Refused(f"A .{kind} file holds one file, and nothing else.", hint=f"Nothing was changed. Say {os.path.splitext(destination)[0]}.tar.{kind}.")
        base = os.path.commonpath([os.path.dirname(s) for s in sources])
        members = tuple((s, os.path.relpath(s, base), identify(s)) for s in sources)
        return CreateArchive(members, destination, kind, int(world.now() * 1_000_000_000)), _chosen.missing_folders(os.path.dirname(destination), world)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        step, folders = seen
        yield from _chosen.Goal((), folders).make()
        yield step

    examples = (
        Example(
            say=(
                "zip up the photos folder",
                "make a zip of photos",
                "compress photos into a zip file",
                "把photos文件夹打包成zip",
            ),
            plan='archive.create("photos", format="zip")',
            given={"photos/a.jpg": "a", "photos/trip/b.jpg": "b"},
            after={"photos.zip": {}, "photos/a.jpg": "a"},
        ),
        Example(
            say=("compress the logs folder", "pack logs into an archive", "make a tarball of logs", "压缩logs文件夹"),
            plan='archive.create("logs")',
            given={"logs/a.log": "a"},
            after={"logs.tar.gz": {}},
        ),
        Example(
            say=("put a.txt and b.txt into both.zip", "zip a.txt and b.txt as both.zip", "把a.txt和b.txt打包成both.zip"),
            plan='archive.create(["a.txt", "b.txt"], to="both.zip")',
            given={"a.txt": "a", "b.txt": "b"},
            after={"both.zip": {}},
        ),
        Example(
            say=("archive all pdfs here as papers.tar.gz", "pack every pdf into papers.tar.gz", "把所有pdf打包成papers.tar.gz"),
            plan='a = file.find(kind="pdfs"); archive.create(a, to="papers.tar.gz")',
            given={"a.pdf": "a", "sub/b.pdf": "b", "c.txt": "c"},
            after={"papers.tar.gz": {}},
        ),
        Example(
            say=("make a 7z of the photos folder", "pack photos as a 7-zip archive", "把photos打包成7z"),
            plan='archive.create("photos", format="7z")',
            given={"photos/a.jpg": "a", "photos/empty": None},
            after={"photos.7z": {}},
        ),
        Example(
            say=("pack logs with zstd", "make a tar.zst of logs", "用zstd压缩logs文件夹"),
            plan='archive.create("logs", format="tar.zst")',
            given={"logs/a.log": "a"},
            after={"logs.tar.zst": {}},
        ),
        Example(
            say=("zip the photos folder as photos.zip", "make photos.zip from photos", "把photos压缩为photos.zip"),
            plan='archive.create("photos", to="photos.zip")',
            given={"photos/a.jpg": "a", "photos.zip": "an older one"},
            refused="action.refused",
        ),
    )


def _destination(sources: tuple[str, ...], to: str | None, wanted: str | None, world: World) -> tuple[str, str]:
    """Return the archive's path and its format."""
    cwd = os.path.realpath(world.cwd)
    single = len(sources) == 1
    name = os.path.basename(sources[0]) if single else "archive"
    if to is None:
        kind = wanted or "tar.gz"
        beside = os.path.dirname(sources[0]) if single else cwd
        return os.path.join(beside if os.access(beside, os.W_OK) else cwd, f"{name or 'system'}.{kind}"), kind
    said = format_of(to) or (SINGLE_ENDINGS.get(os.path.splitext(to)[1].lower()) if wanted is None else None)
    if said and wanted and said != wanted:
        raise Refused(f"“{to}” says {said}, and format says {wanted}.", hint="Nothing was changed. Leave one of them out.")
    kind = said or wanted or "tar.gz"
    place = world.resolve(to, must_exist=False)
    if not said and (to.endswith("/") or world.is_folder(place)):
        return os.path.join(os.path.realpath(place), f"{name}.{kind}"), kind
    path = real_place(places.new(to, cwd=world.cwd, home=world.home))
    return (path if said else f"{path}.{kind}"), kind
