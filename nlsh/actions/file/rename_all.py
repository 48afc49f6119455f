"""file.rename_all: new names for many things at once, by a pattern, none of them overwritten."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import Any

from nlsh.actions.file import _chosen
from nlsh.actions.file._expression import by_expression
from nlsh.actions.file._renaming import names_in, ordered, split_name
from nlsh.actions.file.join import natural
from nlsh.plan.action import ABSENT, Action, BaseArgs, Example, Looked, arg
from nlsh.plan.errors import NotFound, NotPossible
from nlsh.plan.steps import Step
from nlsh.plan.values import Choice, Flag, Name, Paths, Text, Unordered
from nlsh.steps.renames import RenamePath
from nlsh.world import World
from nlsh.world.files import Identity, identity, status_of

_SPACES = {
    "_": ("underscore", "underscores", "an underscore", "下划线"), "-": ("dash", "dashes", "a dash", "hyphen", "hyphens", "minus", "横线", "短横线", "连字符"),
    ".": ("dot", "dots", "a dot", "点"), "": ("nothing", "none", "空"),
}  # fmt: skip


class RenameAll(Action):
    """Rename many files by a pattern."""

    name = "file.rename_all"
    effects = ("fs.read", "fs.write", "fs.delete")

    class Args(BaseArgs):
        paths = arg(Paths(), "The files, or one folder: the files directly in it, hidden ones left out.", required=True)
        replace = arg(Text(), "This part of the names …")
        by = arg(Text(), "… becomes this; left out: nothing.")
        regex = arg(Text(), "Each part of the names that matches this regular expression becomes `by`, in which $1 or \\1 is its first group.")
        prefix = arg(Text(), "Put this in front.")
        suffix = arg(Text(), "Put this behind, before the ending.")
        case = arg(Choice("lower", "upper", "title"), "Small letters, capitals, or a capital for each word.")
        spaces = arg(Name(), "What stands for each space.", common=("_", "-"))
        extension = arg(Name(), "The new ending.")
        number = arg(
            Flag(),
            "Number them, in the order of their names: 001, 002, … behind the prefix. Where a part of the names is changed, too, they stay: name-001.",
            default=False,
        )
        keep = arg(Flag(), "With number: the old name stays before it, name-001.", default=False)
        need_one_of = ("replace", "regex", "prefix", "suffix", "case", "spaces", "extension", "number")

    def look(self, args: Any, world: World) -> Any:
        paths, notes = _meant(args, world)
        known = {path: status_of(path) for path in paths}
        width = max(3, len(str(len(paths))))
        wanted: dict[str, str] = {}
        named = {os.path.basename(p): "" for p in paths}
        replaced = by_expression(args.regex, args.by or "", list(named)) if args.regex else {name: name for name in named}
        for number, path in enumerate(paths, start=1):
            folder, old = os.path.split(path)
            new = _new_name(replaced[old], args, stat.S_ISDIR(known[path].st_mode), f"{number:0{width}d}" if args.number else "")
            if new != old:
                _chosen.refuse_name(new)
                wanted[path] = os.path.join(folder, new)
        for folder in {os.path.dirname(p) for p in wanted}:
            if not os.access(folder, os.W_OK | os.X_OK):
                raise NotPossible(f"You may not rename anything in {folder}.", hint="Nothing was changed. See who may with file.info.")
        return Looked(tuple(_steps(ordered(wanted, names_in(world)), {p: identity(s) for p, s in known.items()})), notes)

    def steps(self, args: Any, seen: Any) -> Iterator[Step]:
        yield from seen.steps

    examples = (
        Example(
            say=(
                "replace IMG by holiday in all names in Pictures",
                "in Pictures, change IMG to holiday in the file names",
                "把Pictures里文件名中的IMG换成holiday",
            ),
            plan='file.rename_all("Pictures", replace="IMG", by="holiday")',
            given={"Pictures/IMG_1.jpg": "1", "Pictures/IMG_2.jpg": "2", "Pictures/sub/IMG_3.jpg": "3"},
            after={"Pictures/holiday_1.jpg": "1", "Pictures/holiday_2.jpg": "2", "Pictures/IMG_1.jpg": ABSENT, "Pictures/sub/IMG_3.jpg": "3"},
        ),
        Example(
            say=(
                r"rename the files in Pictures by regex: ^IMG_(\d+) becomes trip-$1",
                r"in Pictures, replace the regular expression ^IMG_(\d+) in the names with trip-$1",
                r"用正则批量改Pictures里的文件名，把^IMG_(\d+)换成trip-$1",
            ),
            plan=r'file.rename_all("Pictures", regex="^IMG_(\\d+)", by="trip-$1")',
            given={"Pictures/IMG_1.jpg": "1", "Pictures/IMG_22.jpg": "2", "Pictures/my IMG_3.jpg": "3"},
            after={"Pictures/trip-1.jpg": "1", "Pictures/trip-22.jpg": "2", "Pictures/my IMG_3.jpg": "3", "Pictures/IMG_1.jpg": ABSENT},
        ),
        Example(
            say=(r"cut everything that matches \s*\(copy\) out of the names in docs", r"remove the regex \s*\(copy\) from file names in docs"),
            plan=r'file.rename_all("docs", regex="\\s*\\(copy\\)")',
            given={"docs/plan (copy).txt": "1", "docs/list.txt": "2"},
            after={"docs/plan.txt": "1", "docs/list.txt": "2"},
        ),
        Example(
            say=("replace the regex ( in the names in docs by x", "用正则(替换docs里的文件名，换成x"),
            plan='file.rename_all("docs", regex="(", by="x")',
            given={"docs/a.txt": "1"},
            refused="plan.bad-argument",
        ),
        Example(
            say=("put draft- in front of all txt files", "prefix every *.txt with draft-", "给所有txt文件名前加上draft-"),
            plan='file.rename_all("*.txt", prefix="draft-")',
            given={"a.txt": "a", "b.txt": "b", "c.log": "c"},
            after={"draft-a.txt": "a", "draft-b.txt": "b", "c.log": "c"},
        ),
        Example(
            say=("make the file names in music lower case", "lowercase all names in music", "把music里的文件名都改成小写"),
            plan='file.rename_all("music", case="lower")',
            given={"music/ONE.MP3": "1", "music/Two.mp3": "2"},
            after={"music/one.mp3": "1", "music/two.mp3": "2", "music/ONE.MP3": ABSENT},
        ),
        Example(
            say=(
                "replace the spaces in the names in docs by underscores",
                "no spaces in file names in docs, underscores instead",
                "把docs里文件名的空格换成下划线",
            ),
            plan='file.rename_all("docs", spaces="_")',
            given={"docs/my first plan.txt": "1"},
            after={"docs/my_first_plan.txt": "1"},
        ),
        Example(
            say=("give all jpeg files the ending jpg", "change the extension of *.jpeg to jpg", "把所有jpeg文件的扩展名改成jpg"),
            plan='file.rename_all("*.jpeg", extension="jpg")',
            given={"a.jpeg": "a", "b.jpeg": "b"},
            after={"a.jpg": "a", "b.jpg": "b"},
        ),
        Example(
            say=("number the files in scans", "rename everything in scans to 1, 2, 3", "给scans里的文件编号"),
            plan='file.rename_all("scans", number=true)',
            given={"scans/page2.png": "2", "scans/page10.png": "10"},
            after={"scans/001.png": "2", "scans/002.png": "10", "scans/page2.png": ABSENT},
        ),
        Example(
            say=("name the files in scans trip 1, trip 2 and so on", "scans里的文件依次改名为trip加编号"),
            plan='file.rename_all("scans", prefix="trip ", number=true)',
            given={"scans/page2.png": "2", "scans/page10.png": "10"},
            after={"scans/trip 001.png": "2", "scans/trip 002.png": "10"},
        ),
        Example(
            say=("add a number to each file name in scans", "keep the names in scans, put a number behind each", "scans里的文件名保留，后面加编号"),
            plan='file.rename_all("scans", number=true, keep=true)',
            given={"scans/page2.png": "2", "scans/page10.png": "10"},
            after={"scans/page2-001.png": "2", "scans/page10-002.png": "10"},
        ),
        Example(
            say=("cut -old out of the names of all txt files", "take -old out of the name of every *.txt", "把所有txt文件名里的-old去掉"),
            plan='file.rename_all("*.txt", replace="-old")',
            given={"a-old.txt": "old", "a.txt": "new"},
            refused="action.refused",
        ),
    )


def _meant(args: Any, world: World) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is to be renamed, in the order of numbering, and what the preview says of what is not.

    The order is as given, but by name (2 before 10) where a folder, a pattern or a search that was told no order says what is meant.
    """
    _chosen.refuse_everything(args.paths, world, "rename")
    found = _chosen.places_of(world.matches(args.paths))
    if len(found) == 1 and not _chosen.is_plural(args) and os.path.isdir(found[0]):
        folder = os.path.realpath(found[0])
        _chosen.refuse_all_in(folder, "rename")
        inside, folders, hidden = [], 0, 0
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    hidden += 1
                elif entry.is_dir(follow_symlinks=False):
                    folders += 1
                else:
                    inside.append(entry)
        if not inside:
            raise NotFound(f"There are no files directly in {found[0]}.", hint="Nothing was changed. Name the folder they are in.")
        return tuple(e.path for e in sorted(inside, key=lambda e: natural(e.name))), _left_alone(found[0], folders, hidden)
    _chosen.refuse_precious(found, world, "rename")
    by_name = isinstance(args.written["paths"], (str, Unordered))
    return tuple(sorted(found, key=lambda p: tuple(map(natural, os.path.split(p))))) if by_name else found, ()


