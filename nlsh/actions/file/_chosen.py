"""What the changing file actions have in common: which things are meant, what is never touched, and where they go."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from nlsh.plan.errors import NotPossible, Refused
from nlsh.plan.later import later
from nlsh.plan.steps import Step
from nlsh.steps.files import MakeFolder
from nlsh.world import World, places
from nlsh.world.files import real_place, status_of
from nlsh.world.machine import amount

_UNCHANGED = "Nothing was changed."
_SYSTEM = frozenset(
    (
        "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32", "/media", "/mnt", "/opt", "/proc", "/root",
        "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/sbin", "/usr/share", "/var", "/var/lib",
        "/var/log", "/var/tmp",
    )
)  # fmt: skip
# Of these what people keep there themselves.
_SHARED = frozenset(("/home", "/media", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var/tmp"))
# What an ending looks like: report.pdf, song.mp3; in “Dr. Ho”, “2024.05” and man.1 there is none.
_ENDING = later(r"\.(?=[0-9_+-]*[A-Za-z])[\w+-]{1,12}")
_BARE = frozenset(
    (
        "authors", "brewfile", "changelog", "changes", "codeowners", "containerfile", "contributing", "contributors", "copying", "copyright", "dockerfile",
        "gemfile", "install", "jenkinsfile", "justfile", "licence", "license", "maintainers", "makefile", "news", "notice", "procfile", "rakefile",
        "readme", "todo", "vagrantfile", "version",
    )
)  # fmt: skip


def chosen(written: tuple[str, ...], world: World, verb: str) -> tuple[str, ...]:
    """Return the things that are meant, what lies inside another of them left out: it goes along.

    Raises NotFound, and Refused for what no such action may touch: the root, the home folder, what they are in, the working directory.
    """
    refuse_everything(written, world, verb)
    found = places_of(world.matches(written))
    refuse_precious(found, world, verb)
    return outermost(found)


def themselves(written: tuple[str, ...], world: World, verb: str, *, below: bool = False) -> Iterator[tuple[str, os.stat_result]]:
    """Yield place and status of each thing that is meant, for what changes the things themselves. Raises NotFound, and Refused as `chosen` does.

    `below`: first everything in it, the deepest first, so that a folder that is closed to its owner is closed last; links in it are left out.
    """
    refuse_everything(written, world, verb)
    paths = places_of(world.matches(written))
    refuse_precious(paths, world, verb)
    found: Iterable[tuple[str, os.stat_result]] = ((path, status_of(path)) for path in paths)
    if below:
        from nlsh.actions.file._below import all_below

        # What is named and lies in another of them comes once.
        paths = outermost(paths)
        found = (*(inner for path in paths for inner in all_below(path, verb)), *((path, status_of(path)) for path in paths))
    seen: set[tuple[int, int]] = set()
    for path, status in found:
        # Two names of one file are one thing: changed under the first, it would not be what the second was seen to be.
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
        yield path, status


def places_of(paths: Iterable[str]) -> tuple[str, ...]:
    """Return `paths` with every link in their folder parts resolved (see `real_place`), without repeats."""
    folders: dict[str, str] = {}
    found: dict[str, None] = {}
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        found[os.path.join(folders[folder], name) if name else "/"] = None
    return tuple(found)


def outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Return `paths` without those that lie inside another of them: they go along."""
    found = dict.fromkeys(paths)
    return tuple(p for p in found if not any(above in found for above in _above(p)))


def _above(path: str) -> Iterable[str]:
    while path != "/":
        path = os.path.dirname(path)
        yield path


def refuse_everything(written: Iterable[str], world: World, verb: str) -> None:
    """Raise Refused for a pattern such as /etc/* that means all that is in a system folder."""
    for text in written:
        folder, name = os.path.split(text)
        if name.strip("*?.") == "" and any(c in name for c in "*?"):
            refuse_all_in(os.path.realpath(os.path.join(world.cwd, os.path.expanduser(folder))), verb)


def refuse_all_in(folder: str, verb: str) -> None:
    """Raise Refused for a system folder, of which all that is in it would be meant."""
    if folder in _SYSTEM - _SHARED:
        raise Refused(f"nlsh does not {verb} all that is in the system folder {folder}.", hint=f"{_UNCHANGED} Name what in it is meant.")


def refuse_precious(paths: Iterable[str], world: World, verb: str) -> None:
    """Raise Refused for the root, a system folder, the home folder or one that it or the working directory is in."""
    home, cwd = os.path.realpath(world.home), os.path.realpath(world.cwd)
    for path in paths:
        _refuse(path, home, cwd, verb)


def _refuse(path: str, home: str, cwd: str, verb: str) -> None:
    if path in _SYSTEM:
        raise Refused(f"nlsh does not {verb} the system folder {path}.", hint=f"{_UNCHANGED} Name what in it is meant.")
    if path == home or home.startswith(path + "/"):
        raise Refused(
            f"nlsh does not {verb} your home folder{'' if path == home else f', which {path} holds'}.", hint=f"{_UNCHANGED} Name what in it is meant."
        )
    # What is done to a folder without moving it does not matter to who is in it.
    if not verb.startswith("change the ") and (path == cwd or cwd.startswith(path + "/")):
        raise Refused(f"nlsh does not {verb} {path}: it is the folder you are in.", hint=f"{_UNCHANGED} Go elsewhere with cd first.")


