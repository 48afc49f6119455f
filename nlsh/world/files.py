"""Facts about files: a streaming walk, what is wanted of a file, and how to know a file again.

Owns reading names and attributes. What is inside files is `contents` and `archives`; nothing here changes anything.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from functools import cache, cached_property
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from nlsh.plan.errors import NotFound, NotPossible
from nlsh.plan.frozen import frozen
from nlsh.plan.records import File

if TYPE_CHECKING:
    from nlsh.world.contents import Within

# A folder is known by (device, inode), anything else by (device, inode, mtime_ns, size). Device and inode 0: not known, because the
# file was made on another file system; then time and size must do.
Identity = tuple[int, ...]

# Not files of anybody's: a walk that starts above them leaves them out; one that starts in them does not.
_KERNEL_FOLDERS = frozenset(("/proc", "/sys", "/dev"))
# Entries of one folder are sorted in batches of this size, so that a folder of millions needs no more memory than this.
_BATCH = 50_000
_BY_NAME = attrgetter("name")
_UNKNOWN_NS = 1 << 80  # of a folder that cannot be read: what is in it may have changed at any time


def identity(status: os.stat_result) -> Identity:
    """Return what `status` is known by later."""
    if stat.S_ISDIR(status.st_mode):
        return (status.st_dev, status.st_ino)
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


def identify(path: str) -> Identity:
    """Return what `path` is known by later, links not followed. Raises NotFound or NotPossible."""
    return identity(status_of(path))


def status_of(path: str) -> os.stat_result:
    """Return the status of `path`, links not followed. Raises NotFound or NotPossible."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"There is no {path}.", hint="Nothing was changed.") from error
    except OSError as error:
        raise NotPossible(f"{path} cannot be looked at: {error.strerror}.", hint="Nothing was changed.") from error


def loosened(known: Identity) -> Identity:
    """Return `known` for a copy of the file on any file system: without device and inode."""
    return (0, 0, *known[2:])


def is_same(status: os.stat_result, known: Identity) -> bool:
    """Return whether `status` is of the file or folder that `known` was taken from."""
    if stat.S_ISDIR(status.st_mode) != (len(known) == 2):
        return False
    if known[1] and (status.st_dev, status.st_ino) != known[:2]:
        return False
    if len(known) == 2:
        return True
    mtime_ns, size = known[2:]
    if status.st_size != size:
        return False
    if status.st_mtime_ns == mtime_ns:
        return True
    # FAT keeps times to two seconds, some network file systems to one.
    return not known[1] and status.st_mtime_ns % 1_000_000_000 == 0 and abs(status.st_mtime_ns - mtime_ns) < 2_000_000_000


def type_of(mode: int) -> str:
    """Return file, folder, link or other for a `st_mode`."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


@cache
def owner_name(uid: int) -> str:
    """Return the name of a user, or the number where it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OSError):
        return str(uid)


@cache
def group_name(gid: int) -> str:
    """Return the name of a group, or the number where it has none."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OSError):
        return str(gid)


def owner_id(name: str) -> int:
    """Return the number of the user called `name` (or written as a number). Raises NotFound."""
    import pwd

    if name.lower() in ("me", "myself", "我", "我自己"):
        return os.getuid()
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        if name.isascii() and name.isdigit():
            return int(name)
        raise NotFound(f"There is no user “{name}” here.", hint="Nothing was changed.") from None


def group_id(name: str) -> int:
    """Return the number of the group called `name` (or written as a number). Raises NotFound."""
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        if name.isascii() and name.isdigit():
            return int(name)
        raise NotFound(f"There is no group “{name}” here.", hint="Nothing was changed.") from None


def record(path: str, status: os.stat_result) -> File:
    """Return the record of a file, folder or link."""
    mode = status.st_mode
    return File(path, type_of(mode), status.st_size, status.st_mtime, mode & 0o7777, owner_name(status.st_uid))


def real_place(path: str) -> str:
    """Return `path` with every link in its folder part resolved: the last part stays what it is, a link included."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name) if name else "/"


