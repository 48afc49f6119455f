"""file.split: a file in parts, which file.join puts together again."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.plan.action import Action, BaseArgs, Example, arg
from nlsh.plan.amounts import Bytes, Count
from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.steps import Step
from nlsh.plan.values import Path
from nlsh.steps.making import MOST_PARTS, SplitFile, part_name
from nlsh.world import World
from nlsh.world.contents import open_text
from nlsh.world.cuts import cuts
from nlsh.world.files import identity, status_of


class Split(Action):
    """Split a file into parts beside it."""

    name = "file.split"
    effects = ("fs.read", "fs.write")

    class Args(BaseArgs):
        path = arg(Path(), "The file.", required=True)
        size = arg(Bytes(), "The size of a part.")
        lines = arg(Count(), "The lines of a part.")
        parts = arg(Count(), "How many parts, all of one size; those of a text end with a line.")
        need_one_of = ("size", "lines", "parts")

    def look(self, args: Any, world: World) -> Any:
        path = os.path.realpath(world.resolve(args.path))
        status = status_of(path)
        size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            raise Refused(f"{path} is not a regular file.", hint="Nothing was changed. Name a file.")
        if sum(v is not None for v in (args.size, args.lines, args.parts)) > 1:
            raise Refused("Parts are of one size, or of so many lines, or so many: not two of these.", hint="Nothing was changed. Say one.")
        if not size:
            raise Refused(f"{path} is empty.", hint="Nothing was changed.")
        if args.size == 0 or (args.parts or 0) > size:
            raise Refused(f"{path} has only {size:,} bytes.", hint="Nothing was changed. Say fewer parts.")
        if args.parts and (found := _cuts(path, size, args.parts)) is not None:
            return (self._step(path, status, world, args.parts, parts=args.parts, whole_lines=found[1]),)
        each = args.size or (0 if args.lines else -(-size // args.parts))
        count = -(-size // each) if each else 1
        if args.parts and count != args.parts:
            # 10 bytes in 6 parts: 2 bytes each would be only 5.
            raise Refused(f"{path} has {size:,} bytes: that does not make {args.parts:,} parts of one size.", hint=f"Nothing was changed. {count:,} would do.")
        return (self._step(path, status, world, count, each, args.lines or 0),)

    @staticmethod
    def _step(path: str, status: os.stat_result, world: World, count: int, size: int = 0, lines: int = 0, **more: Any) -> SplitFile:
        """Return the step that makes `count` parts (of so many lines: at least so many). Raises Refused where they are too many or in the way."""
        _refuse_too_many(count)
        width = max(3, len(str(count)))
        _refuse_in_the_way(path, count, width, world)
        return SplitFile(path, identity(status), size, lines, width, int(world.now() * 1e9), **more)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen

    examples = (
        Example(
            say=("split big.bin into pieces of 4 bytes", "cut big.bin up, 4 bytes each", "把big.bin按4字节切开"),
            plan='file.split("big.bin", size="4 bytes")',
            given={"big.bin": "0123456789"},
            result=("big.bin.001", "big.bin.002", "big.bin.003", None),
            after={"big.bin": "0123456789", "big.bin.001": "0123", "big.bin.002": "4567", "big.bin.003": "89"},
        ),
        Example(
            say=("split log.txt every 2 lines", "cut log.txt into files of two lines each", "把log.txt每两行分成一个文件"),
            plan='file.split("log.txt", lines="2")',
            given={"log.txt": "a\nb\nc\n"},
            after={"log.txt.001": "a\nb\n", "log.txt.002": "c\n"},
        ),
        Example(
            say=("split film.mkv into 3 parts", "divide film.mkv in three equal parts", "把film.mkv分成3份"),
            plan='file.split("film.mkv", parts="3")',
            given={"film.mkv": {"size": "30KB"}},
            after={"film.mkv.001": {}, "film.mkv.003": {}},
        ),
        Example(
            say=("divide list.txt among 2 people", "把list.txt平均分给2个人"),
            plan='file.split("list.txt", parts="2")',
            given={"list.txt": "张三，北京\n李四\n王五\n"},
            after={"list.txt.001": "张三，北京\n", "list.txt.002": "李四\n王五\n"},
        ),
        Example(
            say=("split data.csv into 2 parts", "把data.csv分成两份"),
            plan='file.split("data.csv", parts="2")',
            given={"data.csv": "a,b\n", "data.csv.001": "mine"},
            refused="action.refused",
        ),
    )


def _cuts(path: str, size: int, parts: int) -> tuple[tuple[int, ...], bool] | None:
    """Return where a text is cut, and whether at line ends; None for what is no text, or cannot be read, which is said later."""
    _refuse_too_many(parts)
    try:
        descriptor = open_text(path)
    except OSError:
        return None
    try:
        return cuts(descriptor, size, parts)
    finally:
        os.close(descriptor)


def _refuse_too_many(count: int) -> None:
    if count > MOST_PARTS:
        raise Refused(f"That would be {count:,} parts; at most {MOST_PARTS:,} are made.", hint="Nothing was changed. Say bigger parts.")


def _refuse_in_the_way(path: str, count: int, width: int, world: World) -> None:
    folder, name = os.path.split(path)
    if not os.access(path, os.R_OK) or not os.access(folder, os.W_OK | os.X_OK):
        raise NotPossible(f"You may not read {path}, or not create anything beside it.", hint="Nothing was changed. Copy it elsewhere first.")
    _chosen.refuse_name(part_name(name, count, width))
    for number in range(1, count + 1):
        part = part_name(path, number, width)
        if world.exists(part):
            raise Refused(f"There is already something at {part}.", hint="Nothing was changed. Move it away first.")
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    needed = os.stat(path).st_blocks * 512
    if needed > free:
        raise Refused(f"The parts take {needed:,} bytes and {free:,} are free there.", hint="Nothing was changed. Make room first.")