def _left_alone(folder: str, folders: int, hidden: int) -> tuple[str, ...]:
    left = [f"{folders:,} folder{'s' * (folders > 1)} and all in {'them' if folders > 1 else 'it'}"] * bool(folders)
    left += [f"{hidden:,} hidden name{'s' * (hidden > 1)}"] * bool(hidden)
    return (f"Only the files directly in {folder} get new names; left as they are: {' and '.join(left)}.",) if left else ()


def _new_name(name: str, args: Any, folder: bool, number: str) -> str:
    if args.replace:
        name = name.replace(args.replace, args.by or "")
    if args.spaces is not None:
        written = args.spaces.strip().lower() or args.spaces
        name = name.replace(" ", next((sign for sign, words in _SPACES.items() if written in words), args.spaces))
    stem, ending = (name, "") if folder else split_name(name)
    if args.case == "title":
        # A word goes on after an apostrophe: Don't.
        stem = re.sub(r"[^\W\d_]+(?:['’][^\W\d_]+)*", lambda m: m[0][0].upper() + m[0][1:].lower(), stem)
    elif args.case:
        stem, ending = (stem.lower(), ending.lower()) if args.case == "lower" else (stem.upper(), ending.upper())
    if args.extension and not folder:
        ending = "." + args.extension.strip().lstrip("*.")
    if number and not (args.keep or args.replace or args.regex or args.suffix or args.case or args.spaces is not None):
        # Nothing is said of what is in the old name: the number takes its place.
        stem = number
    elif number:
        stem = f"{stem}{args.suffix or ''}-{number}"
    else:
        stem = f"{stem}{args.suffix or ''}"
    return f"{args.prefix or ''}{stem}{ending}"


def _steps(renames: Iterable[tuple[str, str]], known: dict[str, Identity]) -> Iterator[Step]:
    for old, new in renames:
        # What stood aside is known by what it was.
        known[new] = found = known[old]
        yield RenamePath(old, new, found)
