"""archive.compress: a compressed copy beside each file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from nlsh.plan.action import Action, BaseArgs, Example, Looked, arg
from nlsh.plan.errors import Refused
from nlsh.plan.steps import Step
from nlsh.plan.terms import COMPRESSIONS, Among
from nlsh.plan.values import Files
from nlsh.steps.archives import Compress as CompressStep
from nlsh.steps.content import fresh
from nlsh.world import World
from nlsh.world.files import real_place
from nlsh.world.machine import amount


class Compress(Action):
    """Compress single files, each for itself."""

    name = "archive.compress"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        paths = arg(Files("archive.create"), "The files. Each stays; its compressed copy is made beside it.", required=True)
        format = arg(Among(COMPRESSIONS), "gz, bz2, xz or zst.", default="gz")

    def look(self, args: Any, world: World) -> Any:
        found: list[Step] = []
        total = 0
        for path in dict.fromkeys(real_place(p) for p in world.matches(args.paths)):
            if os.path.isdir(path):
                raise Refused(f"{path} is a folder: it cannot be compressed as it is.", hint="Nothing was changed. archive.create packs folders.")
            target = f"{path}.{args.format}"
            # As gzip does: the copy has the time of what it is a copy of.
            fields, status = fresh(path, target, world), os.stat(path)
            found.append(CompressStep(**{**fields, "stamp_ns": status.st_mtime_ns}, format=args.format))
            total += status.st_size
        # Who compresses to make room takes it for granted that the originals go.
        stays = f"{os.path.basename(path)} stays" if len(found) == 1 else f"The {len(found):,} originals stay"
        it = "it" if len(found) == 1 else "them"
        return Looked(tuple(found), (f"{stays}: up to {amount(total)} more is used, not less. To make room, trash {it} afterwards.",))

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen.steps

    examples = (
        Example(
            say=("compress big.log", "gzip big.log", "make a gz of big.log", "压缩big.log"),
            plan='archive.compress("big.log")',
            given={"big.log": {"text": "line\n" * 1000, "age": "3d"}},
            after={"big.log.gz": {}, "big.log": "line\n" * 1000},
        ),
        Example(
            say=("compress dump.sql with xz", "xz dump.sql", "用xz压缩dump.sql"),
            plan='archive.compress("dump.sql", format="xz")',
            given={"dump.sql": {"text": "select 1;\n", "mode": "600"}},
            after={"dump.sql.xz": {"mode": "600"}},
        ),
        Example(
            say=("zstd every log here", "compress all log files here with zstd", "把这里的日志都用zstd压缩"),
            plan='a = file.find(kind="logs"); archive.compress(a, format="zst")',
            given={"a.log": "a", "sub/b.log": "b"},
            after={"a.log.zst": {}, "sub/b.log.zst": {}},
        ),
        Example(
            say=("gzip notes.txt", "compress notes.txt as gz", "用gzip压缩notes.txt"),
            plan='archive.compress("notes.txt")',
            given={"notes.txt": "new", "notes.txt.gz": "an older one"},
            refused="action.refused",
        ),
    )