def is_plural(args: Any, name: str = "paths") -> bool:
    """Return whether the plan's own words may mean several things, even where they mean one just now."""
    written = args.written.get(name)
    return isinstance(written, (tuple, list)) or (isinstance(written, str) and any(c in written for c in "*?["))


@dataclass(frozen=True)
class Goal:
    """Where things go: `target` of each, in the order of the sources, after `folders` have been made. `notes`: what the preview says of it.

    `sources` are the things themselves, without those that are there already.
    """

    targets: tuple[str, ...]
    folders: tuple[str, ...]
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def make(self) -> tuple[Step, ...]:
        """Return the steps that make the folders."""
        return tuple(MakeFolder(f) for f in self.folders)


def goal(sources: tuple[str, ...], to: str, world: World, *, plural: bool, verb: str, by_ending: bool = False, number: bool | None = None) -> Goal:
    """Return where `sources` go when they are to go `to`.

    A folder means into it. What is missing is the new name of a single thing, and a folder that is made when it is said to be one or
    when several things go there; `by_ending`: also when it has no ending and the single thing is a file that has one (see `_into_new`).
    Of several things, those are left out that lie there already, or that it lies in: they were found by the same words. `number`: where a name is taken,
    a number is put behind it; None: that is not to be had. Raises Refused where something would be overwritten, and where all is there already.
    """
    target, into = _place(to, world, plural=plural)
    notes: tuple[str, ...] = ()
    if by_ending and not into and len(sources) == 1 and not world.exists(target):
        into, notes = _into_new(sources[0], target, verb)
    if not into and world.exists(target) and not number:
        raise Refused(f"There is already something at {target}.", hint=f"{_UNCHANGED} nlsh does not overwrite: choose another name, or move it away first.")
    if into and not world.is_folder(target) and plural and os.path.splitext(target)[1] and not _says_folder(to):
        raise Refused(f"Several things cannot become the one file {target}.", hint=f"{_UNCHANGED} End it with / if it is to be a folder.")
    if into and len(sources) > 1:
        sources, left_out = _without_there(sources, target)
        notes += left_out
    targets = tuple(os.path.join(target, os.path.basename(s)) for s in sources) if into else (target,)
    if number:
        targets, numbered = _numbered(sources, targets, world)
        notes += numbered
    _refuse_clashes(sources, targets, world, verb, number)
    return Goal(targets, missing_folders(target if into else os.path.dirname(target), world), notes, sources)