def walk(
    root: str,
    *,
    hidden: bool = True,
    skipped: list[str] | None = None,
    enter: Callable[[os.DirEntry[str]], bool] | None = None,
    tell: Callable[[], None] | None = None,
    passed: Counter[str] | None = None,
) -> Iterator[os.DirEntry[str]]:
    """Yield every entry below `root`: a folder's own entries by name, then those of its folders. Links are not followed.

    What vanishes meanwhile is left out; folders that cannot be read are appended to `skipped` and left out. `hidden=False` leaves out
    names that start with a dot, and what is below them, and counts the folders among them in `passed`, by name; `enter` says for each folder
    whether what is in it is wanted, `tell` is called for each that is read.
    """
    todo = [root]
    while todo:
        folder = todo.pop()
        try:
            scan = os.scandir(folder)
        except OSError as error:
            if skipped is not None and not isinstance(error, FileNotFoundError):
                skipped.append(folder)
            continue
        below: list[str] = []
        with scan:
            if tell is not None:
                tell()
            while True:
                try:
                    entries = list(islice(scan, _BATCH))
                except OSError:
                    if skipped is not None:
                        skipped.append(folder)
                    break
                if not entries:
                    break
                if len(entries) > 1:
                    entries.sort(key=_BY_NAME)
                for entry in entries:
                    if not hidden and entry.name[0] == ".":
                        if passed is not None and _is_folder(entry):
                            passed[entry.name] += 1
                        continue
                    # Asked before the consumer gets the entry: it may have removed it by the time it comes back.
                    try:
                        descend = entry.is_dir(follow_symlinks=False)
                    except OSError:
                        descend = False
                    yield entry
                    if descend and (folder != "/" or entry.path not in _KERNEL_FOLDERS) and (enter is None or enter(entry)):
                        below.append(entry.path)
        below.reverse()
        todo += below


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def name_test(pattern: str) -> tuple[str, int]:
    """Return the regular expression (text and flags) for names that people mean by `pattern`.

    A pattern without a capital matches in any case. A name without wildcards means exactly it if it has a file ending that is known, else any name it
    is part of: "v1.2", "2024.05" and "Dr. Ho" have a dot and no ending.
    """
    import re

    flags = 0 if any(c.isupper() for c in pattern) else re.IGNORECASE
    if any(c in pattern for c in "*?["):
        import fnmatch

        return fnmatch.translate(pattern), flags
    if "." in pattern.strip(".") and _is_ending(pattern.rpartition(".")[2].lower()):
        return rf"(?s:{re.escape(pattern)})\Z", flags
    return rf"(?s:.*{re.escape(pattern)}.*)\Z", flags


def _is_ending(text: str) -> bool:
    from nlsh.plan.kinds import KINDS, OTHER_ENDINGS

    return text in OTHER_ENDINGS or any(text in endings for endings, _ in KINDS.values())