def _without_there(sources: tuple[str, ...], folder: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return those of several things that can go into `folder`, and what is to be said of the others. Raises Refused where there are no others."""
    left = tuple(s for s in sources if os.path.dirname(s) != folder and not (folder + "/").startswith(s + "/"))
    if not left:
        raise Refused(f"All of that is in {folder} already.", hint=f"{_UNCHANGED} Say another folder.")
    above = tuple(s for s in sources if (folder + "/").startswith(s + "/"))
    there = len(sources) - len(left) - len(above)
    said = (f"{there:,} of the {len(sources):,} {'lies' if there == 1 else 'lie'} in {folder} already: left as {'it is' if there == 1 else 'they are'}.",)
    held = tuple(f"{s} is where {'it goes' if len(left) == 1 else 'they go'}: it stays." for s in above)
    return left, (*(said if there else ()), *held)


def _numbered(sources: tuple[str, ...], targets: tuple[str, ...], world: World) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return `targets` with a number behind each name that is taken, by what is there or by an earlier one, and what is to be said of it."""
    # What keeps its name has it: a later cat-2.jpg is not to find it taken.
    names = set(targets)
    used: set[str] = set()
    last: dict[str, int] = {}
    found: list[str] = []
    for source, target in zip(sources, targets, strict=True):
        place = target
        if target in used or (target != source and world.exists(target)):
            folder, name = os.path.split(target)
            stem, ending = (name, "") if is_folder(source) else os.path.splitext(name)
            if stem.endswith(".tar"):
                stem, ending = stem[:-4], f".tar{ending}"
            number = last.get(target, 1)
            while place in used or place in names or world.exists(place):
                number += 1
                place = os.path.join(folder, f"{stem}-{number}{ending}")
            last[target] = number
            refuse_name(os.path.basename(place))
        used.add(place)
        found.append(place)
    changed = sum(a != b for a, b in zip(found, targets, strict=True))
    return tuple(found), (f"{changed:,} get{'s' if changed == 1 else ''} a number behind the name, which is taken.",) if changed else ()


def _into_new(source: str, target: str, verb: str) -> tuple[bool, tuple[str, ...]]:
    """Return whether one thing goes into a new folder, `target`, rather than getting that for its name, and what is to be said of it.

    Who says “report.pdf into archive” means a folder: named archive, the file would have lost its ending, and the next one would find no place.
    Known files that have none (LICENSE), hidden names, and the name of the file itself without its ending are names.
    """
    old, new = os.path.basename(source), os.path.basename(target)
    stem, ending = os.path.splitext(old)
    if new == old or os.path.splitext(new)[1]:
        return False, ()
    bare = new.startswith(".") or new.casefold() in (stem.casefold(), *_BARE)
    if _ENDING.fullmatch(ending) and not bare and not is_folder(source):
        return True, (f"There is no folder {target}: it is made, and {old} goes into it. With an ending, {new} would be the new name.",)
    what = f"the copy of {old}" if verb == "copy" else old
    return False, (f"There is no folder {target}: {what} will be called {new}. End it with / if it is to be a folder.",)


def _place(to: str, world: World, *, plural: bool) -> tuple[str, bool]:
    """Return the path that `to` means, and whether things go into it."""
    planned = places.new(to, cwd=world.cwd, home=world.home)
    path = planned if planned in world.planned else world.resolve(to, must_exist=False)
    if world.is_folder(path):
        return (path if path in world.planned else os.path.realpath(path)), True
    path = real_place(path)
    return path, (plural or _says_folder(to) or places.well_known(to, world.home, world.cwd) == path) and not world.exists(path)


def _says_folder(to: str) -> bool:
    text = to.strip().lower()
    return text.endswith(("/", " folder", " directory", "文件夹", "目录", "资料夹"))


def _refuse_clashes(sources: tuple[str, ...], targets: tuple[str, ...], world: World, verb: str, number: bool | None) -> None:
    taken: dict[str, str] = {}
    or_number = "" if number is None else " Or say number=true: then the name gets a number behind it."
    for source, target in zip(sources, targets, strict=True):
        if target == source:
            raise Refused(f"{source} is already there.", hint=f"{_UNCHANGED} Say another name or folder.")
        if target.startswith(source.rstrip("/") + "/"):
            raise Refused(f"{source} cannot go into itself.", hint=f"{_UNCHANGED} Say a folder outside it.")
        if target in taken:
            raise Refused(
                f"{taken[target]} and {source} have the same name: only one fits at {target}.",
                hint=f"{_UNCHANGED} {verb.capitalize()} them one by one.{or_number}",
            )
        if world.exists(target):
            hint = f"{_UNCHANGED} nlsh does not overwrite: choose another name, or move it away first.{or_number}"
            raise Refused(f"There is already something at {target}.", hint=hint)
        taken[target] = source


def missing_folders(path: str, world: World) -> tuple[str, ...]:
    """Return the folders to be made so that the folder `path` is there, outermost first. Raises Refused where a file is in the way."""
    missing: list[str] = []
    while not world.is_folder(path):
        if world.exists(path):
            raise Refused(f"{path} is a file, not a folder.", hint=f"{_UNCHANGED} Say another place.")
        missing.append(path)
        path = os.path.dirname(path)
    if missing and not os.access(path, os.W_OK | os.X_OK) and path not in world.planned:
        raise NotPossible(f"You may not create anything in {path}.", hint=f"{_UNCHANGED} Say another place.")
    return tuple(reversed(missing))


def free_place(written: str, world: World) -> str:
    """Return the path that a new file is to have. Raises Refused where there is something already, or where the name is none."""
    if written.strip().endswith("/"):
        raise Refused(f"“{written}” is the name of a folder.", hint=f"{_UNCHANGED} folder.create makes folders.")
    path = real_place(places.new(written, cwd=world.cwd, home=world.home))
    if world.exists(path):
        raise Refused(f"There is already something at {path}.", hint=f"{_UNCHANGED} nlsh does not overwrite: choose another name, or move it away first.")
    refuse_name(os.path.basename(path))
    return path


def refuse_name(name: str) -> None:
    """Raise Refused for what no file system takes as the name of a file."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise Refused(f"“{name}” cannot be the name of a file.", hint=f"{_UNCHANGED} Say another name.")
    if len(os.fsencode(name)) > 255:
        raise Refused(f"The name {name[:40]}… is longer than 255 bytes.", hint=f"{_UNCHANGED} Say a shorter one.")


def device_of(path: str) -> int:
    """Return the device of `path`, or of the nearest folder above it that exists."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return os.lstat(path).st_dev


def refuse_without_room(needed: int, target: str) -> None:
    """Raise Refused where fewer than `needed` bytes are free on the disk of `target`, which may not be there yet."""
    folder = target
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    found = os.statvfs(folder)
    if needed > (free := found.f_bavail * found.f_frsize):
        raise Refused(f"This takes {amount(needed)} and {amount(free)} are free there.", hint="Nothing was changed. Make room first.")


def refuse_special(path: str, mode: int) -> None:
    """Raise Refused for what cannot be copied: sockets and devices."""
    if stat.S_ISSOCK(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise Refused(f"{path} is a socket or a device: it cannot be copied.", hint=f"{_UNCHANGED} Leave it out.")


def is_folder(path: str) -> bool:
    """Return whether `path` itself is a folder, links not followed. Raises NotFound or NotPossible."""
    return stat.S_ISDIR(status_of(path).st_mode)