@frozen(slots=False)
class Wanted:
    """What is wanted of a file. Times are seconds since the epoch, sizes bytes; None: does not matter.

    `mode` is chmod's notation, `regex` a regular expression for a part of the name, `type` may also be "broken link".
    `unused`: neither read nor changed since; `depth`: how many folders down, 1 for what lies directly in the root.
    `containing`: a text in the file, or in what a document says; without a capital, in any case.

    The time of a folder is that of the newest thing below it, itself included, where times are asked for or `dated` says so, and `type` is "folder".
    An empty folder is one with no file below it. `unread` counts by ending the documents that could not be looked into, `passed` the hidden folders
    that were not, by name; `opening` is called before each document is opened.
    """

    named: str | None = None
    endings: tuple[str, ...] = ()
    type: str | None = None
    larger: int | None = None
    smaller: int | None = None
    since: float | None = None
    before: float | None = None
    unused: float | None = None
    depth: int | None = None
    uid: int | None = None
    mode: str | None = None
    regex: str | None = None
    empty: bool = False
    hidden: bool = False
    containing: str | None = None
    dated: bool = False
    skipped: list[str] = field(default_factory=list, compare=False)
    unread: Counter[str] = field(default_factory=Counter, compare=False)
    passed: Counter[str] = field(default_factory=Counter, compare=False)
    opening: Callable[[], None] | None = field(default=None, compare=False)
    tell: Callable[[], None] | None = field(default=None, compare=False)  # called for each folder that is read

    @cached_property
    def means_folders(self) -> bool:
        """Whether folders are meant, too, where no type is said: where there is no more than a name.

        A mode or an owner alone means files: in a folder of that mode, or of somebody's, other files may lie, and what is done to the result would be
        done to these.
        """
        details = (self.larger, self.smaller, self.since, self.before, self.unused, self.containing, self.mode)
        if self.endings or self.empty or any(v is not None for v in details):
            return False
        return self.named is not None or self.regex is not None

    @cached_property
    def asks_for_documents(self) -> bool:
        """Whether documents whose text can be read are among the kind of file that is asked for."""
        from nlsh.world.contents import READ_ENDINGS

        return any(f".{e}" in READ_ENDINGS for e in self.endings)

    def below(self, root: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield path and status of everything wanted below `root` (or `root` itself where it is not a folder)."""
        wants_folders = self.type == "folder" or (self.type is None and self.means_folders)
        wants_others = self.type != "folder"
        is_link_wanted = self.type in ("link", "broken link")
        with self._names() as (match, endings, hidden):
            if not os.path.isdir(root):
                status = status_of(root)
                name = os.path.basename(root)
                if (match is None or match(name)) and (not endings or name.lower().endswith(endings)) and self._has(root, status):
                    yield root, status
                return
            has = self._has
            times = (self.since, self.before, self.unused)
            newest = self._newest(root) if self.type == "folder" and (self.dated or any(t is not None for t in times)) else None
            for entry in walk(root, hidden=hidden, skipped=self.skipped, enter=self._enters(root), tell=self.tell, passed=self.passed):
                name = entry.name
                if match is not None and match(name) is None:
                    continue
                if endings and not name.lower().endswith(endings):
                    continue
                try:
                    # What the folder says of its entries is free; a status costs a system call.
                    if not (wants_folders if entry.is_dir(follow_symlinks=False) else wants_others):
                        continue
                    if is_link_wanted and not entry.is_symlink():
                        continue
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue  # vanished meanwhile
                path = entry.path
                if newest is not None:
                    time_ns = newest.get(path, status.st_mtime_ns)
                    if time_ns == _UNKNOWN_NS:
                        continue
                    status = _changed_at(status, time_ns)
                if has(path, status):
                    yield path, status

    def _newest(self, root: str) -> dict[str, int]:
        """Return when anything in each folder below `root` last changed, or was opened where that is asked for, in ns since the epoch.

        It is kept for each folder, so that each is read once, and not again for every folder that it is in.
        """
        found: dict[str, int] = {}
        closed: list[str] = []
        for entry in walk(root, skipped=closed, tell=self.tell):
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            time_ns = status.st_mtime_ns
            if stat.S_ISDIR(status.st_mode):
                found[entry.path] = time_ns  # when it was opened says nothing: a walk opens it
            elif self.unused is not None:
                time_ns = max(time_ns, status.st_atime_ns)
            folder = os.path.dirname(entry.path)
            if time_ns > found.get(folder, time_ns):
                found[folder] = time_ns
        if self.before is not None or self.unused is not None:
            found.update((path, _UNKNOWN_NS) for path in closed if path in found)
        # A folder comes before those in it.
        for path in reversed(found):
            folder = os.path.dirname(path)
            if found[path] > found.get(folder, found[path]):
                found[folder] = found[path]
        return found

    def _enters(self, root: str) -> Callable[[os.DirEntry[str]], bool] | None:
        """Return what says whether a folder is near enough to `root` to be looked into; None where all are."""
        if self.depth is None:
            return None
        deepest = root.rstrip("/").count("/") + self.depth
        return lambda folder: folder.path.count("/") < deepest

    @contextmanager
    def _names(self) -> Iterator[tuple[Callable[[str], Any] | None, tuple[str, ...], bool]]:
        """Give what tests a name (None: any will do), the endings, and whether hidden names are looked at."""
        endings = tuple(f".{e}" for e in self.endings)
        # Who asks for a name with a dot in front wants hidden ones.
        hidden = self.hidden or (self.named or "").startswith(".") or (self.regex or "").lstrip("/`").startswith("^\\.")
        match = None
        if self.named:
            import re

            match = re.compile(*name_test(self.named)).match
        if not self.regex:
            yield match, endings, hidden
            return
        from nlsh.world.patterns import bounded, compiled

        with bounded(compiled(self.regex)) as search:
            yield search if match is None else _both(match, search), endings, hidden

    def count(self, root: str) -> int:
        """Return how many `below` would yield, without asking for the status of each where names and types are enough."""
        details = (self.larger, self.smaller, self.since, self.before, self.unused, self.uid, self.mode, self.containing)
        if self.empty or any(d is not None for d in details) or self.type == "broken link" or not os.path.isdir(root) or self.means_folders:
            return sum(1 for _ in self.below(root))
        number = 0
        with self._names() as (match, endings, hidden):
            for entry in walk(root, hidden=hidden, skipped=self.skipped, enter=self._enters(root), tell=self.tell, passed=self.passed):
                if match is not None and match(entry.name) is None:
                    continue
                if endings and not entry.name.lower().endswith(endings):
                    continue
                try:
                    if self.type == "folder":
                        number += entry.is_dir(follow_symlinks=False)
                    else:
                        number += (self.type != "link" and entry.is_file(follow_symlinks=False)) or (self.type != "file" and entry.is_symlink())
                except OSError:
                    continue
        return number

    def _has(self, path: str, status: os.stat_result) -> bool:
        kind = type_of(status.st_mode)
        if self.type is None:
            if kind == "other" or (kind == "folder" and not self.means_folders):
                return False
        elif self.type == "broken link":
            if kind != "link" or not _is_broken(path):
                return False
        elif kind != self.type:
            return False
        size, mtime = status.st_size, status.st_mtime
        # The size of a link is the length of a path: it says nothing about a file.
        if self.larger is not None and (size <= self.larger or kind != "file"):
            return False
        if self.smaller is not None and (size >= self.smaller or kind != "file"):
            return False
        if (self.since is not None and mtime < self.since) or (self.before is not None and mtime >= self.before):
            return False
        if self.unused is not None and (mtime if kind == "folder" else max(mtime, status.st_atime)) >= self.unused:
            return False
        if self.uid is not None and status.st_uid != self.uid:
            return False
        # The mode of a link is that of all links: it says nothing.
        if self.mode is not None and (kind == "link" or not has_mode(stat.S_IMODE(status.st_mode), self.mode)):
            return False
        if self.empty and not (_is_empty_folder(path) if kind == "folder" else kind == "file" and size == 0):
            return False
        if self.containing is not None:
            if kind != "file":
                return False
            try:
                return self._within.holds(path)
            except OSError:
                self.skipped.append(path)
                return False
        return True

    @cached_property
    def _within(self) -> Within:
        from nlsh.world.contents import Within

        return Within(self.containing or "", self.unread, asked=self.asks_for_documents, opening=self.opening)


def notes_reading(path: str) -> bool:
    """Return whether the file system that `path` is on notes when a file is read; most note it once a day (relatime)."""
    try:
        return not os.statvfs(path).f_flag & os.ST_NOATIME
    except OSError:
        return True


def _both(first: Callable[[str], Any], second: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda name: second(name) if first(name) else None


def _is_broken(path: str) -> bool:
    """Return whether a link leads nowhere, or round in a circle; what may not be looked at is not known to."""
    try:
        os.stat(path)
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
    return False


def has_mode(mode: int, wanted: str) -> bool:
    """Return whether permission bits are those of an octal `wanted`, or have the rights that chmod's notation gives and lack those it takes.

    What is given to all is there where anybody has it: a script of mode 700 is executable.

    >>> has_mode(0o700, "a+x"), has_mode(0o600, "go-rwx"), has_mode(0o644, "go-rwx"), has_mode(0o644, "644"), has_mode(0o4755, "755"), has_mode(0o640, "g=r")
    (True, True, False, True, False, True)
    """
    if wanted.isdigit():
        return mode == int(wanted, 8)  # what is setuid is not 755 to anybody who looks for that
    for part in wanted.split(","):
        sign = next(c for c in part if c in "+-=")
        who, _, what = part.partition(sign)
        bits = sum({"r": 4, "w": 2, "x": 1}[c] for c in set(what.replace("X", "x")))
        everybody = not who or "a" in who
        classes = [mode >> shift & 7 for letter, shift in (("u", 6), ("g", 3), ("o", 0)) if everybody or letter in who]
        if sign == "-":
            fits = not any(c & bits for c in classes)
        elif sign == "=":
            fits = all(c == bits for c in classes)
        elif everybody:
            fits = any(c & bits == bits for c in classes)
        else:
            fits = all(c & bits == bits for c in classes)
        if not fits:
            return False
    return True


def _is_empty_folder(path: str) -> bool:
    """Return whether no file is below a folder, only folders if anything; what cannot be read is not known to be empty."""
    todo = [path]
    while todo:
        try:
            with os.scandir(todo.pop()) as scan:
                for entry in scan:
                    if not entry.is_dir(follow_symlinks=False):
                        return False
                    todo.append(entry.path)
        except OSError:
            return False
    return True


def _changed_at(status: os.stat_result, time_ns: int) -> os.stat_result:
    """Return `status` with another time of change, in ns since the epoch."""
    parts: Any = status.__reduce__()
    fields, more = parts[1]
    seconds = time_ns // 1_000_000_000
    return os.stat_result((*fields[:8], seconds, *fields[9:]), {**more, "st_mtime": time_ns / 1e9, "st_mtime_ns": time_ns})


def tree_size(root: str, skipped: list[str] | None = None, tell: Callable[[], None] | None = None) -> tuple[int, int]:
    """Return how many bytes of disk `root` and all below it take, and how many files it holds; a file with several names counts once.

    `tell` is called for each folder that is read.
    """
    status = status_of(root)
    total, files = status.st_blocks * 512, int(not stat.S_ISDIR(status.st_mode))
    if not stat.S_ISDIR(status.st_mode):
        return total, files
    seen: set[tuple[int, int]] = set()
    for entry in walk(root, skipped=skipped, tell=tell):
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        is_folder = stat.S_ISDIR(status.st_mode)
        if status.st_nlink > 1 and not is_folder:
            if (key := (status.st_dev, status.st_ino)) in seen:
                continue
            seen.add(key)
        total += status.st_blocks * 512
        files += not is_folder
    return total, files
